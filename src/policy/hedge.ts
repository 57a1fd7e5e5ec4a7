import { Deadlines, type Waiting } from '../base/deadlines.ts';
import { checkFunction, checkNumber } from '../base/errors.ts';
import { Histogram } from '../base/histogram.ts';
import { checkOptions } from '../base/options.ts';
import { rejection } from '../base/rejection.ts';
import type { AbortListener } from '../base/signal.ts';
import { type Call, type Judge, partOf, prompt, type Run, type Task } from '../model/call.ts';
import { guarded, tell } from '../model/observer.ts';
import type { Policy, PolicyContext } from './policy.ts';
import { promised } from './promised.ts';
import { promptly } from './prompt.ts';
import { purseOf } from './purse.ts';
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

/** What the races of one client have in common. */
interface Hedging {
  readonly next: Run;
  readonly context: PolicyContext;
  readonly deadlines: Deadlines;
  /** How many may run side by side. */
  readonly most: number;
  observe(elapsed: number, now: number): void;
  affords(now: number): boolean;
}

/** An attempt that may have rivals. */
interface Runner {
  readonly part: Call;
  readonly startedAt: number;
  over: boolean;
}

const rivalry: Judge = { verdict: (_, reason) => (reason instanceof Beaten ? 'ignored' : undefined) };

/** One call's attempts, side by side. Settles as the first success, or else as the last of them to fail. */
class Race<T> implements AbortListener, Waiting {
  older: Waiting | undefined;
  newer: Waiting | undefined;
  until = Number.POSITIVE_INFINITY;
  cancel: (() => void) | undefined;
  readonly #hedging: Hedging;
  readonly #task: Task<T>;
  readonly #call: Call;
  readonly #wait: number;
  readonly #runners: Runner[] = [];
  #running = 0;
  #decided = false;
  /** Ends the wait for the next hedge. */
  #wake: (() => void) | undefined;
  /** How it ends, once there is more than one. */
  #end: End<T> | undefined;

  constructor(hedging: Hedging, task: Task<T>, call: Call, wait: number) {
    this.#hedging = hedging;
    this.#task = task;
    this.#call = call;
    this.#wait = wait;
    call.listen(this);
  }

  /** Most often there is but one attempt, and it is over before a second one is due. */
  run(now: number): Promise<T> {
    const runner = this.#start(now);
    return promised(this.#hedging.next, this.#task, runner.part).then(
      value => {
        this.#succeeded(runner, value);
        if (this.#end !== undefined) return this.#end.promise;
        if (this.#call.aborted) return rejection(this.#call.reason);
        return value;
      },
      error => {
        this.#failed(runner, error);
        if (this.#end !== undefined) return this.#end.promise;
        return rejection(this.#call.aborted ? this.#call.reason : error);
      },
    );
  }

  /** The call is given up. */
  aborted(reason: unknown): void {
    this.#decide();
    for (const { part, over } of this.#runners) if (!over) part.abort(reason);
    this.#end?.reject(reason);
  }

  due(): void {
    this.#wake!();
  }

  #start(now: number): Runner {
    const runner: Runner = { part: partOf(this.#call, rivalry), startedAt: now, over: false };
    this.#running++;
    if (this.#runners.push(runner) < this.#hedging.most) {
      // Its timer serves other calls, too: by a promise the hedge begins in the asynchronous context of its own.
      const due = new Promise<void>(wake => {
        this.#wake = wake;
      });
      void due.then(() => this.#hedge());
      this.#hedging.deadlines.join(this, this.#wait, now);
    }
    return runner;
  }

  #hedge(): void {
    const { next, context, affords } = this.#hedging;
    const { clock, observer, hasUntried } = context;
    const call = this.#call;
    if (this.#decided) return;
    const now = clock.now();
    // Whoever comes next goes elsewhere.
    for (const { part, over } of this.#runners) if (!over) part.avoid();
    const untried = guarded(observer, 'breaker', () => hasUntried(call, now));
    if (this.#decided || call.aborted || !untried || !affords(now)) return;
    tell(observer, 'hedge', { call, attempt: this.#runners.length + 1, delay: this.#wait });
    this.#end ??= new End();
    const runner = this.#start(now);
    promised(next, this.#task, runner.part).then(
      value => this.#succeeded(runner, value),
      error => this.#failed(runner, error),
    );
  }

  #succeeded(runner: Runner, value: T): void {
    const { part, startedAt } = runner;
    const { context, observe } = this.#hedging;
    this.#leave(runner);
    const failed = part.outcome === 'failure';
    if (this.#decided || (failed && this.#running > 0)) {
      if (!this.#decided) part.avoid();
      const { classifier, observer } = context;
      guarded(observer, 'classifier', () => classifier.discard?.(value));
      return;
    }
    if (part.outcome === 'success') observe(part.endedAt! - startedAt, part.endedAt!);
    this.#win(part);
    this.#end?.resolve(value);
  }

  #failed(runner: Runner, error: unknown): void {
    this.#leave(runner);
    if (this.#decided) return;
    // Whoever comes after the last of them goes elsewhere, too.
    if (this.#running > 0) {
      runner.part.avoid();
      return;
    }
    this.#win(runner.part);
    this.#end?.reject(error);
  }

  #leave(runner: Runner): void {
    runner.over = true;
    this.#running--;
  }

  #win(winner: Call): void {
    this.#decide();
    if (this.#running > 0) {
      const now = this.#hedging.context.clock.now();
      const beaten = new Beaten();
      for (const { part, startedAt, over } of this.#runners) {
        if (over) continue;
        // It would have taken longer still: what is left out would make everybody look faster than they are.
        this.#hedging.observe(now - startedAt, now);
        part.beaten = true; // it ends before anybody outside hears of the winner
        part.abort(beaten);
      }
    }
    winner.won();
  }

  #decide(): void {
    this.#decided = true;
    this.#hedging.deadlines.leave(this);
    this.#call.unlisten(this);
  }
}

/** A promise and how to settle it. */
class End<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(() => {}); // it may be a moment before the first attempt is over and asks for it
  }
}
