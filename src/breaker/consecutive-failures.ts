import type { Env } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import type { MakeBreaker } from '../model/breaker.ts';
import { BreakerMachine, type OpenOptions, type OpenSettings, openSettings } from './machine.ts';

export interface ConsecutiveFailuresOptions extends OpenOptions {
  /** So many failures in a row open it. Default: 5. */
  readonly threshold?: number;
}

/**
 * Opens after so many failures in a row (Envoy's and Finagle's default of 5). The default breaker.
 *
 * @throws RangeError for an option out of range
 */
export function consecutiveFailures(options: ConsecutiveFailuresOptions = {}): MakeBreaker {
  const { threshold = 5 } = options;
  checkNumber('consecutiveFailures threshold', threshold, 1, Number.MAX_SAFE_INTEGER, true);
  const settings = openSettings('consecutiveFailures', options);
  return env => new ConsecutiveFailures(settings, threshold, env);
}

class ConsecutiveFailures extends BreakerMachine {
  readonly #threshold: number;
  #failures = 0;

  constructor(settings: OpenSettings, threshold: number, env: Env) {
    super(settings, env);
    this.#threshold = threshold;
  }

  protected override trips(failed: boolean): boolean {
    this.#failures = failed ? this.#failures + 1 : 0;
    return this.#failures >= this.#threshold;
  }

  protected override reset(): void {
    this.#failures = 0;
  }
}
