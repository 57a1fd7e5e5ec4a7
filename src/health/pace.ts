/** So many are remembered at most: a pace above that is kept over less than a second. */
const MOST = 1000;

/** Bounds how often something begins: in no stretch of a second more often than `perSecond`. */
export class Pace {
  /** For how long the oldest that is remembered counts, in ms. */
  readonly #window: number;
  readonly #room: number;
  /** When the latest began, in a circle. */
  readonly #times: number[] = [];
  #oldest = 0;

  constructor(perSecond: number) {
    // Of 3.5 a second, four would be too many and 3 in 857 ms six, in some second.
    const whole = perSecond < 1 ? perSecond : Math.floor(perSecond);
    this.#room = Math.max(1, Math.min(MOST, whole));
    this.#window = (this.#room / whole) * 1000;
  }

  /** In how many whole ms the next may begin; 0 if now. */
  wait(now: number): number {
    const oldest = this.#times[this.#oldest];
    return oldest === undefined ? 0 : Math.max(0, Math.ceil(oldest + this.#window - now));
  }

  began(now: number): void {
    this.#times[this.#oldest] = now;
    this.#oldest = (this.#oldest + 1) % this.#room;
  }
}
