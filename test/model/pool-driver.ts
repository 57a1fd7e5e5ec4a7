import {
  Call,
  type Classifier,
  type Client,
  createClient,
  type FairleadError,
  healthChecks,
  type Member,
  type Outcome,
  type Repeatable,
} from 'fairlead/core';
import { manualClock, scriptedDiscovery, seededRandom, settled } from 'fairlead/testing';
import { countedSignal, endpoint, type Fate, watch } from '../helpers.ts';
import { type CallModel, CallsModel, type Deed, REST, type Try } from './calls-model.ts';
import { MembershipModel, text } from './membership-model.ts';
import { BALANCERS, BREAKERS, SETUPS, type Setup } from './pool-setups.ts';
import { type Driver, holds, same } from './walk.ts';

export interface PoolWalk {
  readonly balancer: keyof typeof BALANCERS;
  readonly breaker: keyof typeof BREAKERS;
  readonly setup: keyof typeof SETUPS;
  readonly panic: boolean;
  readonly maxInFlight: number;
  readonly health: boolean;
  /** Whether all comes to rest after each step. Otherwise the steps between two waits happen at once. */
  readonly calm: boolean;
  /** How often promises move on between two steps that happen at once. */
  readonly turns: number;
  readonly seed: number;
}

/** An endpoint: the number of its id, its port and its weight. */
export type Place = readonly [number, number, number];

/** How a task goes on: ends at once, after a time, when a step says so, or when its signal aborts. */
export type Manner = 'at once' | 'later' | 'told' | 'heeds';

const FOLLOW = { emptyAfter: 200, restartAfter: 20, maxRestartAfter: 100 };
const READY = 400;
const LEGAL = ['closed open', 'open half-open', 'half-open open', 'half-open closed'];

interface Task {
  readonly its: Try;
  readonly end: (deed: Deed) => void;
}

/** A client over a source that says what steps say, with tasks that do as they are told. */
export class PoolDriver implements Driver {
  readonly #clock = manualClock();
  readonly #source = scriptedDiscovery();
  readonly #client: Client;
  readonly #setup: Setup;
  readonly #walk: PoolWalk;
  readonly #members = new MembershipModel(FOLLOW);
  readonly #calls: CallsModel;
  readonly #isolated = new Set<string>();
  readonly #sick = new Set<string>();
  /** The member of each identity, and its breaker's state as told. */
  readonly #known = new Map<string, Member>();
  readonly #states = new Map<Member, string>();
  readonly #objections: unknown[] = [];
  readonly #shared = countedSignal();
  readonly #signals: { readonly counted: ReturnType<typeof countedSignal>; readonly call: CallModel }[] = [];
  readonly #drains: { readonly fate: Fate; readonly until: number }[] = [];
  #tasks: Task[] = [];
  #timers = 0;
  /** Those whose task listens to its signal. */
  readonly #heeding = new Set<Try>();
  #picking: Try | undefined;
  readonly #picked: Try[] = [];
  /** Steps to be taken at once. */
  readonly #line: (() => void)[] = [];

