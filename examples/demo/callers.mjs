import { Durations } from './statistics.mjs';

/** What the callers saw of a run, whatever went on beneath. */
export class Callers {
  calls = 0;
  failures = 0;
  /** How many failed in which way. @type {Record<string, number>} */
  failed = {};
  #durations = new Durations();

  /** A call was over. @param {number} elapsed @param {unknown} error undefined if it went well */
  done(elapsed, error) {
    this.calls++;
    this.#durations.add(elapsed);
    if (error === undefined) return;
    this.failures++;
    const kind = kindOf(error);
    this.failed[kind] = (this.failed[kind] ?? 0) + 1;
  }

  summary() {
    const { calls, failures, failed } = this;
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map(q => this.#durations.quantile(q) ?? 0);
    return { calls, failures, failed, p50, p95, p99 };
  }
}

/** @type {Record<string, string>} */
const KINDS = {
  TIMEOUT: 'timed out',
  TimeoutError: 'timed out',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection lost',
  EPIPE: 'connection lost',
  UND_ERR_SOCKET: 'connection lost',
};

/** @param {unknown} error */
function kindOf(error) {
  const { name, code, cause, message } = /** @type {any} */ (error);
  return KINDS[code] ?? KINDS[name] ?? KINDS[cause?.code] ?? cause?.message ?? message ?? String(error);
}
