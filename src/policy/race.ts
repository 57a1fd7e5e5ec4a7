import type { Deadlines, Waiting } from '../base/deadlines.ts';
import { rejection } from '../base/rejection.ts';
import type { AbortListener } from '../base/signal.ts';
import { type Call, type Judge, partOf, type Run, type Task } from '../model/call.ts';
import { blame, guarded, type Observer, tell } from '../model/observer.ts';
import type { PolicyContext } from './policy.ts';
import { promised } from './promised.ts';

/** What the races of one client have in common. */
export interface Hedging {
  readonly next: Run;
  readonly context: PolicyContext;
  readonly deadlines: Deadlines;
  readonly judge: Judge;
  /** How many may run side by side. */
  readonly most: number;
  observe(elapsed: number, now: number): void;
  affords(now: number): boolean;
}

/** Why an attempt was aborted: another has answered first. */
class Beaten extends Error {
  override readonly name = 'Beaten';
}

/** An attempt that may have rivals. */
interface Runner {
  readonly part: Call;
  readonly startedAt: number;
  over: boolean;
}

/** Who aborts the attempts of a race. */
export function rivalry(observer: Observer | undefined): Judge {
  return {
    verdict: (_, reason) => (reason instanceof Beaten ? 'ignored' : undefined),
    blame: error => blame(observer, 'policy', error),
  };
}

/** One call's attempts, side by side. Settles as the first success, or else as the last of them to fail. */
export class Race<T> implements AbortListener, Waiting {
  older: Waiting | undefined;
  newer: Waiting | undefined;
  until: number = Number.POSITIVE_INFINITY;
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
    const runner: Runner = { part: partOf(this.#call, this.#hedging.judge), startedAt: now, over: false };
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
    if (this.#decided || call.aborted || !untried || !affords(now) || this.#decided) return;
    tell(observer, 'hedge', { call, attempt: this.#runners.length + 1, delay: this.#wait });
    if (this.#decided) return; // whoever was told has given it up
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