  constructor(walk: PoolWalk) {
    this.#walk = walk;
    this.#setup = SETUPS[walk.setup];
    this.#calls = new CallsModel(this.#setup, READY);
    const classifier: Classifier = {
      value: value => (value === 'bad' ? 'failure' : 'success'),
      error: error => (error === 'mine' ? 'ignored' : 'failure'),
      retryAfter: error => (error === 'rest' ? REST : undefined),
    };
    const { discovery } = this.#source;
    this.#client = createClient({
      discovery: (env, signal, report) => {
        this.#noted(() => this.#members.starts(this.#clock.now()));
        return discovery(env, signal, report);
      },
      balancer: BALANCERS[walk.balancer](),
      breaker: BREAKERS[walk.breaker],
      policies: this.#setup.make(),
      panic: walk.panic,
      maxInFlight: walk.maxInFlight,
      health: walk.health
        ? healthChecks({ check: async ({ id }) => !this.#sick.has(id), interval: 70, perSecond: 1000 })
        : undefined,
      classifier,
      readyTimeout: READY,
      follow: FOLLOW,
      env: { clock: this.#clock, random: seededRandom(walk.seed) },
      observer: {
        members: change =>
          this.#noted(() => {
            this.#members.announces(change, this.#clock.now());
            this.#compareMembers();
          }),
        attempt: (attempt, call) => this.#noted(() => this.#begins(attempt, call)),
        attemptEnd: attempt =>
          this.#noted(() => {
            const its = this.#calls.tries.find(each => each.attempt === attempt)!;
            its.endedAt = this.#clock.now();
            this.#calls.tells(its, this.#clock.now(), this.#halting());
          }),
        panic: (member, { tried }) =>
          this.#noted(() => {
            holds(walk.panic, () => 'there is panic, and should be none');
            const other = this.#available().find(each => each !== member);
            holds(
              other === undefined,
              () => `panic with ${other!.endpoint.id} available, ${tried.length} tried`,
            );
          }),
        breaker: ({ member, from, to }) =>
          this.#noted(() => {
            same('where a breaker comes from', from, this.#states.get(member) ?? 'closed');
            holds(LEGAL.includes(`${from} ${to}`), () => `a breaker goes from ${from} to ${to}`);
            this.#states.set(member, to);
          }),
        fault: ({ source, error }) =>
          this.#objections.push(new Error(`fault of ${source}`, { cause: error })),
      },
    });
  }

  get tasks(): number {
    return this.#tasks.length;
  }

  get picked(): number {
    return this.#picked.length;
  }

  get open(): boolean {
    return this.#calls.closedAfter === undefined;
  }

  call(
    deed: Deed,
    manner: Manner,
    ms: number,
    signal: 'none' | 'own' | 'shared',
    repeatable: Repeatable,
  ): Promise<void> {
    return this.#step(() => {
      const counted = signal === 'own' ? countedSignal() : signal === 'shared' ? this.#shared : undefined;
      const number = this.#calls.calls.length;
      const call: CallModel = {
        startedAt: this.#clock.now(),
        repeatable,
        tries: [],
        aborted: () => counted?.signal.aborted === true,
        closed: !this.open,
        fate: { state: 'pending', value: undefined },
        settledAt: 0,
      };
      this.#calls.calls.push(call);
      if (counted !== undefined && counted !== this.#shared) this.#signals.push({ counted, call });
      const walk = this.#walk;
      const settle = (how: 'resolved' | 'rejected') => (value: unknown) =>
        this.#noted(() => {
          same('how often a call settles', call.fate.state, 'pending');
          call.fate = { state: how, value };
          call.settledAt = this.#clock.now();
          const { empty, refused, full } = this.#state();
          // What has ended since, at the same time, may have been in the way; there may have been nobody, or others.
          const now = this.#clock.now();
          const ended = this.#calls.tries.some(({ endedAt }) => endedAt === now);
          const changed = this.#members.changedAt === now;
          const state = {
            empty: empty || this.#members.emptyUntil === now,
            refused: refused || changed || (ended && !walk.panic),
            full: full || ((ended || changed) && walk.maxInFlight < Infinity),
          };
          this.#calls.settles(call, walk.calm ? state : undefined);
        });
      this.#client
        .run((_, given) => this.#task(deed, manner, ms, given), {
          key: String(number),
          signal: counted?.signal,
          repeatable,
        })
        .then(settle('resolved'), settle('rejected'));
    });
  }

  /** A task that runs ends. */
  end(which: number, deed: Deed): Promise<void> {
    return this.#step(() => {
      this.#tasks[which % this.#tasks.length]?.end(deed);
    });
  }

  abort(which: number): Promise<void> {
    return this.#step(() => {
      this.#signals[which % this.#signals.length]?.counted.abort('given up');
    });
  }

  abortShared(): Promise<void> {
    return this.#step(() => {
      this.#shared.abort('given up');
    });
  }

  pick(): Promise<void> {
    return this.#step(() => {
      const { empty, refused, full } = this.#state();
      try {
        this.#client.pool.pick(new Call({ key: 'k' }));
        holds(!empty && this.open, () => 'a pick succeeds, and should not');
        this.#picked.push(this.#calls.tries.at(-1)!);
      } catch (error) {
        const { code } = error as FairleadError;
        if (!this.open) same('what a pick fails with', code, 'CLOSED');
        else if (empty) same('what a pick fails with', code, 'NO_ENDPOINTS');
        else if (code === 'OVERLOADED') holds(full, () => 'OVERLOADED, and nobody is');
        else if (code === 'NO_AVAILABLE_ENDPOINT')
          holds(refused, () => 'NO_AVAILABLE_ENDPOINT, and there is one');
        else throw error;
      }
    });
  }

  endPicked(which: number, outcome: Outcome): Promise<void> {
    return this.#step(() => {
      const [its] = this.#picked.splice(which % this.#picked.length, 1);
      if (its === undefined) return;
      its.ended = outcome;
      its.attempt.end(outcome);
      its.attempt.end('failure'); // only the first counts
    });
  }

  async wait(ms: number): Promise<void> {
    await this.#flush();
    await this.#clock.advance(ms);
    await this.#look();
  }

  set(...places: readonly Place[]): Promise<void> {
    return this.#step(() => {
      const set = places.map(([n, port, weight]) => endpoint(`m${n}`, { port, weight }));
      this.#members.says(set, this.#clock.now());
      this.#source.set(set);
    });
  }

  fail(): Promise<void> {
    return this.#step(() => {
      this.#members.says('fails', this.#clock.now());
      this.#source.fail('registry down');
    });
  }

  nonsense(): Promise<void> {
    return this.#step(() => {
      this.#source.set('nonsense');
    });
  }

  isolate(n: number): Promise<void> {
    return this.#step(() => {
      this.#isolated.add(`m${n}`);
      this.#client.pool.isolate(`m${n}`);
    });
  }

  release(n: number): Promise<void> {
    return this.#step(() => {
      this.#isolated.delete(`m${n}`);
      this.#client.pool.release(`m${n}`);
    });
  }

  sicken(n: number, yes: boolean): Promise<void> {
    return this.#step(() => {
      if (yes) this.#sick.add(`m${n}`);
      else this.#sick.delete(`m${n}`);
    });
  }

  close(): Promise<void> {
    return this.#step(() => {
      this.#closes();
      void this.#client.close();
    });
  }

  drain(ms: number): Promise<void> {
    return this.#step(() => {
      this.#closes();
      const until = this.#clock.now() + ms;
      const drained = this.#client.close({ drain: ms }).then(() => {
        this.#noted(() => {
          this.#calls.halted = true;
          if (this.#clock.now() >= until) return;
          const pending = this.#calls.calls.filter(({ fate }) => fate.state === 'pending').length;
          same('how many calls are pending after it was drained', pending, 0);
          same('how many picks run after it was drained', this.#picked.length, 0);
        });
      });
      this.#drains.push({ fate: watch(drained), until });
    });
  }

  async finish(): Promise<void> {
    await this.close();
    // Tasks may go on for ever, and calls without signal or time-out with them: they end at last.
    for (let i = 0; i < 20; i++) {
      for (const { end } of [...this.#tasks]) end('bad');
      await this.wait(500);
    }
    for (const _ of [...this.#picked]) await this.endPicked(0, 'ignored');
    await this.wait(10_000);
    const pending = this.#calls.calls.filter(({ fate }) => fate.state === 'pending').length;
    same('how many calls never settle', pending, 0);
    same('how many timers are left', this.#clock.pending, 0);
    same('how many listeners the shared signal has', this.#shared.listeners(), 0);
    same('how many sources run', this.#source.running, 0);
    same('how many attempts run', this.#calls.tries.filter(({ member }) => member.inFlight !== 0).length, 0);
  }

  /** Whether attempts have been aborted by draining, or are about to be. */
  #halting(): boolean {
    return this.#drains.some(({ fate, until }) => fate.state !== 'pending' || this.#clock.now() >= until);
  }

  #closes(): void {
    this.#members.close();
    this.#calls.closedAfter ??= this.#calls.tries.length;
  }

  #begins(attempt: Try['attempt'], call: Call): void {
    const { member } = attempt;
    const { id, port } = attempt.endpoint;
    const its = this.#members.active.find(each => each.id === id && each.port === port);
    holds(its !== undefined, () => `${id}:${port} is picked, and is not in the set`);
    holds(!this.#isolated.has(id), () => `${id} is picked, and is isolated`);
    holds(member.inFlight <= this.#walk.maxInFlight, () => `${id} has ${member.inFlight} in flight`);
    const identity = this.#members.identity(id);
    const known = this.#known.get(identity) ?? member;
    holds(known === member, () => `${id} has forgotten all it knew`);
    holds(
      [...this.#known].every(([name, each]) => each !== member || name === identity),
      () => `${id} has another address and has forgotten nothing`,
    );
    this.#known.set(identity, member);
    const model = call.key === 'k' ? undefined : this.#calls.calls[Number(call.key)]!;
    const fresh: Try = {
      ...{ attempt, member, call: model, signal: undefined },
      ...{ ended: undefined, endedAt: this.#clock.now(), late: false, told: 0 },
    };
    const now = this.#clock.now();
    const untried = (tried: readonly Member[]): boolean =>
      this.#available().some(each => !tried.includes(each));
    this.#calls.begins(fresh, now, untried);
    model?.tries.push(fresh);
    this.#calls.tries.push(fresh);
    this.#picking = fresh;
  }

  /** Members that may be called, as far as they have been called before. */
  #available(): Member[] {
    const now = this.#clock.now();
    return this.#members.active.flatMap(({ id }) => {
      const member = this.#known.get(this.#members.identity(id));
      const able = member?.active && member.free && member.available(now);
      return able ? [member] : [];
    });
  }

  #task(deed: Deed, manner: Manner, ms: number, signal: AbortSignal | undefined): PromiseLike<unknown> {
    const its = this.#picking!;
    its.signal = signal;
    if (manner === 'at once' && deed === 'thrown') {
      its.ended = deed;
      throw deed;
    }
    return new Promise((resolve, reject) => {
      const end = (how: Deed): void => {
        this.#tasks = this.#tasks.filter(task => task.its !== its);
        signal?.removeEventListener('abort', heed);
        this.#heeding.delete(its);
        if (its.ended !== undefined) return;
        its.ended = how;
        its.late = signal?.aborted === true;
        if (how === 'fine' || how === 'bad') resolve(how);
        else reject(how === 'refused' ? refused() : how);
      };
      const heed = (): void => end('mine');
      if (manner === 'heeds' && signal !== undefined) {
        signal.addEventListener('abort', heed);
        this.#heeding.add(its);
      }
      if (manner === 'at once') end(deed);
      else this.#tasks.push({ its, end });
      if (manner === 'later') {
        this.#timers++;
        this.#clock.after(ms, () => {
          this.#timers--;
          end(deed);
        });
      }
    });
  }

  /** Whether a call may be refused as things are, and for what reason. */
  #state(): { empty: boolean; refused: boolean; full: boolean } {
    const { active } = this.#members;
    const states = this.#client.pool.members().filter(each => each.active);
    const sure = states.filter(
      ({ breaker, healthy, isolated, inFlight, endpoint: { id } }) =>
        breaker === 'closed' &&
        healthy &&
        !isolated &&
        inFlight < this.#walk.maxInFlight &&
        !((this.#known.get(this.#members.identity(id))?.coolUntil ?? 0) > this.#clock.now()),
    );
    const isolated = active.every(({ id }) => this.#isolated.has(id));
    return {
      empty: active.length === 0,
      refused: isolated || (!this.#walk.panic && sure.length === 0),
      full: states.some(each => !each.isolated && each.inFlight >= this.#walk.maxInFlight),
    };
  }

  async #step(act: () => void): Promise<void> {
    this.#line.push(act);
    if (!this.#walk.calm) return;
    await this.#flush();
    await this.#look();
  }

  async #flush(): Promise<void> {
    for (const act of this.#line.splice(0)) {
      act();
      for (let i = 0; i < this.#walk.turns; i++) await undefined;
    }
  }

  /** Lets all come to rest and looks whether it is as it should be. */
  async #look(): Promise<void> {
    await settled();
    await settled();
    if (this.#objections.length > 0) throw this.#objections[0];
    const now = this.#clock.now();
    this.#members.settled(now);
    this.#compareMembers();
    this.#calls.settled(now, this.#members.announced);
    for (const { counted, call } of this.#signals) {
      const heeding = [...this.#heeding].filter(({ signal }) => signal === counted.signal).length;
      if (call.fate.state !== 'pending') same('how many listeners are left', counted.listeners(), heeding);
    }
    for (const { fate, until } of this.#drains) {
      holds(fate.state === 'resolved' || now < until, () => `draining takes ${now - until} ms too long`);
    }
    const idle = this.#calls.calls.every(({ fate }) => fate.state !== 'pending');
    const drained = this.#drains.every(({ fate }) => fate.state !== 'pending');
    if (!this.open && idle && drained) same('how many timers are left', this.#clock.pending, this.#timers);
  }

  #compareMembers(): void {
    const states = this.#client.pool.members();
    same('who is there', text(states.map(each => each.endpoint)), text(this.#members.members));
    for (const { endpoint: each, active, isolated } of states) {
      same(`whether ${each.id} may be picked`, active, each.weight !== 0);
      same(`whether ${each.id} is isolated`, isolated, this.#isolated.has(each.id));
    }
  }

  /** What the models object to must not be taken for a fault of an observer. */
  #noted(code: () => void): void {
    try {
      code();
    } catch (error) {
      this.#objections.push(error);
    }
  }
}

const refused = (): Error =>
  Object.assign(new Error('refused'), { code: 'ECONNREFUSED', deed: 'refused' as Deed });
