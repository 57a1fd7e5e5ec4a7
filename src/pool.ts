import type { Picker } from './balancer/balancer.ts';
import { below, inBackground } from './base/env.ts';
import { bad, FairleadError } from './base/errors.ts';
import { refusal } from './base/refusal.ts';
import { rejected } from './base/rejection.ts';
import { type AbortListener, abortable, sleep } from './base/signal.ts';
import { follow } from './discovery/follow.ts';
import { type Explanation, explain } from './explain.ts';
import { type MemberState, Membership } from './membership.ts';
import type { Breaker, BreakerState } from './model/breaker.ts';
import { type Acceptance, type Call, PANIC, prompt, type Run } from './model/call.ts';
import type { HealthMonitor } from './model/health.ts';
import { Attempt, type Member, type Site } from './model/member.ts';
import { blame, guarded, tell } from './model/observer.ts';
import type { SavedPool } from './model/saved.ts';
import { checkPool, type PoolOptions, type PoolSettings } from './pool-options.ts';
import { Runner } from './runner.ts';

/** How often a pool that drains looks whether it is idle, in ms. */
const LOOK = 10;

/** The members of one service, kept in step with discovery. */
export class Pool {
  readonly #settings: PoolSettings;
  readonly #site: Site;
  readonly #set: Membership;
  readonly #runner: Runner;
  readonly #serviceBreakers: Breaker[] = [];
  readonly #health: HealthMonitor | undefined;
  readonly #stop = new AbortController();
  readonly #first: Promise<void>;
  #discoveryError: unknown;
  /** What calls are refused with once it is closed. The signal has it too, but takes long to tell. */
  #closed: FairleadError | undefined;

