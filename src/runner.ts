import { Chain, type Link } from './base/chain.ts';
import { bad } from './base/errors.ts';
import type { FailureKind } from './base/failure-kind.ts';
import { rejected, rejection } from './base/rejection.ts';
import type { AbortListener } from './base/signal.ts';
import type { Call, Task } from './model/call.ts';
import type { Endpoint } from './model/endpoint.ts';
import type { Attempt, Site } from './model/member.ts';
import { blame, guarded } from './model/observer.ts';
import { type Classifier, kindBy, type Outcome } from './model/outcome.ts';

/** Runs tasks at members that have been picked, and has the members learn from how they end. */
export class Runner {
  readonly #site: Site;
  readonly #classifier: Classifier;
  /** What runs and can be aborted. */
  readonly #races = new Chain<Race>();
  readonly #waiting = new Set<AbortListener>();
  #halted: Error | undefined;

  constructor(site: Site, classifier: Classifier) {
    this.#site = site;
    this.#classifier = classifier;
  }

  get halted(): boolean {
    return this.#halted !== undefined;
  }

  /** How many calls wait for their turn or their next attempt. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A call waits, until what this answers is called, and hears of it if all is halted before. */
  waits(listener: AbortListener): () => void {
    this.#waiting.add(listener);
    if (this.#halted !== undefined) void Promise.resolve().then(() => this.#awaitNothing());
    return () => this.#waiting.delete(listener);
  }

  /** Aborts what runs and can be aborted, which says nothing of the members, and who waits. */
  halt(reason: Error): void {
    this.#halted = reason;
    for (let race = this.#races.oldest; race !== undefined; race = this.#races.oldest) race.aborted(reason);
    this.#awaitNothing();
  }

  #awaitNothing(): void {
    for (const listener of this.#waiting)
      guarded(this.#site.observer, 'policy', () => listener.aborted(this.#halted));
  }

  /** Settles as the task does, or rejects as soon as the call is aborted, whether or not the task takes notice. */
  run<T>(task: Task<T>, call: Call, attempt: Attempt): Promise<T> {
    this.#site.clock.release?.();
    return call.abortable ? this.#race(task, call, attempt) : this.#watch(task, call, attempt);
  }

  #watch<T>(task: Task<T>, call: Call, attempt: Attempt): Promise<T> {
    return begun(task, attempt.member.endpoint, undefined, call).then(
      value => {
        this.#answered(attempt, call, value);
        return value;
      },
      error => {
        const outcome = this.#halted === undefined ? this.#judge('error', error) : 'ignored';
        this.#failed(attempt, call, error, outcome, false);
        return rejection(error);
      },
    );
  }

  #race<T>(task: Task<T>, call: Call, attempt: Attempt): Promise<T> {
    // The one controller of the attempt, unless the caller's signal will do.
    const controller = call.given === undefined ? new AbortController() : undefined;
    const race = new Race(this.#races, call);
    return new Promise<T>((resolve, reject) => {
      race.reject = reject;
      this.#races.add(race);
      call.listen(race);
      // Whoever was told of the attempt may have given it up, or closed the client.
      if (this.#halted !== undefined) return race.aborted(this.#halted);
      if (call.aborted) return race.aborted(call.reason);
      begun(task, attempt.member.endpoint, controller?.signal ?? call.given, call).then(
        value => {
          if (!race.over) race.end();
          else guarded(this.#site.observer, 'classifier', () => this.#classifier.discard?.(value));
          resolve(value);
        },
        error => {
          if (!race.over) race.end();
          reject(error);
        },
      );
    }).then(
      value => {
        this.#answered(attempt, call, value);
        if (controller !== undefined) this.#follow(call, controller, value);
        return value;
      },
      // Only here, and not as it is aborted: whoever hears of it is in the call's own asynchronous context.
      error => {
        const { aborted } = call;
        let outcome: Outcome;
        if (this.#halted !== undefined) outcome = 'ignored';
        else if (aborted) outcome = this.#onAbort(attempt, call);
        else outcome = this.#judge('error', error);
        if (aborted || this.#halted === error) controller?.abort(error);
        this.#failed(attempt, call, error, outcome, aborted);
        return rejection(error);
      },
    );
  }

  #answered(attempt: Attempt, call: Call, value: unknown): void {
    const { observer } = this.#site;
    const classifier = this.#classifier;
    const outcome = this.#judge('value', value);
    if (classifier.report !== undefined && value !== undefined && attempt.member.load.report !== undefined) {
      const report = guarded(observer, 'classifier', () => classifier.report!(value));
      if (report !== undefined) attempt.report(report);
    }
    this.#settle(attempt, call, outcome, undefined, value, 'answer');
  }

  #failed(attempt: Attempt, call: Call, error: unknown, outcome: Outcome, aborted: boolean): void {
    let kind: FailureKind | undefined;
    if (outcome === 'failure')
      kind = aborted ? 'timeout' : kindBy(this.#classifier, error, this.#site.observer);
    this.#settle(attempt, call, outcome, error, undefined, kind);
  }

  #settle(
    attempt: Attempt,
    call: Call,
    outcome: Outcome,
    error: unknown,
    value: unknown,
    kind: FailureKind | undefined,
  ): void {
    const classifier = this.#classifier;
    if (outcome === 'failure' && classifier.retryAfter !== undefined)
      attempt.retryAfter = guarded(this.#site.observer, 'classifier', () =>
        classifier.retryAfter!(error ?? value),
      );
    attempt.end(outcome, error, kind);
    const elapsed = attempt.elapsed!;
    const endedAt = attempt.startedAt + elapsed;
    if (outcome === 'success') call.ended(outcome, endedAt);
    else
      call.ended(outcome, endedAt, {
        endpoint: attempt.endpoint.id,
        outcome,
        kind: attempt.kind,
        elapsed,
        error,
        value,
      });
  }

  /** What is still to come of an answer goes on listening to the caller, whose signal the task was not given itself. */
  #follow(call: Call, controller: AbortController, value: unknown): void {
    const classifier = this.#classifier;
    const signal = classifier.arriving && call.outermost;
    if (signal === undefined) return;
    guarded(this.#site.observer, 'classifier', () => {
      const arriving = classifier.arriving!(value);
      if (arriving) call.relayWhile(arriving, signal, controller);
    });
  }

  /** Whoever aborted it knows what that says of the member; if nobody does, it was the caller, and says nothing. */
  #onAbort({ startedAt }: Attempt, call: Call): Outcome {
    const elapsed = this.#site.clock.now() - startedAt;
    let outcome: Outcome | undefined;
    for (let part: Call | undefined = call; part !== undefined && outcome === undefined; part = part.whole)
      outcome = part.judge?.verdict(elapsed, call.reason);
    return outcome ?? 'ignored';
  }

  #judge(what: 'value' | 'error', result: unknown): Outcome {
    try {
      const outcome = this.#classifier[what](result);
      if (outcome === 'success' || outcome === 'failure' || outcome === 'ignored') return outcome;
      throw bad(`the classifier's outcome`, outcome, `'success', 'failure' or 'ignored'`);
    } catch (error) {
      blame(this.#site.observer, 'classifier', error);
      return 'ignored';
    }
  }
}

/** Between a task and an abort of its call. */
class Race implements AbortListener, Link<Race> {
  older: Race | undefined;
  newer: Race | undefined;
  over = false;
  reject!: (reason: unknown) => void;
  readonly #races: Chain<Race>;
  readonly #call: Call;

  constructor(races: Chain<Race>, call: Call) {
    this.#races = races;
    this.#call = call;
  }

  end(): void {
    this.over = true;
    this.#races.remove(this);
    this.#call.unlisten(this);
  }

  aborted(reason: unknown): void {
    this.end();
    this.reject(reason);
  }
}

/** What a task gives, as a promise, even if it throws. */
function begun<T>(
  task: Task<T>,
  endpoint: Endpoint,
  signal: AbortSignal | undefined,
  call: Call,
): Promise<T> {
  try {
    return Promise.resolve(task(endpoint, signal, call));
  } catch (error) {
    return rejected(error);
  }
}
