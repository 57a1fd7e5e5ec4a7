import type { Balancer, Picker } from './balancer/balancer.ts';
import { below, checkEnv, type Env, inBackground, systemEnv } from './base/env.ts';
import { bad, checkFunction, checkNumber, FairleadError } from './base/errors.ts';
import { refusal } from './base/refusal.ts';
import { rejected } from './base/rejection.ts';
import { type AbortListener, abortable, sleep } from './base/signal.ts';
import type { Discovery } from './discovery/discovery.ts';
import { sameEndpoint } from './discovery/endpoints.ts';
import { checkFollow, type FollowOptions, follow } from './discovery/follow.ts';
import { type Explanation, explain } from './explain.ts';
import { alwaysClosed, type Breaker, type BreakerState, type MakeBreaker } from './model/breaker.ts';
import { type Acceptance, type Call, PANIC, prompt, ROUNDS, type Run } from './model/call.ts';
import type { Endpoint } from './model/endpoint.ts';
import type { HealthMonitor, MakeHealth } from './model/health.ts';
import { noLoad } from './model/load.ts';
import { Attempt, Member, type Site } from './model/member.ts';
import { blame, guarded, type Observer, tell } from './model/observer.ts';
import { anyError, type Classifier } from './model/outcome.ts';
import type { Restore, SavedPool } from './model/saved.ts';
import { Vitals } from './model/vitals.ts';
import { Runner } from './runner.ts';

export interface PoolOptions {
  /** Where the endpoints come from. */
  readonly discovery: Discovery;
  readonly balancer: Balancer;
  /** What takes a failing member out for a while. Default: nothing does. */
  readonly breaker?: MakeBreaker | false | undefined;
  /** Asks members whether they are well. Default: nobody does. */
  readonly health?: MakeHealth | undefined;
  /** What counts as a failure. Default: any error, and no value. */
  readonly classifier?: Classifier | undefined;
  /**
   * When too few members are available: call any of them (`true`, the default), or fail at once (`false`). Too few is
   * none, or what the options say.
   */
  readonly panic?: boolean | PanicOptions | undefined;
  /** How many attempts each member may have in flight. Default: `Infinity`. */
  readonly maxInFlight?: number | undefined;
  /** Up to what share of the members may be refused by their breakers at once, 0 to 1; one always may. Default: 1. */
  readonly maxRefused?: number | undefined;
  /** How long a call waits for discovery's first set, in ms. Default: 10 000. */
  readonly readyTimeout?: number | undefined;
  /**
   * `restoreFrom` what `pool.save()` answered, in another process perhaps: breakers go on as if there had been no interruption.
   * What is wrong with a part of it is a `fault`, and that part new.
   */
  readonly restore?: Restore | undefined;
  /** How discovery is supervised. */
  readonly follow?: FollowOptions | undefined;
  readonly observer?: Observer | undefined;
  readonly env?: Env | undefined;
}

/** When breakers are no longer to be believed, for too many of them say no. */
export interface PanicOptions {
  /** The share of the members, 0 to 1, below which too few are available. Default: 0, when there is none. */
  readonly below?: number | undefined;
  /** Then fail at once (`true`), or call any member, whatever its breaker says. Default: `false`. */
  readonly fail?: boolean | undefined;
}

/** How often a pool that drains looks whether it is idle, in ms. */
const LOOK = 10;

/** A member as it is now, for people to look at. */
export interface MemberState {
  readonly endpoint: Endpoint;
  /** Whether it may be picked: not drained. */
  readonly active: boolean;
  readonly breaker: BreakerState;
  /** Whether its health checks pass, or there are none. */
  readonly healthy: boolean;
  /** Whether it was taken out by hand. */
  readonly isolated: boolean;
  readonly inFlight: number;
  /** As its load has it; only comparison means anything. NaN if that throws. */
  readonly cost: number;
}

/** The members of one service, kept in step with discovery. */
export class Pool {
  readonly #env: Env;
  readonly #site: Site;
  readonly #balancer: Balancer;
  readonly #makeBreaker: MakeBreaker;
  readonly #runner: Runner;
  /** How many rounds a pick may take. */
  readonly #rounds: number;
  readonly #panicBelow: number;
  readonly #maxRefused: number;
  readonly #maxInFlight: number;
  readonly #vitals = new Vitals();
  readonly #isolated: Set<string>;
  readonly #serviceBreakers: Breaker[] = [];
  readonly #restore: Restore | undefined;
  readonly #peers = (): readonly Member[] => this.#active;
  /** With more members refused than that, the breakers are not believed. */
  #mostRefused = 0;
  readonly #readyTimeout: number;
  readonly #health: HealthMonitor | undefined;
  readonly #stop = new AbortController();
  readonly #first: Promise<void>;
  #members: ReadonlyMap<string, Member> = new Map();
  #active: readonly Member[] = [];
  #picker: Picker | undefined;
  #discoveryError: unknown;
  /** What calls are refused with once it is closed. The signal has it too, but takes long to tell. */
  #closed: FairleadError | undefined;

