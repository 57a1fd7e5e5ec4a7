import { type AttemptRecord, checkFunction, checkNumber } from '../base/errors.ts';
import { isUnsent } from '../base/failure-kind.ts';
import { Histogram } from '../base/histogram.ts';
import { checkOptions } from '../base/options.ts';
import { rejection } from '../base/rejection.ts';
import { type Call, prompt, type Task } from '../model/call.ts';
import { blame, type GiveUpReason, guarded, tell } from '../model/observer.ts';
import { gaveUp } from './give-up.ts';
import type { Policy } from './policy.ts';
import { promised } from './promised.ts';
import { purseOf } from './purse.ts';
import type { RetryBudget } from './retry-budget.ts';
import { waiting } from './waiting.ts';

export interface RetryOptions {
  /**
   * Tries in all, the first included. Default: 3. While a member is untried, those of which nothing was sent within a second,
   * such as refused connections, do not count, up to as many again.
   */
  readonly attempts?: number | undefined;
  /**
   * The longest wait before retry n, counted from 1, in ms; the wait is drawn from [0, that). There is no wait
   * while a member is available that the call has not tried. Default: 25, 50, 100 and so on up to 1000.
   */
  readonly backoff?: ((n: number) => number) | undefined;
  /** Default: `retryBudget()`, one for each client, which `hedge` draws on, too. `false`: no bound, for those who know why. */
  readonly budget?: RetryBudget | false | undefined;
  /**
   * For how long a call without a deadline waits, in ms, when all members ask to be left alone. Default: 10 000. With a
   * deadline it waits if the time allows.
   */
  readonly maxRetryAfter?: number | undefined;
}

/** Over how many ms it is observed how long successes take. */
const OBSERVED = 30_000;
/** With fewer observed nothing is known. The median of 30 is below the 67th percentile in 98 of 100 cases. */
const ENOUGH = 30;

/** A connection that was refused is known to be within so many ms; one that came to nothing takes far longer. */
const QUICK = 1000;

