import { Abort, type Blamed } from '../base/abort.ts';
import { type AttemptRecord, bad } from '../base/errors.ts';
import { type AbortListener, enlist, unlist } from '../base/signal.ts';
import type { Endpoint } from './endpoint.ts';
import type { Member } from './member.ts';
import type { Outcome } from './outcome.ts';

export interface CallOptions {
  /** Calls with equal keys go to the same member, where the balancer hashes. */
  readonly key?: string | undefined;
  /** Gives the call up, with the signal's reason, whatever it is waiting for. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the task may be run again. Default: true. */
  readonly repeatable?: Repeatable | undefined;
}

/** Whether a task may be run again: yes; no; or only after an error that shows that nothing had been sent. */
export type Repeatable = boolean | 'unsent';

/**
 * How much a pick may settle for. Each round asks for less than the one before, so that every balancer retries
 * elsewhere, walks past open breakers, and fails open, without knowing of any of it.
 */
export const Acceptance = {
  /** Members not tried yet by this call whose breaker allows it. */
  untried: 0,
  /** Members whose breaker allows it. */
  available: 1,
  /** In panic: members not tried yet, whatever their breaker says. */
  untriedInPanic: 2,
  /** In panic: any member. */
  any: 3,
} as const;

/** The first round in panic, and the number of rounds. */
export const PANIC = 2;
export const ROUNDS = 4;

/** Whether a call may go to a member, as far as a balancer round another is concerned. Neither throws nor changes. */
export type Filter = (member: Member, call: Call, now: number) => boolean;

export type Acceptance = (typeof Acceptance)[keyof typeof Acceptance];

/** One call of the user, over all its attempts. */
export class Call {
  readonly key: string | undefined;
  repeatable: Repeatable;
  /** When its time is over, in monotonic ms, if ever. Who sets it, on a part, aborts the part then. */
  deadline: number | undefined;
  /** Members tried already, to be avoided while others will do. Replaced, never edited. */
  tried: readonly Member[] = NONE;
  /** The latest attempt's member, its outcome, and when it was picked, for policies and logs. */
  member: Member | undefined;
  outcome: Outcome | undefined;
  pickedAt: number | undefined;
  /** When the latest attempt to end did, in monotonic ms. */
  endedAt: number | undefined;
  /** The latest attempt, if it did not succeed. */
  record: AttemptRecord | undefined;
  /** How much the next pick may settle for: set by the pool. */
  acceptance: Acceptance = 0;
  /** A further condition, set by a balancer that wraps another while it asks that. */
  filter: Filter | undefined;
  /** The call this one is a part of: a policy that bounds a run gives it a part, which it may abort. */
  readonly whole: Call | undefined;
  /** Of a part: who may abort it, and then knows what that says of a member. */
  readonly judge: Judge | undefined;
  /** Another part of the whole has won: how this one ends is not how the whole does. */
  beaten = false;
  /** The signal it was given. */
  readonly given: AbortSignal | undefined;
  /** Of a part, instead. */
  readonly #abort: Abort | undefined;
  #attempts: AttemptRecord[] | undefined;
  #begun = 0;
  #admitted = false;

