import { type Breaker, type MakeBreaker, type Outcome, outliers } from 'fairlead/core';
import { seededRandom } from 'fairlead/testing';
import { BreakerPair } from './breaker-pair.ts';
import { OutlierModel, OutlierPeers, type OutlierRules } from './outliers-model.ts';
import type { Driver } from './walk.ts';

export interface OutlierWalk {
  readonly rules: OutlierRules;
  readonly members: number;
  readonly seed: number;
}

interface Pair {
  readonly real: Breaker;
  readonly model: OutlierModel;
  readonly pair: BreakerPair;
}

/** Members that share what `outliers` made, driven as a pool drives them. */
export class OutlierDriver implements Driver {
  readonly #make: () => Breaker;
  readonly #rules: OutlierRules;
  readonly #peers: OutlierPeers;
  #all: Pair[] = [];
  readonly #running: { readonly pair: Pair; readonly startedAt: number; epoch: number; phase: number }[] = [];
  #now = 0;

  constructor({ rules, members, seed }: OutlierWalk) {
    const after = (): never => {
      throw new Error('a breaker must not set timers');
    };
    const env = { random: seededRandom(seed), clock: { now: () => this.#now, after } };
    const make: MakeBreaker = outliers(rules);
    const peers = () =>
      this.#present.map(({ real }) => ({ breaker: real, refused: real.state !== 'closed' }));
    this.#make = () => make(env, peers);
    this.#rules = rules;
    this.#peers = new OutlierPeers(rules);
    for (let i = 0; i < members; i++) this.join();
  }

  get running(): number {
    return this.#running.length;
  }

  get present(): number {
    return this.#present.length;
  }

  get out(): number {
    return this.#present.filter(({ real }) => real.state !== 'closed').length;
  }

  join(): void {
    const real = this.#make();
    const model = new OutlierModel(this.#rules, this.#peers);
    this.#peers.members.push(model);
    this.#all.push({ real, model, pair: new BreakerPair(real, model.breaker) });
    this.#compare();
  }

  /** A member goes; its calls may go on. */
  leave(which: number): void {
    this.#member(which).model.present = false;
    this.#compare();
  }

  begin(which: number): void {
    this.#begin(this.#member(which));
    this.#compare();
  }

  end(which: number, outcome: Outcome): void {
    this.#end(which % this.#running.length, outcome);
    this.#compare();
  }

  /** So many calls to a member after one another, each of so many ms, of which every so manieth fails. */
  calls(which: number, count: number, ms: number, every: number): void {
    for (let i = 1; i <= count; i++) {
      this.#begin(this.#member(which));
      this.#now += ms;
      this.#end(this.#running.length - 1, i % every === 0 ? 'failure' : 'success');
      this.#compare();
    }
  }

  /** So many calls to each member, all at once and of so many ms; one member's are of other kind. */
  round(count: number, ms: number, odd: number, oddMs: number, oddFails: number): void {
    const chosen = this.#member(odd);
    for (const pair of this.#present) for (let i = 0; i < count; i++) this.#begin(pair);
    const started = this.#running.splice(this.#running.length - count * this.present);
    const later = [ms, oddMs].sort((a, b) => a - b);
    const from = this.#now;
    for (const wait of new Set(later)) {
      this.#now = from + wait;
      let n = 0;
      for (const call of started) {
        if ((call.pair === chosen ? oddMs : ms) !== wait) continue;
        this.#running.push(call);
        const fails = call.pair === chosen && n++ < oddFails;
        this.#end(this.#running.length - 1, fails ? 'failure' : 'success');
        this.#compare();
      }
    }
  }

  wait(ms: number): void {
    this.#now += ms;
    this.#compare();
  }

  /** Goes on to the end of an interval, or so many ms before or after. */
  interval(by: number): void {
    const { interval } = this.#rules;
    this.#now = Math.max(this.#now, (Math.floor(this.#now / interval) + 1) * interval + by);
    this.#compare();
  }

  finish(): void {
    while (this.running > 0) this.end(0, 'success');
  }

  get #present(): Pair[] {
    return this.#all.filter(({ model }) => model.present);
  }

  #member(which: number): Pair {
    return this.#present[which % this.present]!;
  }

  #begin(pair: Pair): void {
    pair.real.begin(this.#now);
    const phase = pair.model.begin(this.#now);
    this.#running.push({ pair, startedAt: this.#now, epoch: pair.real.epoch, phase });
    pair.pair.compare(this.#now);
  }

  #end(which: number, outcome: Outcome): void {
    const { pair, startedAt, epoch, phase } = this.#running.splice(which, 1)[0]!;
    const elapsed = this.#now - startedAt;
    pair.real.end(outcome, elapsed, epoch, this.#now);
    pair.model.end(outcome, elapsed, phase, this.#now);
  }

  #compare(): void {
    for (const { pair } of this.#all) pair.compare(this.#now);
  }
}
