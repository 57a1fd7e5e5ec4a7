import type { Env } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { MakeBreaker } from '../model/breaker.ts';
import {
  BreakerMachine,
  OPEN_OPTIONS,
  type OpenOptions,
  type OpenSettings,
  openSettings,
} from './machine.ts';

export interface ConsecutiveFailuresOptions extends OpenOptions {
  /** So many failures in a row open it. Default: 5. */
  readonly threshold?: number | undefined;
  /**
   * Nothing but failures for so many ms, two at the least, open it, too. Default: 1000. A member that a balancer avoids for
   * its failures would else take long to fail so often, and count as well until then. `Infinity`: no time does.
   */
  readonly failingFor?: number | undefined;
}

/**
 * Opens after so many failures in a row (Envoy's and Finagle's default of 5), or when all calls of some time failed. The
 * default breaker.
 *
 * @throws RangeError or TypeError for an option out of range
 */
export function consecutiveFailures(options: ConsecutiveFailuresOptions = {}): MakeBreaker {
  checkOptions('consecutiveFailures', options, { ...OPEN_OPTIONS, threshold: 1, failingFor: 1 });
  const { threshold = 5, failingFor = 1000 } = options;
  checkNumber('consecutiveFailures threshold', threshold, 1, Number.MAX_SAFE_INTEGER, true);
  checkNumber('consecutiveFailures failingFor', failingFor, 0);
  const settings = openSettings('consecutiveFailures', options);
  return env => new ConsecutiveFailures(settings, threshold, failingFor, env);
}

class ConsecutiveFailures extends BreakerMachine {
  readonly #threshold: number;
  readonly #failingFor: number;
  #failures = 0;
  /** When the first of the row was known, in whole ms. */
  #failingSince = 0;

  constructor(settings: OpenSettings, threshold: number, failingFor: number, env: Env) {
    super(settings, env);
    this.#threshold = threshold;
    this.#failingFor = failingFor;
  }

  protected override trips(failed: boolean, _elapsed: number, now: number): boolean {
    if (!failed) {
      this.#failures = 0;
      return false;
    }
    this.#failures++;
    if (this.#failures === 1) this.#failingSince = Math.ceil(now);
    else if (now - this.#failingSince >= this.#failingFor) return true;
    return this.#failures >= this.#threshold;
  }

  protected override reset(): void {
    this.#failures = 0;
  }
}