/**
 * Tries a failed call again, at another member while there is one. Around a `timeout` it repeats what timed out;
 * inside one, all its tries and waits share that time. Never repeats what may not be repeated, nor for a caller
 * who has gone, nor where the answer forbids it; and none for which less time is left than half of the successes of late
 * took. When attempts or budget run out, the last result or error is the caller's, untouched: `giveUpReasonOf` says why
 * it was the last.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function retry(options: RetryOptions = {}): Policy {
  checkOptions('retry', options, { attempts: 1, backoff: 1, budget: 1, maxRetryAfter: 1 });
  const { attempts = 3, backoff = upTo1000, budget, maxRetryAfter = 10_000 } = options;
  checkNumber('retry attempts', attempts, 1, Number.POSITIVE_INFINITY);
  checkFunction('retry backoff', backoff);
  checkNumber('retry maxRetryAfter', maxRetryAfter, 0);
  if (budget !== undefined && budget !== false) {
    checkFunction('retry budget.deposit', budget?.deposit);
    checkFunction('retry budget.withdraw', budget.withdraw);
    if (budget.waits !== undefined) checkFunction('retry budget.waits', budget.waits);
  }
  return (next, context) => {
    const { clock, random, classifier, observer } = context;
    const shared = budget === undefined ? purseOf(context) : undefined;
    if (shared !== undefined) shared.fed = true;
    const purse = budget === undefined ? shared!.budget : budget;
    /** How long successes took, of calls that have a deadline. */
    const observed = new Histogram(OBSERVED);

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
    const observe = ({ endedAt = clock.now() }: Call, startedAt: number): void =>
      observed.add(endedAt - startedAt, endedAt);
    /** Nobody has heard of a try of which nothing was sent: gRPC's transparent retries (gRFC A6), but of bounded number. */
    const usedUp = (call: Call, n: number, unsent: number): boolean => {
      if (n < attempts) return false;
      if (attempts === 1 || n - unsent >= attempts || n >= 2 * attempts) return true;
      return !guarded(observer, 'breaker', () => context.hasUntried(call, clock.now()));
    };
    const hindrance = (
      call: Call,
      n: number,
      unsent: number,
      threw: boolean,
      result: unknown,
    ): GiveUpReason | undefined => {
      if (call.aborted) return 'aborted';
      if (call.repeatable !== true) {
        const safe = call.repeatable === 'unsent' && threw;
        if (!(safe && guarded(observer, 'classifier', () => (classifier.unsent ?? isUnsent)(result))))
          return 'not-repeatable';
      }
      if (usedUp(call, n, unsent)) return 'attempts';
      return (guarded(observer, 'classifier', () => classifier.retryAfter?.(result)) ?? 0) < 0
        ? 'pushback'
        : undefined;
    };
    /** How long to wait before the retry n: none while a member is untried, and none that is left alone is disturbed. */
    const waitBefore = (call: Call, n: number, now: number): Wait => {
      if (guarded(observer, 'breaker', () => context.hasUntried(call, now))) return AT_ONCE;
      const longest = guarded(observer, 'policy', () => backoff(n)) ?? 0;
      const drawn = longest > 0 ? random() * longest : 0;
      const rest = Math.max(0, call.member!.vitals.coolUntil - now);
      return { rest, delay: rest + drawn }; // the draw on top of it, lest all come back in the same moment
    };
    const misfit = (call: Call, { rest, delay }: Wait, now: number): GiveUpReason | undefined => {
      if (call.deadline === undefined) return rest > maxRetryAfter ? 'pushback' : undefined;
      const usual = observed.count(now) < ENOUGH ? 0 : observed.quantile(0.5, now);
      return now + delay + usual >= call.deadline ? 'deadline' : undefined;
    };

    const begin = <T>(task: Task<T>, call: Call): Promise<T> => {
      call.outcome = call.endedAt = undefined; // if it does not get as far as a member, the last outcome is not this try's
      return promised(next, task, call);
    };
    /** What comes after the first run of a call, which failed: others, up to the end. */
    const again = async <T>(
      task: Task<T>,
      call: Call,
      before: number,
      first: AttemptRecord,
      firstThrew: boolean,
      firstResult: unknown,
    ): Promise<T> => {
      let [failed, threw, result] = [first, firstThrew, firstResult];
      let unsent = 0;
      let begun = before;
      for (let n = 1; ; n++) {
        const now = clock.now();
        // With more than one attempt, the others may have been sent.
        if (failed.kind === 'connect' && failed.elapsed <= QUICK && call.attempt - begun === 1) unsent++;
        begun = call.attempt;
        call.avoid();
        let wait = AT_ONCE;
        let reason = hindrance(call, n, unsent, threw, result);
        if (reason === undefined) {
          wait = waitBefore(call, n, now);
          reason = misfit(call, wait, now);
        }
        if (reason === undefined && purse && !guarded(observer, 'policy', () => purse.withdraw(now)))
          reason = 'budget';
        if (reason !== undefined) {
          gaveUp(result, reason);
          tell(observer, 'giveUp', { call, reason, failed });
          break;
        }
        if (!threw) guarded(observer, 'classifier', () => classifier.discard?.(result));
        const { delay } = wait;
        tell(observer, 'retry', { call, attempt: n + 1, delay, failed });
        if (delay > 0) await pause(call, delay, now);
        const startedAt = clock.now();
        try {
          result = await begin(task, call);
          threw = false;
        } catch (error) {
          result = error;
          threw = true;
        }
        const last = ended(call, n + 1);
        if (last === undefined) {
          if (!threw && call.deadline !== undefined) observe(call, startedAt);
          break;
        }
        failed = last;
      }
      if (threw) throw result;
      return result as T;
    };
    const pause = (call: Call, delay: number, now: number): Promise<void> =>
      new Promise((resolve, reject) => {
        if (call.aborted) return reject(call.reason);
        const counts = (by: 1 | -1, at: number): void => {
          if (purse) guarded(observer, 'policy', () => purse.waits?.(by, at));
        };
        const cancel = clock.after(delay, () => {
          over();
          counts(-1, clock.now());
          resolve();
        });
        const over = waiting(call, context, reason => {
          cancel();
          counts(-1, clock.now());
          reject(reason);
        });
        counts(1, now);
      });

    // No async function: where the first run succeeds, that would be a third of all that a call allocates.
    const run = <T>(task: Task<T>, call: Call): Promise<T> => {
      const startedAt = call.deadline === undefined ? 0 : clock.now();
      const before = call.attempt;
      return begin(task, call).then(
        value => {
          const failed = ended(call, 1);
          if (failed !== undefined) return again(task, call, before, failed, false, value);
          if (call.deadline !== undefined) observe(call, startedAt);
          return value;
        },
        error => {
          const failed = ended(call, 1);
          if (failed === undefined) return rejection(error);
          return again(task, call, before, failed, true, error);
        },
      );
    };
    return prompt((task, call) => {
      const waiting = context.ready?.(call);
      return waiting === undefined ? run(task, call) : waiting.then(() => run(task, call));
    }, next);
  };
}

const upTo1000 = (n: number): number => Math.min(1000, 12.5 * 2 ** n);

/** In ms: how long all members ask to be left alone, and the wait with that. */
interface Wait {
  readonly rest: number;
  readonly delay: number;
}

const AT_ONCE: Wait = { rest: 0, delay: 0 };
