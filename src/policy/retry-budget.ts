import { checkNumber } from '../base/errors.ts';
import { Window } from '../base/window.ts';

/** Says how many retries the traffic can bear. May be shared by several clients. */
export interface RetryBudget {
  /** A call was made. `now` in monotonic ms. */
  deposit(now: number): void;
  /** Whether there is enough left for one retry, which it then pays for. */
  withdraw(now: number): boolean;
}

export interface RetryBudgetOptions {
  /** Retries per call, over the window. Default: 0.2. */
  readonly ratio?: number;
  /** Retries per second there are in any case. Default: 10. */
  readonly minPerSecond?: number;
  /** In ms. Default: 10 000. */
  readonly window?: number;
}

/**
 * Lets retries be a share of the calls of the last seconds, plus a few: when everything fails, the load on a sick
 * service grows by that share, not by the number of attempts (Finagle's RetryBudget, Tower's TpsBudget).
 *
 * @throws RangeError for an option out of range
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const { ratio = 0.2, minPerSecond = 10, window = 10_000 } = options;
  checkNumber('retryBudget ratio', ratio, 0, 1000);
  checkNumber('retryBudget minPerSecond', minPerSecond, 0, 1e9);
  checkNumber('retryBudget window', window, 1, Number.MAX_SAFE_INTEGER);
  const floor = (minPerSecond * window) / 1000;
  /** Calls, and the retries made. */
  const made = new Window(window);
  return {
    deposit: now => made.add(now, 1, 0),
    withdraw(now) {
      made.advance(now);
      // In numbers, not in tokens: a token per 1 / ratio calls would be rounded away.
      if (made.second + 1 > made.first * ratio + floor) return false;
      made.add(now, 0, 1);
      return true;
    },
  };
}
