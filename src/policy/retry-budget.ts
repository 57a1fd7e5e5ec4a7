import { checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import { Window } from '../base/window.ts';

/** Says how many retries the traffic can bear. May be shared by several clients. */
export interface RetryBudget {
  /** A call was made. `now` in monotonic ms. */
  deposit(now: number): void;
  /** Whether there is enough left for one retry, which it then pays for. */
  withdraw(now: number): boolean;
  /** A retry just paid for waits (1), or is made after its wait (-1): it counts as long as it waits, and from then on. */
  waits?(by: 1 | -1, now: number): void;
}

export interface RetryBudgetOptions {
  /** Retries per call, over the window. Default: 0.2. */
  readonly ratio?: number | undefined;
  /** Retries per second there are in any case. Default: 10. */
  readonly minPerSecond?: number | undefined;
  /**
   * Over how long calls and retries are counted, in ms. Default: 10 000. Calls count for a tenth less at most, retries for
   * a ninth more: within no such time are there more of them than stated.
   */
  readonly window?: number | undefined;
}

/**
 * Lets retries be a share of the calls of the last seconds, plus a few: when everything fails, the load on a sick
 * service grows by that share, not by the number of attempts (Finagle's RetryBudget, Tower's TpsBudget).
 *
 * @throws RangeError for an option out of range
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  checkOptions('retryBudget', options, { ratio: 1, minPerSecond: 1, window: 1 });
  const { ratio = 0.2, minPerSecond = 10, window = 10_000 } = options;
  checkNumber('retryBudget ratio', ratio, 0, 1000);
  checkNumber('retryBudget minPerSecond', minPerSecond, 0, 1e9);
  checkNumber('retryBudget window', window, 1, Number.MAX_SAFE_INTEGER);
  const floor = (minPerSecond * window) / 1000;
  const calls = new Window(window);
  // Tenths are forgotten at a time: ten of these hold the window at least. Were it less, all that it grants could be had
  // at its beginning and at its end.
  const retries = new Window((window * 10) / 9);
  let waiting = 0;
  return {
    deposit: now => calls.add(now, 1, 0),
    withdraw(now) {
      calls.advance(now);
      retries.advance(now);
      // In numbers, not in tokens: a token per 1 / ratio calls would be rounded away.
      if (retries.second + waiting + 1 > calls.first * ratio + floor) return false;
      retries.add(now, 0, 1);
      return true;
    },
    waits(by, now) {
      waiting += by;
      retries.add(now, 0, -by);
    },
  };
}
