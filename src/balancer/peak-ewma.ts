import { Awake } from '../base/awake.ts';
import type { Env } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import { checkOptions, type Settled } from '../base/options.ts';
import type { Flight, Load } from '../model/load.ts';
import type { Outcome } from '../model/outcome.ts';
import { Crowd, crowding } from './crowd.ts';

export interface PeakEwmaOptions {
  /** Time constant of the average, in ms: after so long without news, e times less. Default: 10 000. */
  readonly decay?: number | undefined;
  /** By how much one failure multiplies the cost. Default: 10. 1 turns it off. */
  readonly failurePenalty?: number | undefined;
  /** In how many ms the penalty of a first failure halves. Each further failure in a row doubles it. Default: 1000. */
  readonly failureHalfLife?: number | undefined;
}

/**
 * Latency times what is in flight, where latency is an average that jumps up with a peak and comes down slowly
 * (Finagle's PeakEwma), or the age of the oldest attempt still outstanding if that is more, so that a stall shows
 * before its time-out. What all members have in flight counts little, what one has more than others counts more than in
 * proportion. While this process stands still nobody grows slow by it (docs/decisions/0043-own-pauses.md). A failure
 * never makes a member look fast: it leaves the average alone or raises it, and multiplies the cost, for longer with each
 * in a row; one that asks to be left alone (`Retry-After`) keeps it for as long. Decays when looked at, without a timer.
 *
 * Members nobody has called yet are free for one call and dear until that is back. But one that joins others counts
 * as their typical latency, give or take, until its own is known: were it free, all clients would fall upon it.
 *
 * @throws RangeError for an option out of range
 */
export function peakEwma(options: PeakEwmaOptions = {}): (env?: Env) => Load {
  checkOptions('peakEwma', options, { decay: 1, failurePenalty: 1, failureHalfLife: 1 });
  const { decay = 10_000, failurePenalty = 10, failureHalfLife = 1000 } = options;
  checkNumber('peakEwma decay', decay, Number.MIN_VALUE);
  checkNumber('peakEwma failurePenalty', failurePenalty, 1);
  checkNumber('peakEwma failureHalfLife', failureHalfLife, Number.MIN_VALUE);
  const settings = { decay, failurePenalty, failureHalfLife };
  const crowd = new Crowd(1 / decay);
  return env => new PeakEwma(settings, crowd, env);
}

/** How far up at most chance puts a newcomer, lest all clients try it in the same moment. */
const SPREAD = 1;
/** What a member that asks to be left alone costs at least, in times of its latency. */
const ALONE = 1000;

/**
 * What one success counts for in the average at least: a peak of this process's own making (it stood still, and so all
 * members looked slow) is forgotten after some hundred calls that went well. A member that gets no calls keeps its peak.
 */
const SAMPLE = 1 / 200;

/** What a newcomer with an attempt outstanding costs, per attempt: more than any latency. */
const UNKNOWN = 1e9;
/** Bounds of the failure penalty. */
const WORST = 1e12;
const LONGEST_STREAK = 7;
/** What a success leaves of the penalty: one failure in ten is then forgiven about as fast as it adds up. */
const RELIEF = 0.8;
/** Latencies below this, in ms, are alike: such differences are of this process's making, not of the members'. */
const LEAST = 1;

class PeakEwma implements Load {
  // What a pick reads comes first, to be near each other in memory.
  readonly #crowd: Crowd;
  /** As of #stamp; negative while there is no latency to go by. */
  #average = -1;
  #stamp = 0;
  #count = 0;
  /** As of #failedAt: the factor above 1. */
  #penalty = 0;
  /** The attempts outstanding, linked in the order they began. */
  #oldest: Flight | undefined = undefined;
  #newest: Flight | undefined = undefined;
  #crowding = 1;
  /** Its weight as of its latest attempt; 0 before there is one. */
  #weight = 0;
  #failedAt = 0;
  /** Failures in a row. */
  #streak = 0;
  /** Until when it asked to be left alone: the penalty stays so long. */
  #aloneUntil = 0;
  /** When the latest failure was known. */
  #knownAt = Number.NEGATIVE_INFINITY;
  readonly #awake: Awake;
  readonly #settings: Settled<PeakEwmaOptions>;

  constructor(settings: Settled<PeakEwmaOptions>, crowd: Crowd, env: Env | undefined) {
    this.#settings = settings;
    this.#crowd = crowd;
    this.#awake = env === undefined ? NO_PAUSES : crowd.awakeBy(env.clock);
    if (env === undefined || crowd.typical < 0) return;
    this.#average = crowd.typical * (1 + SPREAD * env.random());
    this.#stamp = env.clock.now();
  }

