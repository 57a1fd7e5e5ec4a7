import type { RetryBudgetOptions } from 'fairlead/core';
import type { Settled } from '../../src/base/options.ts';

/** A retry budget by lists of when calls and retries were made, looked through from the start whenever asked. */
export class BudgetModel {
  readonly #rules: Settled<RetryBudgetOptions>;
  readonly #calls: number[] = [];
  readonly #retries: number[] = [];
  #waiting = 0;

  constructor(rules: Settled<RetryBudgetOptions>) {
    this.#rules = rules;
  }

  deposit(now: number): void {
    this.#calls.push(now);
  }

  withdraw(now: number): boolean {
    const { ratio, window } = this.#rules;
    // Both are forgotten a tenth at a time; of retries ten tenths are looked back on beside the one that has begun.
    const calls = this.#calls.filter(at => tenth(at, window) > tenth(now, window) - 10).length;
    const longer = (window * 10) / 9;
    const retries = this.#retries.filter(at => tenth(at, longer) > tenth(now, longer) - 10).length;
    if (retries + this.#waiting + 1 > calls * ratio + this.floor) return false;
    this.#retries.push(now);
    return true;
  }

  /** The retry just granted waits, or one that waited is made. */
  waits(by: 1 | -1, now: number): void {
    this.#waiting += by;
    if (by === 1) this.#retries.pop();
    else this.#retries.push(now);
  }

  /** Whether the retries of the last window, and those that wait, are within what its calls allow. */
  keeps(now: number): boolean {
    const { ratio, window } = this.#rules;
    const since = (times: readonly number[]): number => times.filter(at => at > now - window).length;
    return since(this.#retries) + this.#waiting <= since(this.#calls) * ratio + this.floor;
  }

  /** How many retries there are in any case, over the window. */
  get floor(): number {
    return (this.#rules.minPerSecond * this.#rules.window) / 1000;
  }
}

const tenth = (at: number, window: number): number => Math.floor((at * 10) / window);
