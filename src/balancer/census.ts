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

/** Whether nothing is held against a member. A breaker that throws is not heard. */
export function isWell({ breaker, unhealthy, isolated }: Member): boolean {
  try {
    return breaker.state === 'closed' && !unhealthy && !isolated;
  } catch {
    return true;
  }
}

/**
 * So many calls in a row that failed say that a member is not well, before its breaker does: a breaker may need more, and
 * a balancer that avoids whoever fails may keep it from getting them. One failure may be chance.
 */
const ILL = 2;
/** For how long such a member is left alone, in ms: as long as it has been failing for, but within these bounds. */
const SHORTEST_REST = 1000;
const LONGEST_REST = 30_000;

/** Whether a member is well, and its latest calls do not say otherwise. */
export const isSound = (member: Member): boolean => member.failing < ILL && isWell(member);

/**
 * Whether a call should find out about a member whose breaker is closed and whose latest call failed: at once after the
 * first failure, and then after rests.
 */
export function isDoubtful(member: Member, now: number): boolean {
  const { failing, failingSince, failedAt, inFlight } = member;
  if (failing === 0 || inFlight > 0 || !isWell(member)) return false;
  const rest = Math.min(LONGEST_REST, Math.max(SHORTEST_REST, failedAt - failingSince));
  return failing < ILL || now - failedAt >= rest;
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

/** The weight of those that are well as far as is known, and have not asked to be left alone. */
export const weighWell = (members: readonly Member[], now: number): number => {
  let sum = 0;
  for (let i = 0; i < members.length; i++) {
    const member = members[i]!;
    if (now >= member.coolUntil && isSound(member)) sum += Math.min(HEAVIEST, member.weight);
  }
  return sum;
};