  begin(flight: Flight): void {
    const { startedAt, weight = 1 } = flight;
    const crowd = this.#crowd;
    if (this.#count > 0 && weight !== this.#weight) crowd.busy(-1, this.#weight);
    if (this.#count === 0 || weight !== this.#weight) crowd.busy(1, weight);
    this.#weight = weight;
    crowd.begin(weight);
    this.#counted(1);
    this.#awake.begin(startedAt);
    flight.beganAt = this.#awake.at(startedAt);
    flight.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = flight;
    else this.#newest.newer = flight;
    this.#newest = flight;
  }

  end(flight: Flight, outcome: Outcome, now: number): void {
    const crowd = this.#crowd;
    this.#counted(-1);
    if (this.#count === 0) crowd.busy(-1, this.#weight);
    crowd.end();
    this.#awake.end();
    const { older, newer } = flight;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    flight.older = flight.newer = undefined;

    if (outcome === 'success') {
      if (now >= this.#aloneUntil) {
        if (this.#penalty !== 0) {
          this.#penalty = this.#penaltyAt(now) * RELIEF;
          this.#failedAt = now;
        }
        this.#streak = 0;
      }
    } else if (outcome === 'failure') {
      // Attempts that ran side by side fail for one reason: those that began before it was known say nothing new.
      if (flight.startedAt >= this.#knownAt) {
        const { failurePenalty } = this.#settings;
        this.#penalty = Math.min(WORST, (this.#penaltyAt(now) + 1) * failurePenalty - 1);
        this.#failedAt = now;
        this.#streak = Math.min(LONGEST_STREAK, this.#streak + 1);
      }
      this.#knownAt = now;
      if (flight.retryAfter! > 0) {
        this.#penalty = Math.max(this.#penalty, ALONE);
        this.#aloneUntil = this.#failedAt = Math.max(this.#aloneUntil, now + flight.retryAfter!);
      }
    }
    // However it ended, it took at least so long: a caller that gives up on a stalled member teaches that, too.
    const elapsed = this.#awake.at(now) - flight.beganAt!;
    CELL[0] = (now - this.#stamp) * crowd.rate;
    fade(CELL, 0);
    const left = CELL[0];
    const average = this.#average * left; // negative while unknown
    if (elapsed > average) this.#average = elapsed;
    else if (outcome !== 'success') return;
    // By how much the old has faded is what the new adds.
    else {
      const added = 1 - left;
      this.#average =
        added < SAMPLE ? this.#average + (elapsed - this.#average) * SAMPLE : average + elapsed * added;
    }
    this.#stamp = now;
    if (outcome === 'success') crowd.learn(this.#average, now);
  }

  get suspect(): boolean {
    return this.#streak > 0;
  }

  cost(now: number): number {
    this.costInto(CELL, 0, now);
    return CELL[0]!;
  }

  costInto(costs: Float64Array, at: number, now: number): void {
    const crowd = this.#crowd;
    let cost = this.#average;
    if (cost < 0) {
      cost = UNKNOWN * this.#count;
    } else {
      const x = (now - this.#stamp) * crowd.rate;
      if (x > 0 && x < 0.5) {
        // As `fade` has it. Once more, for the way through its array takes a fifth of a pick.
        const xx = x * x;
        cost *= 1 - x + xx * (1 / 2 - x * (1 / 6) + xx * (1 / 24 - x * (1 / 120) + xx * (1 / 720)));
      } else if (x > 0) {
        cost *= Math.exp(-x);
      }
      const oldest = this.#oldest;
      if (oldest !== undefined) cost = Math.max(cost, this.#awake.at(now) - oldest.beganAt!);
      cost = Math.max(cost, LEAST);
      // In this order, for most members are idle, and what is not asked for need not be in the nearest cache.
      if (this.#count > 0) cost *= this.#crowding + this.#weight * crowd.shared;
      else if (crowd.shared > 0) cost *= 1 + crowd.sharedBy(this.#weight);
    }
    if (this.#penalty !== 0) cost *= 1 + this.#penaltyAt(now);
    costs[at] = cost;
  }

  forgive(): void {
    this.#average = this.#crowd.typical;
    this.#stamp = this.#crowd.seenAt;
    this.#penalty = this.#streak = this.#aloneUntil = 0;
  }

  #counted(by: 1 | -1): void {
    this.#count += by;
    if (this.#count > 0) this.#crowding = crowding(this.#count, this.#crowd.weight / this.#weight);
  }

  #penaltyAt(now: number): number {
    if (this.#penalty === 0) return 0;
    const halfLife = this.#settings.failureHalfLife * 2 ** Math.max(0, this.#streak - 1);
    const left = this.#penalty * 2 ** (Math.min(0, this.#failedAt - now) / halfLife);
    return left < 0.01 ? 0 : left;
  }
}

/** For loads that are used without a client. */
const NO_PAUSES = /* @__PURE__ */ new Awake();

/** For one number at a time. */
const CELL = /* @__PURE__ */ new Float64Array(1);

/**
 * Puts e^-x in the place of x, or 1 if x is less than 0; within 2 in a million, by the first terms of its series, where
 * that is more than a half or so. In an array, for V8 may allocate what a function is given and answers.
 */
function fade(values: Float64Array, at: number): void {
  const x = values[at]!;
  if (x > 0 && x < 0.5) {
    // Grouped by squares, so that a processor works on several terms at once; a division takes as long as all of it.
    const xx = x * x;
    values[at] = 1 - x + xx * (1 / 2 - x * (1 / 6) + xx * (1 / 24 - x * (1 / 120) + xx * (1 / 720)));
  } else {
    values[at] = x > 0 ? Math.exp(-x) : 1;
  }
}