  /**
   * @throws TypeError if `key` is not a string, `signal` not an AbortSignal or `repeatable` not a `Repeatable`
   */
  constructor(options: CallOptions = NOTHING, whole?: Call, judge?: Judge, abort?: Abort) {
    const { key, signal, repeatable = true } = options;
    if (key !== undefined && typeof key !== 'string') throw bad('key', key, 'a string');
    if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
      throw bad('signal', signal, 'an AbortSignal');
    }
    if (typeof repeatable !== 'boolean' && repeatable !== 'unsent') {
      throw bad('repeatable', repeatable, `true, false or 'unsent'`);
    }
    this.key = key;
    this.given = signal;
    this.repeatable = repeatable;
    this.whole = whole;
    this.judge = judge;
    this.#abort = abort;
  }

  /** Aborts when the call is given up. A part has one as soon as it is asked for; `listen` and `aborted` take less. */
  get signal(): AbortSignal | undefined {
    return this.#abort === undefined ? this.given : this.#abort.controller.signal;
  }

  /** Whether it may be given up. */
  get abortable(): boolean {
    return this.#abort !== undefined || this.given !== undefined;
  }

  get aborted(): boolean {
    return this.#abort === undefined ? this.given?.aborted === true : this.#abort.aborted;
  }

  /** Why it was given up, if it was. */
  get reason(): unknown {
    return this.#abort === undefined ? this.given?.reason : this.#abort.reason;
  }

  /** Gives a part up. */
  abort(reason: unknown): void {
    this.#abort?.abort(reason);
  }

  /** Tells the listener once when the call is given up. Without effect if it never can be, or was. */
  listen(listener: AbortListener): void {
    if (this.#abort !== undefined) this.#abort.listen(listener);
    else if (this.given !== undefined) enlist(this.given, listener);
  }

  unlisten(listener: AbortListener): void {
    if (this.#abort !== undefined) this.#abort.unlisten(listener);
    else if (this.given !== undefined) unlist(this.given, listener);
  }

  /** Whether a picker may answer this member. */
  accepts(member: Member, now: number): boolean {
    // Short, so that it is inlined wherever members are looked at.
    return (
      (member.doubts === 0 && this.filter === undefined && this.tried === NONE) || this.#admits(member, now)
    );
  }

  #admits(member: Member, now: number): boolean {
    const { acceptance } = this;
    if (member.doubts !== 0 && !(member.free && (acceptance >= PANIC || member.available(now)))) return false;
    if (this.filter !== undefined && !this.filter(member, this, now)) return false;
    return this.tried === NONE || acceptance % 2 === 1 || !this.tried.includes(member);
  }

  /** The caller's signal, of the call itself or of the nearest whole that was given one. */
  get outermost(): AbortSignal | undefined {
    let call: Call | undefined = this;
    while (call !== undefined && call.given === undefined) call = call.whole;
    return call?.given;
  }

  /** Used by the pool, for a part's attempt: aborts its controller when the signal aborts, as long as `holder` is in use. */
  relayWhile(holder: object, signal: AbortSignal, to: AbortController): void {
    this.#abort?.relayWhile(holder, signal, to);
  }

  /** Counts the latest attempt's member among those tried, for the whole call. */
  avoid(): void {
    const { member } = this;
    if (member === undefined) return;
    for (let call: Call | undefined = this; call !== undefined; call = call.whole) {
      call.tried = [...call.tried, member];
    }
  }

  /** The attempts of the whole call that did not succeed, in order. Grows as the call goes on. */
  get attempts(): readonly AttemptRecord[] {
    if (this.whole !== undefined) return this.whole.attempts;
    this.#attempts ??= [];
    return this.#attempts;
  }

  /** How many attempts of the whole call have begun: for a task that begins, the number of its own, from 1. */
  get attempt(): number {
    return this.whole === undefined ? this.#begun : this.whole.attempt;
  }

  /** Whether it is under way, as a whole: then it goes on to its end when the client is closed. */
  get admitted(): boolean {
    return this.whole === undefined ? this.#admitted || this.#begun > 0 : this.whole.admitted;
  }

  /** Used by the client: it may wait for its turn before its first attempt. */
  admit(): void {
    this.#admitted = true;
  }

  /** Used by the pool. */
  began(member: Member, now: number): void {
    for (let call: Call | undefined = this; call !== undefined; call = call.whole) {
      call.member = member;
      call.outcome = call.endedAt = undefined;
      call.pickedAt = now;
      call.#begun++;
    }
  }

  /** Used by the pool. `record` tells of an attempt that did not succeed. */
  ended(outcome: Outcome, now: number, record?: AttemptRecord): void {
    for (let call: Call | undefined = this; call !== undefined; call = call.beaten ? undefined : call.whole) {
      call.outcome = outcome;
      call.endedAt = now;
      call.record = record;
    }
    if (record !== undefined) (this.attempts as AttemptRecord[]).push(record);
  }

  /** For policies that run parts side by side: the whole's latest attempt is this part's, whatever began after it. */
  won(): void {
    const { member, outcome, pickedAt, endedAt, record } = this;
    for (let call: Call | undefined = this.whole; call !== undefined; call = call.whole) {
      call.member = member;
      call.outcome = outcome;
      call.pickedAt = pickedAt;
      call.endedAt = endedAt;
      call.record = record;
    }
  }
}

const NONE: readonly Member[] = [];
const NOTHING: CallOptions = {};

/** Who may abort a part of a call. */
export interface Judge extends Blamed {
  /**
   * What an aborted attempt says of its member, given how long it ran, in ms, and the reason. Nothing if the abort was not
   * this one's doing.
   */
  verdict(elapsed: number, reason: unknown): Outcome | undefined;
}

/**
 * A part of a call, to be aborted by itself, with a deadline if it has one before the whole's. What it tries and learns is
 * the whole's, too. Who makes it listens to the whole, and hands on an abort.
 */
export function partOf(whole: Call, judge: Judge, deadline?: number): Call {
  const part = new Call({ key: whole.key, repeatable: whole.repeatable }, whole, judge, new Abort(judge));
  part.tried = whole.tried;
  part.deadline = deadline === undefined || whole.deadline! < deadline ? whole.deadline : deadline;
  return part;
}

/**
 * What the user wants done at whichever endpoint is picked; run again for each retry. `call` tells of the attempt as it
 * begins: its number, and by when it must be over.
 */
export type Task<T> = (endpoint: Endpoint, signal: AbortSignal | undefined, call: Call) => PromiseLike<T>;

/** Runs a task. The pool is one, and so is every policy around it. */
export interface Run {
  <T>(task: Task<T>, call: Call): Promise<T>;
  /** Whether it rejects as soon as the call is aborted, whatever the task does. */
  prompt?: boolean | undefined;
}

/** The same run, which rejects as soon as the call is aborted, or does so if another does. */
export function prompt(run: Run, as?: Run): Run {
  run.prompt = as === undefined || as.prompt;
  return run;
}
