import type { Balancer, Picker } from './balancer/balancer.ts';
import { below, type Env, inBackground, systemEnv } from './base/env.ts';
import { bad, checkFunction, checkNumber, FairleadError } from './base/errors.ts';
import { abortable } from './base/signal.ts';
import type { Discovery } from './discovery/discovery.ts';
import { sameEndpoint } from './discovery/endpoints.ts';
import { checkFollow, type FollowOptions, follow } from './discovery/follow.ts';
import { alwaysClosed, type BreakerState, type MakeBreaker } from './model/breaker.ts';
import { Acceptance, type Call, type Run, type Task } from './model/call.ts';
import type { Endpoint } from './model/endpoint.ts';
import { noLoad } from './model/load.ts';
import { type Attempt, Member, type Site } from './model/member.ts';
import { blame, guarded, type Observer, tell } from './model/observer.ts';
import { anyError, type Classifier, type Outcome } from './model/outcome.ts';

export interface PoolOptions {
  /** Where the endpoints come from. */
  readonly discovery: Discovery;
  readonly balancer: Balancer;
  /** What takes a failing member out for a while. Default: nothing does. */
  readonly breaker?: MakeBreaker | false | undefined;
  /** What counts as a failure. Default: any error, and no value. */
  readonly classifier?: Classifier;
  /** When every breaker refuses: call a member all the same (`true`, the default), or fail at once. */
  readonly panic?: boolean;
  /** How long a call waits for discovery's first set, in ms. Default: 10 000. */
  readonly readyTimeout?: number;
  /** How discovery is supervised. */
  readonly follow?: FollowOptions;
  readonly observer?: Observer | undefined;
  readonly env?: Env;
}

/** A member as it is now, for people to look at. */
export interface MemberState {
  readonly endpoint: Endpoint;
  /** Whether it may be picked: not drained. */
  readonly active: boolean;
  readonly breaker: BreakerState;
  readonly inFlight: number;
  /** As its load has it; only comparison means anything. */
  readonly cost: number;
}

/** The members of one service, kept in step with discovery. */
export class Pool {
  readonly #env: Env;
  readonly #site: Site;
  readonly #balancer: Balancer;
  readonly #makeBreaker: MakeBreaker;
  readonly #classifier: Classifier;
  /** How many rounds a pick may take. */
  readonly #rounds: number;
  readonly #readyTimeout: number;
  readonly #stop = new AbortController();
  readonly #first: Promise<void>;
  #members: ReadonlyMap<string, Member> = new Map();
  #active: readonly Member[] = [];
  #picker: Picker | undefined;
  #discoveryError: unknown;

  /** @throws RangeError or TypeError that names the bad option */
  constructor(options: PoolOptions) {
    const { discovery, balancer, breaker = false } = options;
    const { classifier = anyError, panic = true, readyTimeout = 10_000, observer, env = systemEnv } = options;
    checkFunction('discovery', discovery);
    checkFunction('balancer.picker', balancer?.picker);
    if (balancer.load) checkFunction('balancer.load', balancer.load);
    if (breaker) checkFunction('breaker', breaker);
    checkFunction('classifier.value', classifier?.value);
    checkFunction('classifier.error', classifier.error);
    checkNumber('readyTimeout', readyTimeout, 0);
    if (typeof panic !== 'boolean') throw bad('panic', panic, 'true or false');
    const followed = checkFollow(options.follow);

    this.#env = env;
    this.#site = { clock: env.clock, observer };
    this.#balancer = balancer;
    this.#makeBreaker = breaker || (() => alwaysClosed);
    this.#classifier = classifier;
    this.#rounds = panic ? Acceptance.any + 1 : Acceptance.untriedInPanic;
    this.#readyTimeout = readyTimeout;
    this.#first = new Promise((resolve, reject) => {
      const { signal } = this.#stop;
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      void follow(
        discovery,
        inBackground(env),
        signal,
        {
          set: endpoints => {
            this.#update(endpoints);
            resolve();
          },
          error: error => {
            this.#discoveryError = error;
            tell(observer, 'discoveryError', error);
          },
        },
        followed,
      ).then(() => reject(this.#noEndpoints('discovery ended without giving a set'))); // no effect after a set
    });
    this.#first.catch(() => {}); // it is for whoever waits; nobody may be
  }

