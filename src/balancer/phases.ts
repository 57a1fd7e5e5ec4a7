import type { Random } from '../base/env.ts';
import type { Member } from '../model/member.ts';

/** Spreads starting phases evenly however many there are: the golden ratio's fraction (Knuth, TAOCP 6.4). */
const GOLDEN = 0.6180339887498949;

/** How far each member of a set is on the way to its next turn, in units of which `turn` make one. */
export interface Phases {
  readonly members: readonly Member[];
  readonly values: Float64Array;
  readonly turn: number;
}

/**
 * The phases of a new set: those who stay are as near to their turn as before, newcomers are spread evenly over the
 * way, from a random place on.
 */
export function phases(members: readonly Member[], turn: number, random: Random, before?: Phases): Phases {
  const known = new Map(
    before?.members.map((member, i) => [member, before.values[i]! * (turn / before.turn)]),
  );
  const first = random();
  const values = Float64Array.from(
    members,
    (member, i) => known.get(member) ?? ((first + i * GOLDEN) % 1) * turn,
  );
  return { members, values, turn };
}

/** Weights as they can be added up: divided by the largest where their sum might not be finite. None is 0. */
export function tame(members: readonly Member[]): Float64Array {
  const largest = members.reduce((most, { weight }) => Math.max(most, weight), 0);
  const unit = largest > 1e150 || largest < 1e-150 ? largest : 1;
  return Float64Array.from(members, ({ weight }) => Math.max(Number.MIN_VALUE, weight / unit));
}
