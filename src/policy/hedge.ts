import { Deadlines } from '../base/deadlines.ts';
import { checkFunction, checkNumber } from '../base/errors.ts';
import { Histogram } from '../base/histogram.ts';
import { checkOptions } from '../base/options.ts';
import { type Call, prompt, type Task } from '../model/call.ts';
import { guarded } from '../model/observer.ts';
import type { Policy } from './policy.ts';
import { promptly } from './prompt.ts';
import { purseOf } from './purse.ts';
import { type Hedging, Race, rivalry } from './race.ts';
import { type RetryBudget, retryBudget } from './retry-budget.ts';

export interface HedgeOptions {
  /** After how many ms without an answer another member is tried as well. Default: a percentile of what was observed. */
  readonly delay?: number | undefined;
  /** Which percentile, as a share. Default: 1 - `ratio`, so that about as many calls are late as may be hedged. */
  readonly percentile?: number | undefined;
  /** Members tried side by side at most, the first included. Default: 2. */
  readonly attempts?: number | undefined;
  /** Hedges per call, over the last 10 s. Default: 0.02. */
  readonly ratio?: number | undefined;
  /** What hedges draw on besides. Default: the budget of the client's `retry`. `false`: nothing. */
  readonly budget?: RetryBudget | false | undefined;
}

/** Over how many ms latencies are observed. As Finagle's backup requests have it. */
const OBSERVED = 30_000;
/** With fewer calls observed a percentile says nothing, and nothing is hedged. */
const ENOUGH = 100;
/** How many observations may pass before the percentile is worked out again. */
const STALE = 64;

/**
 * When an attempt is late, tries another member as well and takes the first success (Dean and Barroso, The Tail at
 * Scale, CACM 56(2), 2013). The others are aborted, count neither as success nor as failure, and their time is
 * observed all the same, as far as it went. Only where a task may be repeated, only while an untried member is
 * available, and only as far as both budgets go. Inside `retry`, outside a `timeout` for each attempt.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function hedge(options: HedgeOptions = {}): Policy {
  checkOptions('hedge', options, { delay: 1, percentile: 1, attempts: 1, ratio: 1, budget: 1 });
  const { delay, attempts = 2, ratio = 0.02, budget } = options;
  checkNumber('hedge ratio', ratio, 0, 100);
  const { percentile = Math.max(0, 1 - ratio) } = options;
  if (delay !== undefined) checkNumber('hedge delay', delay, 0);
  checkNumber('hedge percentile', percentile, 0, 1);
  checkNumber('hedge attempts', attempts, 2, 100, true);
  if (budget !== undefined && budget !== false) {
    checkFunction('hedge budget.deposit', budget?.deposit);
    checkFunction('hedge budget.withdraw', budget.withdraw);
  }
  return (next, context) => {
    const { clock } = context;
    const own = retryBudget({ ratio, minPerSecond: 0 });
    const shared = budget === undefined ? purseOf(context) : undefined;
    const purse = budget === undefined ? shared!.budget : budget;
    const observed = new Histogram(OBSERVED);
    let late = Number.POSITIVE_INFINITY;
    let since = STALE;

    const lateness = (now: number): number => {
      if (delay !== undefined) return delay;
      if (since >= STALE) {
        since = 0;
        late = observed.count(now) < ENOUGH ? Number.POSITIVE_INFINITY : observed.quantile(percentile, now);
      }
      return late;
    };
    const deposit = (now: number): void => {
      own.deposit(now);
      if (shared !== undefined && !shared.fed) shared.budget.deposit(now);
    };
    const hedging: Hedging = {
      next: promptly(next, context),
      context,
      deadlines: new Deadlines(clock),
      judge: rivalry(context.observer),
      most: attempts,
      observe(elapsed, now) {
        if (delay !== undefined) return;
        since++;
        observed.add(elapsed, now);
      },
      affords(now) {
        if (!own.withdraw(now)) return false;
        return purse === false || guarded(context.observer, 'policy', () => purse.withdraw(now)) === true;
      },
    };

    /** An attempt that goes on by itself: without a rival it need not be a part. */
    const alone = <T>(task: Task<T>, call: Call, now: number): Promise<T> => {
      const running = hedging.next(task, call);
      if (delay !== undefined) return running;
      return running.then(value => {
        if (call.outcome === 'success') hedging.observe(call.endedAt! - now, call.endedAt!);
        return value;
      });
    };

    return prompt((task, call) => {
      const now = clock.now();
      deposit(now);
      const wait = call.repeatable === true ? lateness(now) : Number.POSITIVE_INFINITY;
      if (wait === Number.POSITIVE_INFINITY) return alone(task, call, now);
      return call.aborted ? Promise.reject(call.reason) : new Race(hedging, task, call, wait).run(now);
    });
  };
}
