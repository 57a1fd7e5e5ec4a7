const BUCKETS = 10;
/** Two counts share one number, so that ten buckets are eighty bytes: there may be 2^26 events of each kind. */
const UNIT = 2 ** 26;

/**
 * Counts two kinds of event over the last `span` ms, to a tenth of it. O(1) per operation whatever the span,
 * the traffic or the time nobody asked. Advances when asked, so it needs no timer.
 */
export class Window {
  readonly #span: number;
  readonly #buckets: number[] = new Array<number>(BUCKETS).fill(0);
  /** Long before all time, at first: as a small integer, which takes no room of its own as -Infinity does. */
  #latest = -1e9;

  constructor(span: number) {
    this.#span = span;
  }

  /** How many of the first kind, as of the latest `advance` or `add`. */
  get first(): number {
    return Math.floor(sum(this.#buckets) / UNIT);
  }

  get second(): number {
    return sum(this.#buckets) % UNIT;
  }

  add(now: number, first: number, second: number): void {
    this.advance(now);
    this.#buckets[place(this.#latest)]! += first * UNIT + second;
  }

  /** Forgets what is older than the span. */
  advance(now: number): void {
    const latest = Math.floor((now * BUCKETS) / this.#span);
    if (latest <= this.#latest) return; // the same bucket, or a clock that went back
    for (let bucket = Math.max(this.#latest, latest - BUCKETS) + 1; bucket <= latest; bucket++) {
      this.#buckets[place(bucket)] = 0;
    }
    this.#latest = latest;
  }

  clear(): void {
    this.#buckets.fill(0);
  }
}

// No private method: that would take eight bytes of each window.
const sum = (buckets: readonly number[]): number => {
  let total = 0;
  for (let i = 0; i < BUCKETS; i++) total += buckets[i]!;
  return total;
};

/** A bucket's index; `now` may be negative. */
const place = (bucket: number): number => bucket - BUCKETS * Math.floor(bucket / BUCKETS);
