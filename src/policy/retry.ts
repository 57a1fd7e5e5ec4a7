import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import { sleep } from '../base/signal.ts';
import type { Call } from '../model/call.ts';
import { blame, type GiveUpReason, guarded, tell } from '../model/observer.ts';
import type { Policy } from './policy.ts';
import { type RetryBudget, retryBudget } from './retry-budget.ts';
import { isUnsent } from './unsent.ts';

export interface RetryOptions {
  /** Tries in all, the first included. Default: 3. */
  readonly attempts?: number;
  /**
   * The longest wait before retry n, counted from 1, in ms; the wait is drawn from [0, that). There is no wait
   * while a member is available that the call has not tried. Default: 25, 50, 100 and so on up to 1000.
   */
  readonly backoff?: (n: number) => number;
  /** Default: `retryBudget()`, one for each client. `false`: no bound, for those who know why. */
  readonly budget?: RetryBudget | false;
}

/**
 * Tries a failed call again, at another member while there is one. Around a `timeout` it repeats what timed out;
 * inside one, all its tries and waits share that time. Never repeats what may not be repeated, nor for a caller
 * who has gone. When attempts or budget run out, the last result or error is the caller's, untouched.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function retry({ attempts = 3, backoff = upTo1000, budget }: RetryOptions = {}): Policy {
  checkNumber('retry attempts', attempts, 1, Number.POSITIVE_INFINITY);
  checkFunction('retry backoff', backoff);
  if (budget && !(typeof budget.deposit === 'function' && typeof budget.withdraw === 'function')) {
    throw bad('retry budget', budget, 'a RetryBudget or false');
  }
  return (next, context) => {
    const { clock, random, classifier, observer } = context;
    const purse = budget === undefined ? retryBudget() : budget;

    const deposit = (now: number): void => {
      try {
        if (purse) purse.deposit(now);
      } catch (thrown) {
        blame(observer, 'policy', thrown);
      }
    };
    const hindrance = (call: Call, n: number, threw: boolean, error: unknown): GiveUpReason | undefined => {
      if (call.signal?.aborted) return 'aborted';
      if (call.repeatable !== true) {
        const safe = call.repeatable === 'unsent' && threw;
        if (!(safe && guarded(observer, 'classifier', () => (classifier.unsent ?? isUnsent)(error))))
          return 'not-repeatable';
      }
      if (n >= attempts) return 'attempts';
      if (purse && !guarded(observer, 'policy', () => purse.withdraw(clock.now()))) return 'budget';
      return undefined;
    };

    return async (task, call) => {
      for (let n = 1; ; n++) {
        let value: Awaited<ReturnType<typeof task>> | undefined;
        let error: unknown;
        let threw = false;
        call.outcome = undefined; // if it does not get as far as a member, the last outcome is not this try's
        try {
          value = await next(task, call);
        } catch (thrown) {
          error = thrown;
          threw = true;
        }
        if (n === 1) deposit(call.pickedAt ?? clock.now());
        const failed = call.outcome === 'failure' ? call.record : undefined;
        if (failed !== undefined) {
          const reason = hindrance(call, n, threw, error);
          if (reason === undefined) {
            if (!threw) guarded(observer, 'classifier', () => classifier.discard?.(value));
            if (call.member !== undefined) call.tried = [...call.tried, call.member];
            const untried = guarded(observer, 'breaker', () => context.hasUntried(call, clock.now()));
            const longest = untried ? 0 : (guarded(observer, 'policy', () => backoff(n)) ?? 0);
            const delay = longest > 0 ? random() * longest : 0;
            tell(observer, 'retry', { call, attempt: n + 1, delay, failed });
            if (delay > 0) await sleep(clock, delay, call.signal);
            continue;
          }
          tell(observer, 'giveUp', { call, reason, failed });
        }
        if (threw) throw error;
        return value as Awaited<ReturnType<typeof task>>;
      }
    };
  };
}

const upTo1000 = (n: number): number => Math.min(1000, 12.5 * 2 ** n);
