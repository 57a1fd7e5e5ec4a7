import { Durations } from './statistics.mjs';

/** Counts the attempts of a run, by instance. */
export class Tally {
  /** @type {Map<string, { begun: number, ended: number, failures: number, durations: Durations }>} */
  #counts = new Map();
  begun = 0;
  ended = 0;

  /** @param {readonly string[]} ids those to show from the start; others are shown once they are called */
  constructor(ids) {
    for (const id of ids) this.#of(id);
  }

  /** @param {string} id */
  began(id) {
    this.begun++;
    this.#of(id).begun++;
  }

  /** @param {string} id @param {number} elapsed @param {boolean} failed */
  end(id, elapsed, failed) {
    this.ended++;
    const count = this.#of(id);
    count.ended++;
    count.durations.add(elapsed);
    if (failed) count.failures++;
  }

  /** Rows of a table. @param {readonly { id: string, breaker: string, inFlight?: number }[]} members as they are now */
  instances(members) {
    const now = new Map(members.map(member => [member.id, member]));
    return [...this.#counts].map(([id, { begun, ended, failures, durations }]) => ({
      id,
      attempts: begun,
      share: begun / Math.max(1, this.begun),
      inFlight: now.get(id)?.inFlight ?? begun - ended,
      p50: durations.quantile(0.5),
      p99: durations.quantile(0.99),
      failures,
      breaker: now.get(id)?.breaker ?? 'gone',
    }));
  }

  /** @param {string} id */
  #of(id) {
    let count = this.#counts.get(id);
    if (count === undefined) {
      count = { begun: 0, ended: 0, failures: 0, durations: new Durations() };
      this.#counts.set(id, count);
    }
    return count;
  }
}
