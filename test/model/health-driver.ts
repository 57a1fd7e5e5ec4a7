import {
  alwaysClosed,
  type BreakerState,
  type HealthMonitor,
  healthChecks,
  Member,
  noLoad,
} from 'fairlead/core';
import { manualClock, seededRandom, settled } from 'fairlead/testing';
import { endpoint } from '../helpers.ts';
import { type Check, HealthModel, type HealthRules } from './health-model.ts';
import { type Driver, same } from './walk.ts';

export type Answer = 'passes' | 'is false' | 'rejects';
/** How checks of a member end: at once, or when a step says so. */
export type Mood = Answer | 'throws' | 'hangs';

interface Pending {
  readonly member: number;
  readonly check: Check;
  readonly answer: (how: Answer) => void;
}

const MEMBERS = 5;

/** Health checks of a set that changes, with checks that do as they are told. */
export class HealthDriver implements Driver {
  readonly #clock = manualClock();
  readonly #monitor: HealthMonitor;
  readonly #model: HealthModel;
  readonly #members: Member[] = [];
  readonly #moods: Mood[] = new Array<Mood>(MEMBERS).fill('passes');
  readonly #breakers: BreakerState[] = [];
  /** Which members are in the set, by their number. */
  #present: readonly number[] = [];
  /** Checks that have not answered, those that were given up among them. */
  #pending: Pending[] = [];
  readonly #faults: unknown[] = [];

  constructor({ seed, ...rules }: HealthRules & { readonly seed: number }) {
    this.#model = new HealthModel(rules);
    const make = healthChecks({
      ...rules,
      check: ({ id }, signal) => {
        const answer = this.#noted(() => this.#check(Number(id), signal));
        if (answer === undefined) throw 'thrown';
        return answer;
      },
    });
    this.#monitor = make({ clock: this.#clock, random: seededRandom(seed) }, (member, healthy) => {
      member.unhealthy = !healthy;
      this.#noted(() => this.#model.reported({ member: this.#members.indexOf(member), healthy }));
    });
    for (let i = 0; i < MEMBERS; i++) this.#make();
  }

  get pending(): number {
    return this.#pending.length;
  }

  /** The members of these places in the set are there, and no others. */
  async set(...present: readonly boolean[]): Promise<void> {
    const places = this.#members.length - MEMBERS;
    await this.#set(present.flatMap((yes, i) => (yes ? [places + i] : [])));
  }

  /** All members have a new address: they are others. */
  async replace(): Promise<void> {
    const last = this.#members.length - MEMBERS;
    for (let i = 0; i < MEMBERS; i++) this.#make();
    await this.#set(this.#present.filter(member => member >= last).map(member => member + MEMBERS));
  }

  mood(which: number, mood: Mood): void {
    this.#moods[which % MEMBERS] = mood;
  }

  breaker(which: number, state: BreakerState): void {
    this.#breakers[which % MEMBERS] = state;
  }

  /** One of the checks that have not answered does. */
  async answer(which: number, how: Answer): Promise<void> {
    const [chosen] = this.#pending.splice(which % this.#pending.length, 1) as [Pending];
    chosen.answer(how);
    await this.#settle();
  }

  async wait(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    await this.#settle();
  }

  /** Goes on until the next check is due. */
  async due(): Promise<void> {
    const { next } = this.#model;
    if (next < Infinity) await this.wait(Math.max(0, next - this.#clock.now()));
  }

  async finish(): Promise<void> {
    this.#model.close(this.#clock.now());
    this.#monitor.close();
    await this.#settle();
    same('how many timers are left', this.#clock.pending, 0);
    for (const { answer } of this.#pending.splice(0)) answer('rejects');
    await this.wait(100_000);
  }

  #make(): void {
    const number = this.#members.length;
    const breakers = this.#breakers;
    const breaker = {
      ...alwaysClosed,
      get state() {
        return breakers[number % MEMBERS] ?? 'closed';
      },
    };
    const member = new Member(endpoint(String(number)), noLoad, breaker);
    member.active = true;
    this.#members.push(member);
  }

  async #set(members: readonly number[]): Promise<void> {
    this.#present = members;
    this.#model.set(members, this.#clock.now());
    this.#monitor.set(members.map(member => this.#members[member]!));
    await this.#settle();
  }

  /** Nothing if it is to throw. */
  #check(member: number, signal: AbortSignal): Promise<unknown> | undefined {
    const check = this.#model.began(member, this.#clock.now());
    const ended = (passes: boolean): void => {
      const open = this.#members[member]!.breaker.state === 'open';
      this.#model.ended(check, passes, open, this.#clock.now());
    };
    const mood = this.#moods[member % MEMBERS]!;
    if (mood !== 'hangs') ended(mood === 'passes');
    if (mood === 'throws') return undefined;
    if (mood !== 'hangs') return result(mood);
    return new Promise((resolve, reject) => {
      const late = (): void =>
        this.#noted(() => {
          this.#model.givenUp(check, this.#clock.now());
          ended(false);
        });
      signal.addEventListener('abort', late);
      const answer = (how: Answer): void => {
        signal.removeEventListener('abort', late);
        if (!signal.aborted) ended(how === 'passes');
        result(how).then(resolve, reject);
      };
      this.#pending.push({ member, check, answer });
    });
  }

  async #settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await settled();
    if (this.#faults.length > 0) throw this.#faults[0];
    const now = this.#clock.now();
    this.#model.settled(now);
    this.#members.forEach(({ unhealthy }, i) => {
      same(`whether member ${i} is ill`, unhealthy, this.#model.isIll(i));
    });
  }

  /** What the model objects to must not be taken for an answer. */
  #noted<T>(code: () => T): T | undefined {
    try {
      return code();
    } catch (error) {
      this.#faults.push(error);
      return undefined;
    }
  }
}

const result = (how: Answer): Promise<unknown> =>
  how === 'rejects' ? Promise.reject(new Error('ill')) : Promise.resolve(how === 'passes');