  /** @throws RangeError or TypeError that names the bad option */
  constructor(options: PoolOptions) {
    const settings = checkPool(options);
    const { discovery, classifier, health, observer, env } = settings;
    this.#settings = settings;
    this.#site = { clock: env.clock, observer };
    this.#set = new Membership(settings, this.#site);
    this.#runner = new Runner(this.#site, classifier);
    this.#health = health?.(inBackground(env), (member, healthy, error) => {
      if (!member.active) return;
      const changed = member.unhealthy === healthy;
      member.unhealthy = !healthy;
      if (healthy) member.hint(this.#site, env.clock.now());
      if (!changed) return;
      this.#set.vitals.moved(member);
      tell(observer, 'health', { member, healthy, error });
    });
    // Such as what a check answers that was not put into `healthChecks`.
    if (health && !this.#health?.set) throw bad('what health makes', this.#health, 'a monitor');
    this.#first = new Promise((resolve, reject) => {
      const { signal } = this.#stop;
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      void follow(
        discovery,
        inBackground(env),
        signal,
        {
          set: endpoints => {
            const change = this.#set.update(endpoints);
            if (!signal.aborted) guarded(observer, 'health', () => this.#health?.set(this.#set.active));
            tell(observer, 'members', change);
            resolve();
          },
          error: error => {
            this.#discoveryError = error;
            tell(observer, 'discoveryError', error);
          },
        },
        settings.follow,
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
    if (this.#set.picker !== undefined) return Promise.resolve();
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#site.clock.after(this.#settings.readyTimeout, () =>
        reject(this.#noEndpoints(`discovery gave no set within ${this.#settings.readyTimeout} ms`)),
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
    return this.#set.members.size;
  }

  /** Every member as it is now, sorted by id. */
  members(): readonly MemberState[] {
    return this.#set.states(this.#site.clock.now());
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
    const picker = this.#set.picker;
    // A call that is under way goes on to its end, retries included.
    if (this.#closed !== undefined && (this.#runner.halted || !call.admitted)) return this.#closed;
    if (picker === undefined) return this.#noEndpoints('discovery gave no set yet');
    const now = clock.now();
    // Who has tried nobody need not be asked for the untried ones first.
    const step = call.tried.length === 0 ? 2 : 1;
    const panic = this.#set.panics ? PANIC : 0;
    for (let round = panic + step - 1; round < this.#settings.rounds; round += step) {
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
    const { size } = this.#set.members;
    if (this.#set.active.length === 0) {
      return this.#noEndpoints(size === 0 ? 'no endpoint' : `all ${size} endpoints are drained`);
    }
    if (this.#limited && this.#set.active.some(member => !member.free && !member.isolated)) {
      const message = `all endpoints that may be called have ${this.#settings.maxInFlight} attempts in flight`;
      return refusal('OVERLOADED', message, call.attempts);
    }
    const some = panic > 0 ? `${this.#set.vitals.refused} of` : 'all';
    const message = `${some} ${this.#set.active.length} endpoints are refused`;
    return refusal('NO_AVAILABLE_ENDPOINT', message, call.attempts);
  }

  /** Runs the task at a picked endpoint and learns from how it ends. */
  readonly run: Run = prompt((task, call) => {
    if (call.aborted) return Promise.reject(call.reason);
    if (this.#set.picker === undefined) return this.ready(call.signal).then(() => this.run(task, call));
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
    this.#set.active.some(member => member.free && !call.tried.includes(member) && member.available(now));

  /** For policies: a call waits, until what this answers is called. */
  readonly waits = (listener: AbortListener): (() => void) => this.#runner.waits(listener);

  /** What a pick for such a call would do and why, changing nothing: plain data, for people and logs. */
  explain(call: Call): Explanation {
    const lowest = this.#set.panics ? PANIC : 0;
    const now = this.#site.clock.now();
    return explain(
      [...this.#set.members.values()],
      this.#set.picker,
      call,
      now,
      lowest,
      this.#settings.rounds,
    );
  }

  /**
   * Takes a member out by hand: it gets no call, not even in panic, until it is released; what runs there goes on.
   * Holds for the id, also while discovery does not name it.
   *
   * @throws TypeError if the id is not a string
   */
  isolate(id: string): void {
    if (typeof id !== 'string') throw bad('id', id, 'a string');
    this.#set.isolate(id, true);
  }

  /** Undoes `isolate`. */
  release(id: string): void {
    this.#set.isolate(id, false);
  }

  /** The states of the `serviceBreaker`s round the pool, the innermost first. */
  get serviceBreakers(): readonly BreakerState[] {
    return this.#serviceBreakers.map(({ state }) => state);
  }

  /** For policies: a breaker round the service is to be shown, saved and restored as those of the members are. */
  readonly enlist = (breaker: Breaker): void => {
    const index = this.#serviceBreakers.push(breaker) - 1;
    guarded(this.#site.observer, 'breaker', () =>
      this.#settings.restore?.service(breaker, index, this.#site.clock),
    );
  };

  /**
   * How all breakers stand and who is isolated, as plain JSON data, for `restore` in another process. What they have counted
   * while closed is not in it: it is soon of no account.
   */
  save(): SavedPool {
    const { clock, observer } = this.#site;
    const now = clock.now();
    const of = (breaker: Breaker): unknown => guarded(observer, 'breaker', () => breaker.save?.(now)) ?? null;
    const breakers = [...this.#set.members.values()]
      .map(({ endpoint: { id, host, port }, breaker }) => ({ id, host, port, breaker: of(breaker) }))
      .filter(({ breaker }) => breaker !== null);
    const service = this.#serviceBreakers.map(of);
    return { savedAt: clock.wall?.(), isolated: this.#set.isolated, breakers, service };
  }

  /** Stops following discovery and refuses new calls. Those that run go on to their end, retries included. */
  close(): void {
    this.#closed ??= new FairleadError('CLOSED', 'the client is closed');
    this.#stop.abort(this.#closed);
    guarded(this.#site.observer, 'balancer', () => this.#settings.balancer.close?.());
    guarded(this.#site.observer, 'health', () => this.#health?.close());
  }

  /**
   * Closes, waits for the calls that run or wait, for so many ms at most, and then aborts those that have a signal or a
   * time-out to be aborted by, and those that wait for their turn or their next attempt. There is no further retry.
   */
  async drain(ms: number): Promise<void> {
    this.close();
    const { clock } = this.#site;
    const until = clock.now() + ms;
    // Twice idle, for a call may be between two attempts.
    for (let idle = 0; idle < 2; ) {
      idle = this.#set.vitals.inFlight === 0 && this.#runner.waiting === 0 ? idle + 1 : 0;
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
      this.#set.active.some(
        member =>
          !member.free &&
          !member.isolated &&
          (guarded(this.#site.observer, 'breaker', () => member.available(now)) ?? true),
      )
    );
  }

  get #limited(): boolean {
    return this.#settings.maxInFlight < Number.POSITIVE_INFINITY;
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
    const start = below(this.#settings.env.random, this.#set.active.length);
    for (let i = 0; i < this.#set.active.length; i++) {
      const member = this.#set.active[(start + i) % this.#set.active.length]!;
      try {
        if (call.accepts(member, now)) return member;
      } catch {
        // Its breaker throws: that is no reason to refuse it.
        if (call.acceptance % 2 === 1 || !call.tried.includes(member)) return member;
      }
    }
    return undefined;
  }

  #noEndpoints(message: string): FairleadError {
    return new FairleadError('NO_ENDPOINTS', message, { cause: this.#discoveryError });
  }
}
