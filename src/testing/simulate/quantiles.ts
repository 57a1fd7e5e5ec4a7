import type { Quantiles } from './types.ts';

/** Numbers in as little room as they need. */
export class Numbers {
  #values = new Float64Array(16);
  #size = 0;

  push(value: number): void {
    if (this.#size === this.#values.length) {
      const more = new Float64Array(2 * this.#size);
      more.set(this.#values);
      this.#values = more;
    }
    this.#values[this.#size++] = value;
  }

  /** By nearest rank: each is a number that was pushed. NaN where there is none. Sorts them. */
  quantiles(): Quantiles {
    const sorted = this.#values.subarray(0, this.#size).sort();
    let sum = 0;
    for (let i = 0; i < sorted.length; i++) sum += sorted[i]!;
    const at = (share: number): number =>
      sorted[Math.max(0, Math.ceil(share * sorted.length - 1e-9) - 1)] ?? Number.NaN;
    return {
      mean: sum / sorted.length,
      p50: at(0.5),
      p90: at(0.9),
      p99: at(0.99),
      p999: at(0.999),
      max: at(1),
    };
  }
}
