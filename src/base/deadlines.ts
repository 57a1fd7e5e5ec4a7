import { Chain, type Link } from './chain.ts';
import { type Clock, EARLY, type Timer } from './env.ts';

/** Who waits until a moment. */
export interface Waiting extends Link<Waiting> {
  /** In monotonic ms; set by `Deadlines`. */
  until: number;
  /** Calls off its own timer, where it has one; set by `Deadlines`. */
  cancel: (() => void) | undefined;
  /** The moment has come. It waits no longer. */
  due(): void;
}

/**
 * Many who wait, most of whom leave before their time, for about as long each: one timer serves all of them, where the
 * clock has one that can be set again. It stays set when those it was set for are gone, for setting it takes longer than
 * being in the line, but keeps no process alive for nobody. Joining and leaving are O(1) where all wait equally long.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #line = new Chain<Waiting>();
  #timer: Timer | undefined;
  /** When the timer is due; `Infinity` if it is not set. */
  #rings = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = clock.timer?.(at => this.#ring(at));
  }

  /** Calls `due` in `ms`, unless it leaves before that. */
  join(waiting: Waiting, ms: number, now: number): void {
    const until = now + ms;
    waiting.until = until;
    if (until === Number.POSITIVE_INFINITY) return;
    if (this.#timer?.faked?.() || !this.#rung(until, ms)) {
      waiting.cancel = this.#clock.after(ms, () => {
        waiting.cancel = undefined;
        waiting.until = Number.POSITIVE_INFINITY;
        waiting.due();
      });
      return;
    }
    const line = this.#line;
    let behind = line.newest;
    while (behind !== undefined && behind.until > until) behind = behind.older;
    line.addBehind(behind, waiting);
    if (line.size === 1) this.#timer!.ref();
  }

  /** Leaves, if it waits. */
  leave(waiting: Waiting): void {
    if (waiting.until === Number.POSITIVE_INFINITY) return;
    waiting.until = Number.POSITIVE_INFINITY;
    if (waiting.cancel !== undefined) {
      waiting.cancel();
      waiting.cancel = undefined;
      return;
    }
    this.#line.remove(waiting);
    if (this.#line.size === 0) this.#timer!.unref();
  }

  /** Has the timer ring by then. Answers whether there is one that can. */
  #rung(until: number, ms: number): boolean {
    if (this.#timer === undefined) return false;
    if (until >= this.#rings) return true;
    if (!this.#timer.set(ms)) {
      this.#timer = undefined;
      return false;
    }
    this.#rings = until;
    return true;
  }

  /** Who is due only since the timer fired waits for its next time: before that, sockets are read, and answers may be there. */
  #ring(at = this.#clock.now()): void {
    const rings = this.#rings;
    // A timer may be early by what the clock rounds, and is to be believed.
    const fired = Math.max(at, rings);
    this.#rings = Number.POSITIVE_INFINITY;
    const line = this.#line;
    try {
      for (let first = line.oldest; first !== undefined && first.until <= fired; first = line.oldest) {
        this.leave(first);
        first.due();
      }
    } finally {
      if (line.oldest !== undefined) {
        const { until } = line.oldest;
        const now = this.#clock.now();
        // That it was early is no reason for the next one to be so by as much more; but a clock that stands still tells nothing.
        this.#rung(until, Math.max(0, until - (rings - now < EARLY ? now : rings)));
      }
    }
  }
}
