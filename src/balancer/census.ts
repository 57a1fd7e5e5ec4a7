import type { Member } from '../model/member.ts';
import type { Vitals } from '../model/vitals.ts';

/**
 * For how long a count of members by state stands though no breaker is known to have moved, in ms: one of the user's
 * may move by itself.
 */
const STALE = 100;

/** Tells when members must be counted by their state again: rarely, for it takes O(n). */
export class Census {
  readonly #vitals: Vitals;
  #moves = Number.NaN;
  #takenAt = Number.NEGATIVE_INFINITY;

  constructor(members: readonly Member[]) {
    this.#vitals = members[0]!.vitals;
  }

  /** Whether it is time; if so, it counts as done. */
  due(now: number): boolean {
    const { moves } = this.#vitals;
    if (moves === this.#moves && now - this.#takenAt < STALE) return false;
    this.#moves = moves;
    this.#takenAt = now;
    return true;
  }
}

/** Whether a member is well, for all that is known. A breaker that throws is not heard. */
export function isWell({ breaker, unhealthy, isolated }: Member): boolean {
  try {
    return breaker.state === 'closed' && !unhealthy && !isolated;
  } catch {
    return true;
  }
}

/** Whether a member is out, and its breaker waits for a call to find out if it is well again. */
export function isDue(member: Member, now: number): boolean {
  try {
    return !isWell(member) && !member.spared && member.free && member.available(now);
  } catch {
    return false;
  }
}

/** Weights as they may be added up: more than this each, and a sum of many might be infinite. */
const HEAVIEST = 1e290;

export const weigh = (members: readonly Member[]): number => {
  let sum = 0;
  for (let i = 0; i < members.length; i++) sum += Math.min(HEAVIEST, members[i]!.weight);
  return sum;
};

/** The weight of those that are well, and have not asked to be left alone. */
export const weighWell = (members: readonly Member[], now: number): number => {
  let sum = 0;
  for (let i = 0; i < members.length; i++) {
    const member = members[i]!;
    if (now >= member.coolUntil && isWell(member)) sum += Math.min(HEAVIEST, member.weight);
  }
  return sum;
};
