import { Awake } from '../base/awake.ts';
import type { Clock } from '../base/env.ts';

/** What `peakEwma` knows of all members together. */
export class Crowd {
  /** What of an average fades in a ms. */
  readonly rate: number;
  /** Their average latency, each as often as it is called; negative while unknown. */
  typical = -1;
  seenAt = 0;
  /** Their average weight, each as often as it is called. */
  weight = 0;
  /** What counts at each of them, times its weight, beside the attempts that it has. */
  shared = 0;
  /** Attempts at all of them; how many have any, and what these weigh. */
  #inFlight = 0;
  #busy = 0;
  #busyWeight = 0;
  /** Of how many the average weight is. */
  #weighed = 0;
  readonly #awake = new WeakMap<Clock, Awake>();

  constructor(rate: number) {
    this.rate = rate;
  }

  /** The time by which latencies are told: one for each client, for each has a clock of its own. */
  awakeBy(clock: Clock): Awake {
    const awake = this.#awake.get(clock) ?? new Awake(clock);
    this.#awake.set(clock, awake);
    return awake;
  }

  /** An attempt begins at one of such a weight. */
  begin(weight: number): void {
    this.#weighed = Math.min(this.#weighed + 1, WEIGHED);
    this.weight += (weight - this.weight) / this.#weighed;
    this.#inFlight++;
    this.#share();
  }

  /** An attempt is over. */
  end(): void {
    this.#inFlight--;
    this.#share();
  }

  /** One has its first attempt, or no more (-1). */
  busy(by: 1 | -1, weight: number): void {
    this.#busy += by;
    this.#busyWeight = this.#busy === 0 ? 0 : this.#busyWeight + by * weight;
  }

  /** A member's average after a success. */
  learn(average: number, now: number): void {
    this.typical = this.typical < 0 ? average : this.typical + (average - this.typical) * NEWS;
    this.seenAt = now;
  }

  /**
   * What counts at an idle one of such a weight. Once it has an attempt it is one of those among whom they are shared, and
   * must not cost less by it.
   */
  sharedBy(weight: number): number {
    const then = (SHARED * (this.#inFlight - this.#busy)) / (this.#busyWeight + weight);
    const first = ALMOST * crowding(1, this.weight / weight) - 1;
    return Math.min(weight * this.shared, weight * then + Math.max(0, first));
  }

  #share(): void {
    this.shared = this.#busyWeight > 0 ? (SHARED * (this.#inFlight - this.#busy)) / this.#busyWeight : 0;
  }
}

/** What one more latency counts for in the typical one. */
const NEWS = 1 / 32;
/** Over how many calls weights are averaged, so that one of them never makes a member look lighter than it did. */
const WEIGHED = 1024;

/**
 * What an attempt counts for at every member, for each that is usual beside another just now. Else a slow one would look
 * cheap whenever it is idle and many calls come at once: what others have in flight is most often no queue.
 */
const SHARED = 3;
/** An idle member may look as dear as with one attempt, but for so much, lest rounding tell. */
const ALMOST = 0.99;

/**
 * What one more attempt beside so many multiplies the latency by: more than in proportion, for where there is a queue it
 * tells. One that is lighter than usual by such a factor is meant to have fewer.
 */
export const crowding = (inFlight: number, lightness: number): number => {
  const next = inFlight + 1;
  return Math.max(1, next * Math.sqrt(next * lightness));
};
