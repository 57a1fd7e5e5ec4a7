/** Durations in ms, all kept: quantiles are exact. */
export class Durations {
  /** @type {number[]} */
  #values = [];
  #sorted = true;

  /** @param {number} ms */
  add(ms) {
    this.#values.push(ms);
    this.#sorted = false;
  }

  /** The smallest value that at least the share `q` of all do not exceed; undefined while there is none. @param {number} q */
  quantile(q) {
    if (!this.#sorted) this.#values.sort((a, b) => a - b);
    this.#sorted = true;
    return this.#values[Math.max(0, Math.ceil(q * this.#values.length) - 1)];
  }
}