  /** @throws RangeError or TypeError that names the bad option */
  constructor(options: PoolOptions) {
    const { discovery, balancer, breaker = false } = options;
    const {
      classifier = anyError,
      panic = true,
      maxRefused = 1,
      maxInFlight = Number.POSITIVE_INFINITY,
      readyTimeout = 10_000,
    } = options;
    const { observer, env = systemEnv } = options;
    checkFunction('discovery', discovery);
    checkFunction('balancer.picker', balancer?.picker);
    if (balancer.load !== undefined) checkFunction('balancer.load', balancer.load);
    if (breaker !== false) checkFunction('breaker', breaker);
    if (options.health !== undefined) checkFunction('health', options.health);
    checkFunction('classifier.value', classifier?.value);
    checkFunction('classifier.error', classifier.error);
    checkNumber('readyTimeout', readyTimeout, 0);
    if (typeof panic !== 'boolean' && (typeof panic !== 'object' || panic === null))
      throw bad('panic', panic, 'a boolean or an object');
    const { below: panicBelow = 0, fail = !panic }: PanicOptions = typeof panic === 'object' ? panic : {};
    checkNumber('panic below', panicBelow, 0, 1);
    if (typeof fail !== 'boolean') throw bad('panic fail', fail, 'a boolean');
    checkNumber('maxRefused', maxRefused, 0, 1);
    checkNumber('maxInFlight', maxInFlight, 1);
    if (typeof (observer ?? {}) !== 'object') throw bad('observer', observer, 'an object');
    const followed = checkFollow(options.follow);
    if (options.restore !== undefined) checkFunction('restore.member', options.restore?.member);

    this.#env = checkEnv(env);
    this.#isolated = new Set(options.restore?.isolated);
    this.#restore = options.restore;
    this.#site = { clock: env.clock, observer };
    this.#balancer = balancer;
    this.#makeBreaker = breaker || (() => alwaysClosed);
    this.#runner = new Runner(this.#site, classifier);
    this.#rounds = fail ? PANIC : ROUNDS;
    this.#panicBelow = panicBelow;
    this.#maxRefused = maxRefused;
    this.#maxInFlight = maxInFlight;
    this.#readyTimeout = readyTimeout;
    this.#health = options.health?.(inBackground(env), (member, healthy, error) => {
      if (!member.active) return;
      const changed = member.unhealthy === healthy;
      member.unhealthy = !healthy;
      if (healthy) member.hint(this.#site, env.clock.now());
      if (!changed) return;
      this.#vitals.moved(member);
      tell(observer, 'health', { member, healthy, error });
    });
    // Such as what a check answers that was not put into `healthChecks`.
    if (options.health && !this.#health?.set) throw bad('what health makes', this.#health, 'a monitor');
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
      ).then(() => reject(this.#noEndpoints('discovery gave no set and ended'))); // no effect after a set
    });
    this.#first.catch(() => {}); // it is for whoever waits; nobody may be
  }

  /**
   * Resolves once discovery has given its first set.
   *
   * Rejects with a `FairleadError` `NO_ENDPOINTS` after `readyTimeout`, `CLOSED`, or the signal's reason.
   */
  ready(signal?: AbortSignal): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#picker !== undefined) return Promise.resolve();
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#env.clock.after(this.#readyTimeout, () =>
        reject(this.#noEndpoints(`discovery gave no set within ${this.#readyTimeout} ms`)),
      );
    });
    return abortable(Promise.race([this.#first, late]), signal).finally(cancel);
  }

  /** Whether it refuses new calls. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Who is in the set, drained ones included. */
  get size(): number {
    return this.#members.size;
  }

  /** Every member as it is now, sorted by id. */
  members(): readonly MemberState[] {
    const now = this.#env.clock.now();
    return [...this.#members.values()].map(
      ({ endpoint, active, breaker, unhealthy, isolated, inFlight, load }) => ({
        endpoint,
        active,
        breaker: breaker.state,
        healthy: !unhealthy,
        isolated,
        inFlight,
        cost: guarded(this.#site.observer, 'load', () => load.cost(now)) ?? Number.NaN,
      }),
    );
  }

  /**
   * Picks a member and begins an attempt at it, which the caller must end.
   *
   * @throws FairleadError NO_ENDPOINTS, NO_AVAILABLE_ENDPOINT or CLOSED
   */
  pick(call: Call): Attempt {
    const picked = this.#pick(call);
    if (picked instanceof Attempt) return picked;
    throw picked;
  }

  /** An attempt, or why there is none: not thrown, which takes longer than all the rest of a refusal. */
  #pick(call: Call): Attempt | FairleadError {
    const { clock, observer } = this.#site;
    const picker = this.#picker;
    // A call that is under way goes on to its end, retries included.
    if (this.#closed !== undefined && (this.#runner.halted || !call.admitted)) return this.#closed;
    if (picker === undefined) return this.#noEndpoints('discovery gave no set yet');
    const now = clock.now();
    // Who has tried nobody need not be asked for the untried ones first.
    const step = call.tried.length === 0 ? 2 : 1;
    const panic = this.#vitals.refused > this.#mostRefused ? PANIC : 0;
    for (let round = panic + step - 1; round < this.#rounds; round += step) {
      // That those who are well are busy is no reason to call those who are not.
      if (round >= PANIC && panic === 0 && this.#busy(now)) break;
      call.acceptance = round as Acceptance;
      const member = this.#choose(picker, call, now);
      if (member === undefined) continue;
      if (round >= PANIC) tell(observer, 'panic', member, call);
      call.began(member, now);
      const attempt = member.begin(this.#site, now);
      tell(observer, 'attempt', attempt, call);
      return attempt;
    }
    const { size } = this.#members;
    if (this.#active.length === 0) {
      return this.#noEndpoints(size === 0 ? 'no endpoint' : `all ${size} endpoints are drained`);
    }
    if (this.#limited && this.#active.some(member => member.inFlight >= member.limit && !member.isolated)) {
      const message = `all endpoints that may be called have ${this.#maxInFlight} attempts in flight`;
      return refusal('OVERLOADED', message, call.attempts);
    }
    const some = panic > 0 ? `${this.#vitals.refused} of` : 'all';
    const message = `${some} ${this.#active.length} endpoints are refused`;
    return refusal('NO_AVAILABLE_ENDPOINT', message, call.attempts);
  }

  /** Runs the task at a picked endpoint and learns from how it ends. */
  readonly run: Run = prompt((task, call) => {
    if (call.aborted) return Promise.reject(call.reason);
    if (this.#picker === undefined) return this.ready(call.signal).then(() => this.run(task, call));
    let attempt: Attempt | FairleadError;
    try {
      attempt = this.#pick(call);
    } catch (error) {
      return Promise.reject(error);
    }
    return attempt instanceof Attempt ? this.#runner.run(task, call, attempt) : rejected(attempt);
  });

  /** Whether a member is available that the call has not tried yet. */
  readonly hasUntried = (call: Call, now: number): boolean =>
    this.#active.some(member => member.free && !call.tried.includes(member) && member.available(now));

  /** For policies: a call waits, until what this answers is called. */
  readonly waits = (listener: AbortListener): (() => void) => this.#runner.waits(listener);

  /** What a pick for such a call would do and why, changing nothing: plain data, for people and logs. */
  explain(call: Call): Explanation {
    const lowest = this.#vitals.refused > this.#mostRefused ? PANIC : 0;
    const now = this.#env.clock.now();
    return explain([...this.#members.values()], this.#picker, call, now, lowest, this.#rounds);
  }

  /**
   * Takes a member out by hand: it gets no call, not even in panic, until it is released; what runs there goes on.
   * Holds for the id, also while discovery does not name it.
   *
   * @throws TypeError if the id is not a string
   */
  isolate(id: string): void {
    if (typeof id !== 'string') throw bad('id', id, 'a string');
    this.#isolated.add(id);
    const member = this.#members.get(id);
    if (member !== undefined) member.isolated = true;
  }

  /** Undoes `isolate`. */
  release(id: string): void {
    this.#isolated.delete(id);
    const member = this.#members.get(id);
    if (member !== undefined) member.isolated = false;
  }

  /** The states of the `serviceBreaker`s round the pool, the innermost first. */
  get serviceBreakers(): readonly BreakerState[] {
    return this.#serviceBreakers.map(({ state }) => state);
  }

  /** For policies: a breaker round the service is to be shown, saved and restored as those of the members are. */
  readonly enlist = (breaker: Breaker): void => {
    const index = this.#serviceBreakers.push(breaker) - 1;
    guarded(this.#site.observer, 'breaker', () => this.#restore?.service(breaker, index, this.#env.clock));
  };

  /**
   * How all breakers stand and who is isolated, as plain JSON data, for `restore` in another process. What they have counted
   * while closed is not in it: it is soon of no account.
   */
  save(): SavedPool {
    const { clock, observer } = this.#site;
    const now = clock.now();
    const of = (breaker: Breaker): unknown => guarded(observer, 'breaker', () => breaker.save?.(now)) ?? null;
    const breakers = [...this.#members.values()]
      .map(({ endpoint: { id, host, port }, breaker }) => ({ id, host, port, breaker: of(breaker) }))
      .filter(({ breaker }) => breaker !== null);
    const service = this.#serviceBreakers.map(of);
    return { savedAt: clock.wall?.(), isolated: [...this.#isolated], breakers, service };
  }

  /** Stops following discovery and refuses new calls. Those that run go on to their end, retries included. */
  close(): void {
    this.#closed ??= new FairleadError('CLOSED', 'the client is closed');
    this.#stop.abort(this.#closed);
    guarded(this.#site.observer, 'balancer', () => this.#balancer.close?.());
    guarded(this.#site.observer, 'health', () => this.#health?.close());
  }

  /**
   * Closes, waits for the calls that run, for so many ms at most, and then aborts those that have a signal or a time-out to
   * be aborted by, and allows no further retry.
   */
  async drain(ms: number): Promise<void> {
    this.close();
    const { clock } = this.#env;
    const until = clock.now() + ms;
    // Twice idle, for a call may be between two attempts.
    for (let idle = 0; idle < 2; ) {
      idle = this.#vitals.inFlight === 0 && this.#runner.waiting === 0 ? idle + 1 : 0;
      const left = until - clock.now();
      if (left <= 0) break;
      if (idle < 2) await sleep(clock, Math.min(left, LOOK));
    }
    this.#runner.halt(this.#closed!);
  }

  /** Whether a member that is well has as many attempts in flight as it may. */
  #busy(now: number): boolean {
    return (
      this.#limited &&
      this.#active.some(
        member =>
          member.inFlight >= member.limit &&
          !member.isolated &&
          (guarded(this.#site.observer, 'breaker', () => member.available(now)) ?? true),
      )
    );
  }

  get #limited(): boolean {
    return this.#maxInFlight < Number.POSITIVE_INFINITY;
  }

  /** Asks the picker; if it is at fault, the first member from a random one that the call accepts. */
  #choose(picker: Picker, call: Call, now: number): Member | undefined {
    try {
      const member = picker(call, now);
      if (member === undefined || member.active === true) return member;
      throw bad(`the balancer's choice`, member, 'a member');
    } catch (error) {
      blame(this.#site.observer, 'balancer', error);
    }
    const start = below(this.#env.random, this.#active.length);
    for (let i = 0; i < this.#active.length; i++) {
      const member = this.#active[(start + i) % this.#active.length]!;
      try {
        if (call.accepts(member, now)) return member;
      } catch {
        // Its breaker throws: that is no reason to refuse it.
        if (call.acceptance % 2 === 1 || !call.tried.includes(member)) return member;
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
          member = this.#member(endpoint);
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
    this.#vitals.set(active, this.#maxRefused);
    this.#mostRefused = Math.floor(active.length * (1 - this.#panicBelow));
    this.#picker = picker;
    for (const { id } of added) this.#restore?.came(id);
    if (!this.#stop.signal.aborted) guarded(this.#site.observer, 'health', () => this.#health?.set(active));
    tell(this.#site.observer, 'members', { added, removed, updated, size: next.size });
  }

  /** @throws TypeError if what the user's code made is no load or no breaker, such as a factory of one */
  #member(endpoint: Endpoint): Member {
    const load = this.#balancer.load?.(this.#env) ?? noLoad;
    const breaker = this.#makeBreaker(this.#env, this.#peers);
    for (const name of ['begin', 'end', 'cost'] as const) checkFunction(`load ${name}`, load[name]);
    for (const name of ['allows', 'begin', 'end'] as const) checkFunction(`breaker ${name}`, breaker?.[name]);
    guarded(this.#site.observer, 'breaker', () => this.#restore?.member(breaker, endpoint, this.#env.clock));
    const member = new Member(endpoint, load, breaker, this.#vitals);
    member.isolated = this.#isolated.has(endpoint.id);
    member.limit = this.#maxInFlight;
    return member;
  }

  #noEndpoints(message: string): FairleadError {
    return new FairleadError('NO_ENDPOINTS', message, { cause: this.#discoveryError });
  }
}
