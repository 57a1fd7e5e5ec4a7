const BUCKETS = 10;
/** Two counts share one number, so that ten buckets are eighty bytes: 2^26 events of each kind per bucket. */
const UNIT = 2 ** 26;

/**
 * Counts two kinds of event over the last `span` ms, to a tenth of it. O(1) per operation whatever the span,
 * the traffic or the time nobody asked. Advances when asked, so it needs no timer.
 */
export class Window {
  /** Width of a bucket, in ms. */
  readonly #width: number;
  readonly #buckets: number[] = new Array<number>(BUCKETS).fill(0);
  #latest = Number.NEGATIVE_INFINITY;
  #first = 0;
  #second = 0;

  constructor(span: number) {
    this.#width = span / BUCKETS;
  }

  /** How many of the first kind, as of the latest `advance` or `add`. */
  get first(): number {
    return this.#first;
  }

  get second(): number {
    return this.#second;
  }

  add(now: number, first: number, second: number): void {
    this.advance(now);
    this.#buckets[place(this.#latest)]! += first * UNIT + second;
    this.#first += first;
    this.#second += second;
  }

  /** Forgets what is older than the span. */
  advance(now: number): void {
    const latest = Math.floor(now / this.#width);
    if (latest <= this.#latest) return; // the same bucket, or a clock that went back
    for (let bucket = Math.max(this.#latest, latest - BUCKETS) + 1; bucket <= latest; bucket++) {
      const i = place(bucket);
      const both = this.#buckets[i]!;
      if (both === 0) continue;
      this.#first -= Math.floor(both / UNIT);
      this.#second -= both % UNIT;
      this.#buckets[i] = 0;
    }
    this.#latest = latest;
  }

  clear(): void {
    this.#buckets.fill(0);
    this.#first = this.#second = 0;
  }
}

/** A bucket's index; `now` may be negative. */
const place = (bucket: number): number => bucket - BUCKETS * Math.floor(bucket / BUCKETS);
