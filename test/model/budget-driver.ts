import { type RetryBudget, type RetryBudgetOptions, retryBudget } from 'fairlead/core';
import type { Settled } from '../../src/base/options.ts';
import { BudgetModel } from './budget-model.ts';
import { type Driver, holds, same } from './walk.ts';

/** A retry budget used as `retry` uses it. */
export class BudgetDriver implements Driver {
  readonly #budget: RetryBudget;
  readonly #model: BudgetModel;
  readonly #window: number;
  #waiting = 0;
  #now = 0;

  constructor(options: Settled<RetryBudgetOptions>) {
    this.#budget = retryBudget(options);
    this.#model = new BudgetModel(options);
    this.#window = options.window;
  }

  get waiting(): number {
    return this.#waiting;
  }

  calls(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#budget.deposit(this.#now);
      this.#model.deposit(this.#now);
    }
  }

  /** A retry is asked for, which would be made at once or would have to wait. */
  retry(later: boolean): void {
    this.#retry(later);
  }

  /** As many retries as there are to be had, up to so many. */
  retries(most: number, later: boolean): void {
    for (let i = 0; i < most && this.#retry(later); i++);
  }

  /** A retry that waited is made. */
  wake(): void {
    this.#waiting--;
    this.#budget.waits!(-1, this.#now);
    this.#model.waits(-1, this.#now);
  }

  wait(ms: number): void {
    this.#now += ms;
  }

  /** Goes on by so many tenths of the window, and so many ms. */
  tenths(count: number, ms: number): void {
    this.#now += Math.max(0, (count * this.#window) / 10 + ms);
  }

  finish(): void {
    while (this.#waiting > 0) this.wake();
    this.#now += 3 * this.#window;
    // All is forgotten: what there is in any case is there, and no more.
    let granted = 0;
    while (granted <= 1000 && this.#retry(false)) granted++;
    if (granted <= 1000) same('how many are granted after a rest', granted, Math.floor(this.#model.floor));
  }

  #retry(later: boolean): boolean {
    const granted = this.#budget.withdraw(this.#now);
    same('whether a retry is granted', granted, this.#model.withdraw(this.#now));
    if (granted && later) {
      this.#waiting++;
      this.#budget.waits!(1, this.#now);
      this.#model.waits(1, this.#now);
    }
    if (granted)
      holds(this.#model.keeps(this.#now), () => `more retries within ${this.#window} ms than stated`);
    return granted;
  }
}
