/** A quantile of the latest numbers, up to a bound. O(log n) to read off, O(n) moves in one block to add. */
export class RecentQuantile {
  readonly #latest: Float64Array;
  readonly #sorted: Float64Array;
  readonly #quantile: number;
  #next = 0;
  #count = 0;

  constructor(quantile: number, size: number) {
    this.#quantile = quantile;
    this.#latest = new Float64Array(size);
    this.#sorted = new Float64Array(size);
  }

  add(value: number): void {
    const sorted = this.#sorted;
    if (this.#count === sorted.length) {
      const out = this.#place(this.#latest[this.#next]!);
      sorted.copyWithin(out, out + 1, this.#count--);
    }
    const at = this.#place(value);
    sorted.copyWithin(at + 1, at, this.#count++);
    sorted[at] = this.#latest[this.#next] = value;
    this.#next = (this.#next + 1) % sorted.length;
  }

  /** The least number that at least the quantile's share of them do not exceed; infinite if there is none. */
  get value(): number {
    if (this.#count === 0) return Number.POSITIVE_INFINITY;
    return this.#sorted[Math.max(0, Math.ceil(this.#quantile * this.#count) - 1)]!;
  }

  clear(): void {
    this.#next = this.#count = 0;
  }

  /** The first place whose number is not less. */
  #place(value: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