  /**
   * Resolves once discovery has given its first set.
   *
   * Rejects with a `FairleadError` `NO_ENDPOINTS` after `readyTimeout`, `CLOSED`, or the signal's reason.
   */
  ready(signal?: AbortSignal): Promise<void> {
    if (this.#picker !== undefined) return Promise.resolve();
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#env.clock.after(this.#readyTimeout, () =>
        reject(this.#noEndpoints(`discovery gave no set within ${this.#readyTimeout} ms`)),
      );
    });
    return abortable(Promise.race([this.#first, late]), signal).finally(cancel);
  }

  /** Who is in the set, drained ones included. */
  get size(): number {
    return this.#members.size;
  }

  /** Every member as it is now, sorted by id. */
  members(): readonly MemberState[] {
    const now = this.#env.clock.now();
    return [...this.#members.values()].map(({ endpoint, active, breaker, inFlight, load }) => ({
      endpoint,
      active,
      breaker: breaker.state,
      inFlight,
      cost: load.cost(now),
    }));
  }

  /**
   * Picks a member and begins an attempt at it, which the caller must end.
   *
   * @throws FairleadError NO_ENDPOINTS, NO_AVAILABLE_ENDPOINT or CLOSED
   */
  pick(call: Call): Attempt {
    const { clock, observer } = this.#site;
    const picker = this.#picker;
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
    if (picker === undefined) throw this.#noEndpoints('discovery has given no set yet');
    const now = clock.now();
    // Who has tried nobody need not be asked for the untried ones first.
    const step = call.tried.length === 0 ? 2 : 1;
    for (let round = step - 1; round < this.#rounds; round += step) {
      call.acceptance = round as Acceptance;
      const member = this.#choose(picker, call, now);
      if (member === undefined) continue;
      if (call.acceptance >= Acceptance.untriedInPanic) tell(observer, 'panic', member, call);
      call.began(member, now);
      const attempt = member.begin(this.#site, now);
      tell(observer, 'attempt', attempt, call);
      return attempt;
    }
    const { size } = this.#members;
    if (this.#active.length === 0) {
      throw this.#noEndpoints(size === 0 ? 'there is no endpoint' : `all ${size} endpoints are drained`);
    }
    throw new FairleadError(
      'NO_AVAILABLE_ENDPOINT',
      `none of ${this.#active.length} endpoints is available`,
      {
        attempts: call.attempts,
      },
    );
  }

  /** Runs the task at a picked endpoint and learns from how it ends. */
  readonly run: Run = (task, call) => {
    const { signal } = call;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#picker === undefined) return this.ready(signal).then(() => this.#attempt(task, call));
    return this.#attempt(task, call);
  };

  /** Whether a member is available that the call has not tried yet. */
  readonly hasUntried = (call: Call, now: number): boolean =>
    this.#active.some(member => !call.tried.includes(member) && member.breaker.allows(now));

  /** Stops following discovery and refuses new calls. Those that run go on to their end. */
  close(): void {
    if (!this.#stop.signal.aborted) this.#stop.abort(new FairleadError('CLOSED', 'the client is closed'));
  }

  async #attempt<T>(task: Task<T>, call: Call): Promise<T> {
    const attempt = this.pick(call);
    const { signal } = call;
    const { endpoint } = attempt.member;
    let value: T;
    try {
      value = await (signal === undefined ? task(endpoint, undefined) : this.#race(task, endpoint, signal));
    } catch (error) {
      const outcome = signal?.aborted
        ? this.#onAbort(attempt, call, signal.reason)
        : this.#judge('error', error);
      this.#settle(attempt, call, outcome, error);
      throw error;
    }
    this.#settle(attempt, call, this.#judge('value', value), undefined, value);
    return value;
  }

  #settle(attempt: Attempt, call: Call, outcome: Outcome, error?: unknown, value?: unknown): void {
    attempt.end(outcome, error);
    if (outcome === 'success') call.ended(outcome);
    else
      call.ended(outcome, {
        endpoint: attempt.endpoint.id,
        outcome,
        elapsed: attempt.elapsed!,
        error,
        value,
      });
  }

  /** Does not wait for a task that takes no notice of the signal; what it brings too late is let go of. */
  #race<T>(task: Task<T>, endpoint: Endpoint, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        signal.removeEventListener('abort', abort);
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort);
      let running: Promise<T>;
      try {
        running = Promise.resolve(task(endpoint, signal));
      } catch (error) {
        running = Promise.reject(error);
      }
      running.then(
        value => {
          signal.removeEventListener('abort', abort);
          if (signal.aborted)
            guarded(this.#site.observer, 'classifier', () => this.#classifier.discard?.(value));
          resolve(value);
        },
        error => {
          signal.removeEventListener('abort', abort);
          reject(error);
        },
      );
    });
  }

  /** A caller who gives up says nothing about the member; a time-out of ours does, if the member had a fair part of it. */
  #onAbort({ startedAt }: Attempt, call: Call, reason: unknown): Outcome {
    for (let part: Call | undefined = call; part !== undefined; part = part.whole) {
      if (part.late !== undefined && part.late === reason) {
        return (this.#env.clock.now() - startedAt) * 2 >= part.allowed ? 'failure' : 'ignored';
      }
    }
    return 'ignored';
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

  /** Asks the picker; if it is at fault, the first member from a random one that the call accepts. */
  #choose(picker: Picker, call: Call, now: number): Member | undefined {
    try {
      const member = picker(call, now);
      if (member === undefined || member.active === true) return member;
      throw bad(`the balancer's choice`, member, 'an active member of its set, or undefined');
    } catch (error) {
      blame(this.#site.observer, 'balancer', error);
    }
    const start = below(this.#env.random, this.#active.length);
    for (let i = 0; i < this.#active.length; i++) {
      const member = this.#active[(start + i) % this.#active.length]!;
      try {
        if (call.accepts(member, now)) return member;
      } catch {
        return member; // its breaker throws: that is no reason to refuse it
      }
    }
    return undefined;
  }

  /**
   * Takes a new set, keeping the members whose address stays with all they have learned. All or nothing: if the
   * balancer refuses the set, everything is as before.
   */
  #update(endpoints: readonly Endpoint[]): void {
    const previous = this.#members;
    const next = new Map<string, Member>();
    const undo: (() => void)[] = [];
    const added: Endpoint[] = [];
    const updated: Endpoint[] = [];
    let active: Member[] = [];
    let picker: Picker = () => undefined;
    try {
      for (const endpoint of endpoints) {
        let member = previous.get(endpoint.id);
        const known = member?.endpoint;
        if (known === undefined || known.host !== endpoint.host || known.port !== endpoint.port) {
          member = new Member(endpoint, this.#balancer.load?.() ?? noLoad, this.#makeBreaker(this.#env));
          added.push(endpoint);
        } else if (!sameEndpoint(known, endpoint)) {
          updated.push(endpoint);
          undo.push(() => member!.update(known));
          member!.update(endpoint);
        }
        next.set(endpoint.id, member!);
      }
      active = [...next.values()].filter(member => member.weight > 0);
      if (active.length > 0) picker = checkFunction('picker', this.#balancer.picker(active, this.#env));
    } catch (error) {
      for (const step of undo) step();
      blame(this.#site.observer, 'balancer', error);
      throw error;
    }
    const removed: Endpoint[] = [];
    for (const [id, member] of previous) {
      if (next.get(id) === member) continue;
      member.active = false;
      removed.push(member.endpoint);
    }
    for (const member of next.values()) member.active = member.weight > 0;
    this.#members = next;
    this.#active = active;
    this.#picker = picker;
    tell(this.#site.observer, 'members', { added, removed, updated, size: next.size });
  }

  #noEndpoints(message: string): FairleadError {
    return new FairleadError('NO_ENDPOINTS', message, { cause: this.#discoveryError });
  }
}
