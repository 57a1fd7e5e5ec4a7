import type { Env } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import { Window } from '../base/window.ts';
import type { MakeBreaker } from '../model/breaker.ts';
import type { Outcome } from '../model/outcome.ts';
import { BreakerMachine, type OpenOptions, type OpenSettings, openSettings } from './machine.ts';

export interface FailureRateOptions extends OpenOptions {
  /** This share of failures opens it, above 0 and up to 1. Default: 0.5. */
  readonly threshold?: number;
  /** Over how many ms the share is taken. Default: 10 000. */
  readonly window?: number;
  /** With fewer calls in the window it stays closed. Default: 20. */
  readonly minCalls?: number;
  /** A call that took longer than so many ms counts as a failure here. Default: none does. */
  readonly slowerThan?: number;
}

/**
 * Opens when too large a share of the calls in a sliding time window failed, or was slow. The window slides in
 * tenths, is exact in its counts, and costs the same however long it is and however much it holds.
 *
 * @throws RangeError for an option out of range
 */
export function failureRate(options: FailureRateOptions = {}): MakeBreaker {
  const { threshold = 0.5, window = 10_000, minCalls = 20, slowerThan = Number.POSITIVE_INFINITY } = options;
  checkNumber('failureRate threshold', threshold, Number.MIN_VALUE, 1);
  checkNumber('failureRate window', window, 1, Number.MAX_SAFE_INTEGER);
  checkNumber('failureRate minCalls', minCalls, 1, Number.MAX_SAFE_INTEGER, true);
  checkNumber('failureRate slowerThan', slowerThan, 0);
  const settings = { ...openSettings('failureRate', options), threshold, window, minCalls, slowerThan };
  return env => new FailureRate(settings, env);
}

type Settings = OpenSettings & Required<Omit<FailureRateOptions, keyof OpenOptions>>;

class FailureRate extends BreakerMachine<Settings> {
  readonly passive = true;
  /** All calls, and the failed ones. */
  readonly #calls: Window;

  constructor(settings: Settings, env: Env) {
    super(settings, env);
    this.#calls = new Window(settings.window);
  }

  protected override failed(outcome: Outcome, elapsed: number): boolean {
    return super.failed(outcome, elapsed) || elapsed > this.settings.slowerThan;
  }

  protected override trips(failed: boolean, now: number): boolean {
    this.#calls.add(now, 1, failed ? 1 : 0);
    if (!failed) return false;
    const { threshold, minCalls } = this.settings;
    const { first: calls, second: failures } = this.#calls;
    // Not `failures >= threshold * calls`: 0.28 * 25 is more than 7.
    return calls >= minCalls && failures / calls >= threshold;
  }

  protected override reset(): void {
    this.#calls.clear();
  }
}
