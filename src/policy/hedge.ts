import { checkFunction, checkNumber } from '../base/errors.ts';
import { Histogram } from '../base/histogram.ts';
import { listen, onAbort, relay, relayWhile } from '../base/signal.ts';
import { type Call, partOf, type Run, type Task } from '../model/call.ts';
import { guarded, tell } from '../model/observer.ts';
import type { Policy, PolicyContext } from './policy.ts';
import { promised } from './promised.ts';
import { purseOf } from './purse.ts';
import { type RetryBudget, retryBudget } from './retry-budget.ts';

export interface HedgeOptions {
  /** After how many ms without an answer another member is tried as well. Default: a percentile of what was observed. */
  readonly delay?: number | undefined;
  /** Which percentile, as a share. Default: 1 - `ratio`, so that about as many calls are late as may be hedged. */
  readonly percentile?: number;
  /** Members tried side by side at most, the first included. Default: 2. */
  readonly attempts?: number;
  /** Hedges per call, over the last 10 s. Default: 0.02. */
  readonly ratio?: number;
  /** What hedges draw on besides. Default: the budget of the client's `retry`. `false`: nothing. */
  readonly budget?: RetryBudget | false;
}

/** Over how many ms latencies are observed. As Finagle's backup requests have it. */
const OBSERVED = 30_000;
/** With fewer calls observed a percentile says nothing, and nothing is hedged. */
const ENOUGH = 100;
/** How many observations may pass before the percentile is worked out again. */
const STALE = 64;

/** Node warns of a leak where a signal has more than ten listeners. */
const FEW = 8;

/** Why an attempt was aborted: another has answered first. */
class Beaten extends Error {
  override readonly name = 'Beaten';
}

/**
 * When an attempt is late, tries another member as well and takes the first success (Dean and Barroso, The Tail at
 * Scale, CACM 56(2), 2013). The others are aborted, count neither as success nor as failure, and their time is
 * observed all the same, as far as it went. Only where a task may be repeated, only while an untried member is
 * available, and only as far as both budgets go. Inside `retry`, outside a `timeout` for each attempt.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function hedge(options: HedgeOptions = {}): Policy {
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
    const observe = (elapsed: number): void => {
      if (delay !== undefined) return;
      since++;
      observed.add(elapsed, context.clock.now());
    };
    const affords = (now: number): boolean => {
      if (!own.withdraw(now)) return false;
      return purse === false || guarded(context.observer, 'policy', () => purse.withdraw(now)) === true;
    };
    const deposit = (now: number): void => {
      own.deposit(now);
      if (shared !== undefined && !shared.fed) shared.budget.deposit(now);
    };

    /** An attempt that goes on by itself: without a rival it needs no signal of its own. */
    const alone = <T>(task: Task<T>, call: Call, now: number): Promise<T> => {
      const running = next(task, call);
      if (delay !== undefined) return running;
      return running.then(value => {
        if (call.outcome === 'success') observe(context.clock.now() - now);
        return value;
      });
    };

    return (task, call) => {
      const now = context.clock.now();
      deposit(now);
      const wait = call.repeatable === true ? lateness(now) : Number.POSITIVE_INFINITY;
      return wait === Number.POSITIVE_INFINITY
        ? alone(task, call, now)
        : race(next, context, task, call, { wait, attempts, affords, observe });
    };
  };
}

interface Rules {
  readonly wait: number;
  readonly attempts: number;
  affords(now: number): boolean;
  observe(elapsed: number): void;
}

interface Runner {
  readonly part: Call;
  readonly controller: AbortController;
  readonly startedAt: number;
  readonly leave: (() => void) | undefined;
}

/** One call's attempts, side by side. Settles as the first success, or else as the last of them to fail. */
function race<T>(
  next: Run,
  { clock, classifier, observer, hasUntried }: PolicyContext,
  task: Task<T>,
  call: Call,
  { wait, attempts, affords, observe }: Rules,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (call.signal?.aborted) return reject(call.signal.reason);
    const running = new Set<Runner>();
    let started = 0;
    let decided = false;
    let cancel = (): void => {};

    const decide = (winner: Call): void => {
      decided = true;
      cancel();
      const now = clock.now();
      for (const { part, controller, startedAt } of running) {
        // It would have taken longer still: what is left out would make everybody look faster than they are.
        observe(now - startedAt);
        part.beaten = true; // it ends before anybody outside hears of the winner
        controller.abort(new Beaten());
      }
      winner.won();
    };
    const ended = (runner: Runner): void => {
      running.delete(runner);
      runner.leave?.();
    };
    const hedgeLater = (): void => {
      if (started >= attempts) return;
      cancel = clock.after(wait, () => {
        const now = clock.now();
        // Whoever comes next goes elsewhere.
        for (const { part } of running) part.avoid();
        const untried = guarded(observer, 'breaker', () => hasUntried(call, now));
        if (decided || call.signal?.aborted || !untried || !affords(now)) return;
        tell(observer, 'hedge', { call, attempt: started + 1, delay: wait });
        start();
      });
    };
    const start = (): void => {
      started++;
      const outer = call.signal;
      const controller = new AbortController();
      const part = partOf(call, controller.signal, (_, reason) =>
        reason instanceof Beaten ? 'ignored' : undefined,
      );
      const startedAt = clock.now();
      const leave =
        outer &&
        relay(
          outer,
          controller,
          reason => {
            decided = true;
            cancel();
            reject(reason);
          },
          call.whole === undefined || attempts > FEW ? onAbort : listen,
        );
      const runner: Runner = { part, controller, startedAt, leave };
      running.add(runner);
      hedgeLater();
      promised(next, task, part).then(
        value => {
          ended(runner);
          if (decided) return void guarded(observer, 'classifier', () => classifier.discard?.(value));
          const failed = part.outcome === 'failure';
          if (failed && running.size > 0) {
            part.avoid();
            return void guarded(observer, 'classifier', () => classifier.discard?.(value));
          }
          if (part.outcome === 'success') observe(clock.now() - startedAt);
          decide(part);
          if (call.signal !== undefined && classifier.arriving !== undefined) {
            // What is still to come goes on listening to the caller.
            guarded(observer, 'classifier', () => {
              const arriving = classifier.arriving?.(value);
              if (arriving) relayWhile(arriving, call.signal!, runner.controller);
            });
          }
          resolve(value);
        },
        error => {
          ended(runner);
          if (decided) return;
          // Whoever comes after the last of them goes elsewhere, too.
          if (running.size > 0) return part.avoid();
          decide(part);
          reject(error);
        },
      );
    };
    start();
  });
}
