import type { Clock, Timer } from './env.ts';

/** How often it looks whether the process is awake, in ms; and how rarely at most, while nobody begins to wait. */
const OFTEN = 10;
const RARELY = 1000;
/** A timer may be so late, in ms, and nothing is the matter. */
const SLACK = 2;

/**
 * A time that stands still while this process does: while it computes, collects garbage, or is not given the processor.
 * Answers that came in meanwhile are read only afterwards, all of them, which says nothing of those who sent them.
 *
 * A timer that is overdue gives it away. There is one only while somebody waits, and it keeps no process alive. Where the
 * clock has none that can be set again, or a test fakes it, this is the clock's own time.
 */
export class Awake {
  readonly #clock: Clock | undefined;
  #timer: Timer | undefined;
  /** When the timer is due; `Infinity` while it is not set. */
  #due = Number.POSITIVE_INFINITY;
  #period = OFTEN;
  /** How long it has stood still so far, in ms. */
  #stood = 0;
  #waiting = 0;
  /** Whether somebody began to wait since the timer was set. */
  #news = false;

  constructor(clock?: Clock) {
    this.#clock = clock;
    this.#timer = clock?.timer?.(() => this.#ring());
  }

  /** What it says when the clock says `now`, in ms. */
  at(now: number): number {
    const late = now - this.#due - SLACK;
    return now - this.#stood - (late > 0 ? late : 0);
  }

  /** Somebody waits from now on. */
  begin(now: number): void {
    this.#waiting++;
    this.#news = true;
    if (this.#due > now + 2 * OFTEN) this.#set(OFTEN, now);
  }

  /** Somebody waits no longer. */
  end(): void {
    this.#waiting--;
  }

  #set(ms: number, now: number): void {
    const timer = this.#timer;
    if (timer === undefined || timer.faked?.()) return;
    if (timer.set(ms)) {
      timer.unref();
      this.#period = ms;
      this.#due = now + ms;
    } else {
      this.#timer = undefined;
    }
  }

  #ring(): void {
    const now = this.#clock!.now();
    this.#stood = now - this.at(now);
    this.#due = Number.POSITIVE_INFINITY;
    if (this.#waiting === 0) return;
    this.#set(this.#news ? OFTEN : Math.min(RARELY, 2 * this.#period), now);
    this.#news = false;
  }
}
