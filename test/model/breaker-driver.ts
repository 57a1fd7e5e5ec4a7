import {
  type Breaker,
  type BreakerState,
  consecutiveFailures,
  failureRate,
  type Outcome,
} from 'fairlead/core';
import { seededRandom } from 'fairlead/testing';
import { BreakerModel, type OpenRules } from './breaker-model.ts';
import { BreakerPair } from './breaker-pair.ts';
import { failedOrSlow, inARow, type RateRules, tooMany } from './breaker-rules.ts';
import type { Driver } from './walk.ts';

export type BreakerOptions = OpenRules & { readonly seed: number } & (
    | { readonly kind: 'consecutiveFailures'; readonly threshold: number; readonly failingFor: number }
    | ({ readonly kind: 'failureRate' } & RateRules)
  );

interface Running {
  readonly startedAt: number;
  readonly epoch: number;
  readonly phase: number;
}

/** A breaker driven as a member drives it. */
export class BreakerDriver implements Driver {
  readonly #breaker: Breaker;
  readonly #model: BreakerModel;
  readonly #pair: BreakerPair;
  readonly #running: Running[] = [];
  #now = 0;

  constructor(options: BreakerOptions) {
    const after = (): never => {
      throw new Error('a breaker must not set timers');
    };
    const env = { random: seededRandom(options.seed), clock: { now: () => this.#now, after } };
    const { kind: _, seed: __, ...given } = options;
    if (options.kind === 'failureRate') {
      this.#breaker = failureRate(given)(env);
      this.#model = new BreakerModel(options, failedOrSlow(options), tooMany(options));
    } else {
      this.#breaker = consecutiveFailures(given)(env);
      this.#model = new BreakerModel(options, ({ what }) => what === 'failure', inARow(options));
    }
    this.#pair = new BreakerPair(this.#breaker, this.#model);
    this.#compare();
  }

  get running(): number {
    return this.#running.length;
  }

  get state(): BreakerState {
    return this.#model.phase.state;
  }

  begin(): void {
    this.#breaker.begin(this.#now);
    const phase = this.#model.begin(this.#now);
    this.#running.push({ startedAt: this.#now, epoch: this.#breaker.epoch, phase });
    this.#compare();
  }

  /** Ends one of the calls that run. */
  end(which: number, outcome: Outcome): void {
    const [{ startedAt, epoch, phase }] = this.#running.splice(which % this.#running.length, 1) as [Running];
    const elapsed = this.#now - startedAt;
    this.#breaker.end(outcome, elapsed, epoch, this.#now);
    this.#model.end(outcome, elapsed, phase, this.#now);
    this.#compare();
  }

  /** So many calls after one another that end the same way. */
  calls(count: number, outcome: Outcome): void {
    for (let i = 0; i < count; i++) {
      this.begin();
      this.end(this.#running.length - 1, outcome);
    }
  }

  hint(): void {
    this.#breaker.hint!(this.#now);
    this.#model.hint();
    this.#compare();
  }

  wait(ms: number): void {
    this.#now += ms;
    this.#compare();
  }

  /** Goes on to so many ms after it may be probed, or before. */
  lapse(by: number): void {
    const open = this.#model.phases.findLast(({ state }) => state === 'open')!;
    this.#now = Math.max(this.#now, Math.ceil(open.at) + open.openFor + by);
    this.#compare();
  }

  finish(): void {
    while (this.running > 0) this.end(0, 'success');
  }

  #compare(): void {
    this.#pair.compare(this.#now);
  }
}
