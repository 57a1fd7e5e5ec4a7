import type { Clock, Timer } from './env.ts';

/** How often it looks whether the process is awake, in ms; ever more rarely while nobody begins to wait, and at last no more. */
const OFTEN = 10;
const RARELY = 1000;
/** A timer may be so late, in ms, and so many times as late as it usually is, and nothing is the matter. */
const SLACK = 2;
const UNUSUAL = 2;
/** What one more lateness counts for in the usual one. */
const NEWS = 1 / 16;

/**
 * A time that stands still while this process does: while it computes, collects garbage, or is not given the processor.
 * Answers that came in meanwhile are read only afterwards, all of them, which says nothing of those who sent them. A
 * process that is busy all the time does not stand still: what is usual takes nothing off.
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
  /** How late it may be. */
  #slack = SLACK;
  #late = 0;
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
    const late = now - this.#due - this.#slack;
    return now - this.#stood - (late > 0 ? late : 0);
  }

  /** Somebody waits from now on. */
  begin(now: number): void {
    this.#waiting++;
    this.#news = true;
    if (this.#due > now + 2 * OFTEN) this.#set(OFTEN, now);
    // Nobody is away so long and begins something all the while: the timer is lost, or its clock is not the platform's.
    else if (now - this.#due > RARELY) this.#ring(now);
  }

  /** Somebody waits no longer. */
  end(): void {
    this.#waiting--;
  }

  #catchUp(now: number): void {
    this.#stood = now - this.at(now);
  }

  #set(ms: number, now: number): void {
    const timer = this.#timer;
    this.#due = Number.POSITIVE_INFINITY;
    this.#news = false;
    if (timer === undefined || timer.faked?.()) return;
    if (timer.set(ms)) {
      timer.unref();
      this.#period = ms;
      this.#due = now + ms;
    } else {
      this.#timer = undefined;
    }
  }

  #ring(now: number = this.#clock!.now()): void {
    this.#catchUp(now);
    this.#late += (Math.max(0, now - this.#due) - this.#late) * NEWS;
    this.#slack = SLACK + UNUSUAL * this.#late;
    const next = this.#news ? OFTEN : 2 * this.#period;
    if (this.#waiting > 0 && next <= RARELY) this.#set(next, now);
    else this.#due = Number.POSITIVE_INFINITY;
  }
}
