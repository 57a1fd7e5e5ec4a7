import type { Random } from '../base/env.ts';
import type { Member } from '../model/member.ts';
import { Census, isWell } from './census.ts';
import type { Ration, Rations } from './rations.ts';

export interface WarmthSettings {
  readonly window: number;
  readonly minShare: number;
  readonly aggression: number;
  readonly recovered: boolean;
}

/** How far a member has warmed up. Outlasts sets. */
export interface Start {
  /** Since when it warms up; negative infinity if it does not. */
  since: number;
  /** Whether it was not well at the latest look. */
  out: boolean;
  readonly ration: Ration;
}

const WARM = Number.NEGATIVE_INFINITY;

/** How many times their share the others may get at most, because so many warm up at once. */
const SURGE = 1.5;

/** Works out what part of their share the members of a set may have that warm up. */
export class Warmth {
  /** The rations of those that warm up, as of the latest `look`. */
  readonly warming: Map<Member, Ration> = new Map();
  readonly #members: readonly Member[];
  readonly #starts: readonly Start[];
  readonly #settings: WarmthSettings;
  readonly #rations: Rations;
  readonly #random: Random;
  readonly #census: Census;
  readonly #heaviest: number;

  constructor(
    members: readonly Member[],
    starts: readonly Start[],
    settings: WarmthSettings,
    rations: Rations,
    random: Random,
  ) {
    this.#members = members;
    this.#starts = starts;
    this.#settings = settings;
    this.#rations = rations;
    this.#random = random;
    this.#census = new Census(members);
    this.#heaviest = members.reduce((most, { weight }) => Math.max(most, weight), 0);
  }

  look(now: number): void {
    if (!this.#census.due(now)) return;
    const { warming } = this;
    const starts = this.#starts;
    warming.clear();
    let warm = 0;
    let cold = 0;
    for (let i = 0; i < starts.length; i++) {
      if (!this.#isWell(i, now)) continue;
      if (starts[i]!.since === WARM) warm += this.#weight(i);
      else {
        cold += this.#weight(i);
        warming.set(this.#members[i]!, starts[i]!.ration);
      }
    }
    if (cold === 0) return;
    if (warm === 0) {
      for (const start of starts) start.since = WARM;
      warming.clear();
      return;
    }
    const least = ((warm + cold) / SURGE - warm) / cold;
    let total = warm;
    for (let i = 0; i < starts.length; i++) {
      const { since, out, ration } = starts[i]!;
      if (since === WARM || out) continue;
      // Never less than before: a key that has moved to it stays.
      ration.share = Math.min(1, Math.max(ration.share, least, this.#part(now - since)));
      total += ration.share * this.#weight(i);
    }
    for (let i = 0; i < starts.length; i++) {
      const { ration } = starts[i]!;
      ration.rate = (ration.share * this.#weight(i)) / total;
    }
  }

  /** Takes in how a member is. */
  #isWell(i: number, now: number): boolean {
    const start = this.#starts[i]!;
    const well = isWell(this.#members[i]!);
    if (well && start.out && this.#settings.recovered) {
      start.since = now;
      this.#rations.reset(start.ration, this.#random);
    }
    start.out = !well;
    if (now - start.since >= this.#settings.window) start.since = WARM;
    return well;
  }

  #part(elapsed: number): number {
    const { window, minShare, aggression } = this.#settings;
    return Math.max(minShare, (elapsed > 0 ? elapsed / window : 0) ** (1 / aggression));
  }

  #weight(i: number): number {
    return this.#members[i]!.weight / this.#heaviest;
  }
}
