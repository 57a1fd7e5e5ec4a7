import { type AttemptRecord, checkFunction, checkNumber } from '../base/errors.ts';
import { sleep } from '../base/signal.ts';
import type { Call, Task } from '../model/call.ts';
import { blame, type GiveUpReason, guarded, tell } from '../model/observer.ts';
import type { Policy } from './policy.ts';
import { purseOf } from './purse.ts';
import type { RetryBudget } from './retry-budget.ts';
import { isUnsent } from './unsent.ts';

export interface RetryOptions {
  /** Tries in all, the first included. Default: 3. */
  readonly attempts?: number;
  /**
   * The longest wait before retry n, counted from 1, in ms; the wait is drawn from [0, that). There is no wait
   * while a member is available that the call has not tried. Default: 25, 50, 100 and so on up to 1000.
   */
  readonly backoff?: (n: number) => number;
  /** Default: `retryBudget()`, one for each client, which `hedge` draws on, too. `false`: no bound, for those who know why. */
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
  if (budget !== undefined && budget !== false) {
    checkFunction('retry budget.deposit', budget?.deposit);
    checkFunction('retry budget.withdraw', budget.withdraw);
  }
  return (next, context) => {
    const { clock, random, classifier, observer } = context;
    const shared = budget === undefined ? purseOf(context) : undefined;
    if (shared !== undefined) shared.fed = true;
    const purse = budget === undefined ? shared!.budget : budget;

    const deposit = (now: number): void => {
      try {
        if (purse) purse.deposit(now);
      } catch (thrown) {
        blame(observer, 'policy', thrown);
      }
    };
    /** The failure of run n, if it failed. */
    const ended = (call: Call, n: number): AttemptRecord | undefined => {
      const failed = call.outcome === 'failure' ? call.record : undefined;
      // A call may take longer to fail than the budget looks back: it pays for its retry when that is due.
      if (n === 1) deposit(failed === undefined ? (call.pickedAt ?? clock.now()) : clock.now());
      return failed;
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

    /** What comes after run n of a call, which failed: another, or the end. */
    const settle = async <T>(
      task: Task<T>,
      call: Call,
      n: number,
      failed: AttemptRecord,
      threw: boolean,
      result: unknown,
    ): Promise<T> => {
      const reason = hindrance(call, n, threw, result);
      if (reason !== undefined) {
        tell(observer, 'giveUp', { call, reason, failed });
        if (threw) throw result;
        return result as T;
      }
      if (!threw) guarded(observer, 'classifier', () => classifier.discard?.(result));
      call.avoid();
      const untried = guarded(observer, 'breaker', () => context.hasUntried(call, clock.now()));
      const longest = untried ? 0 : (guarded(observer, 'policy', () => backoff(n)) ?? 0);
      const delay = longest > 0 ? random() * longest : 0;
      tell(observer, 'retry', { call, attempt: n + 1, delay, failed });
      if (delay > 0) {
        context.waits?.(1);
        try {
          await sleep(clock, delay, call.signal);
        } finally {
          context.waits?.(-1);
        }
      }
      return run(task, call, n + 1);
    };

    // No async function: where the first run succeeds, that would be a third of all that a call allocates.
    const run = <T>(task: Task<T>, call: Call, n: number): Promise<T> => {
      call.outcome = undefined; // if it does not get as far as a member, the last outcome is not this try's
      let running: Promise<T>;
      try {
        running = Promise.resolve(next(task, call));
      } catch (error) {
        running = Promise.reject(error); // a policy inside that throws instead of rejecting
      }
      return running.then(
        value => {
          const failed = ended(call, n);
          return failed === undefined ? value : settle(task, call, n, failed, false, value);
        },
        error => {
          const failed = ended(call, n);
          if (failed === undefined) throw error;
          return settle(task, call, n, failed, true, error);
        },
      );
    };
    return (task, call) => run(task, call, 1);
  };
}

const upTo1000 = (n: number): number => Math.min(1000, 12.5 * 2 ** n);
