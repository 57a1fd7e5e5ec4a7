import type { Breaker } from 'fairlead/core';
import type { BreakerModel } from './breaker-model.ts';
import { holds, same } from './walk.ts';

/** A breaker beside its model. */
export class BreakerPair {
  readonly #breaker: Breaker;
  readonly #model: BreakerModel;
  /** The epoch of each phase. */
  readonly #epochs: number[] = [];

  constructor(breaker: Breaker, model: BreakerModel) {
    this.#breaker = breaker;
    this.#model = model;
  }

  /** Throws if they differ in what they say of now, or of later. */
  compare(now: number): void {
    const { state, epoch } = this.#breaker;
    const { phases, phase } = this.#model;
    same('the state', state, phase.state);
    const number = phases.length - 1;
    if (this.#epochs.length === number) {
      holds(!this.#epochs.includes(epoch), () => `epoch ${epoch} has been before`);
      this.#epochs.push(epoch);
      if (state === 'open') this.#measure(now);
    }
    same('the epoch', epoch, this.#epochs[number]!);
    for (const ahead of [0, 1, 37, 1000]) {
      const then = now + ahead;
      const says = this.#breaker.allows(then);
      same(`whether it allows a call ${ahead} ms from now`, says, this.#model.allows(then));
    }
  }

  /** Chance has its part in how long it opens: within what the model says, it is as it is. */
  #measure(now: number): void {
    const from = Math.ceil(now);
    const [least, most] = this.#model.opens();
    const allows = (ahead: number): boolean => this.#breaker.allows(from + ahead);
    holds(!allows(least - 1), () => `open for less than ${least} ms`);
    holds(allows(most), () => `open for more than ${most} ms`);
    let openFor = least;
    for (let known = most; openFor < known; ) {
      const middle = Math.floor((openFor + known) / 2);
      if (allows(middle)) known = middle;
      else openFor = middle + 1;
    }
    this.#model.phase.openFor = openFor;
  }
}
