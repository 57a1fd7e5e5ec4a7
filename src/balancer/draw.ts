import { Dice } from '../base/dice.ts';
import type { Random } from '../base/env.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';

/** Draws before all members are looked at: with half of them refused, one pick in 256 gets so far. */
const DRAWS = 8;

/**
 * Draws the index of a member that the call accepts, by weight; -1 if it accepts none. O(1) as long as most members
 * are acceptable.
 */
export function acceptedDraw(
  members: readonly Member[],
  random: Random,
): (call: Call, now: number) => number {
  const dice = new Dice(random);
  const draw = weightedDraw(members, dice);
  return (call, now) => {
    for (let n = 0; n < DRAWS; n++) {
      const i = draw();
      if (call.accepts(members[i]!, now)) return i;
    }
    // Most are refused. One pass that keeps each acceptable member with its weight's share of those so far draws from
    // the same distribution.
    let chosen = -1;
    let sum = 0;
    for (let i = 0; i < members.length; i++) {
      const member = members[i]!;
      if (!call.accepts(member, now)) continue;
      sum += member.weight;
      if (chosen < 0 || (dice.word() >>> 0) * 2 ** -32 * sum < member.weight) chosen = i;
    }
    return chosen;
  };
}

/**
 * Draws the index of a member with a probability in proportion to its weight, in O(1).
 * Walker's alias method (ACM TOMS 3(3), 1977), its table built as by Vose (IEEE TSE 17(9), 1991).
 */
function weightedDraw(members: readonly Member[], dice: Dice): () => number {
  const size = members.length;
  if (members.every(member => member.weight === members[0]!.weight)) return () => dice.below(size);
  const largest = members.reduce((most, { weight }) => Math.max(most, weight), 0);
  const total = members.reduce((sum, { weight }) => sum + weight / largest, 0); // divided, so that it stays finite
  const share = Float64Array.from(members, ({ weight }) => (weight / largest / total) * size);
  const alias = Uint32Array.from(members, (_, i) => i);
  const small: number[] = [];
  const large: number[] = [];
  for (let i = 0; i < size; i++) (share[i]! < 1 ? small : large).push(i);
  while (small.length > 0 && large.length > 0) {
    const less = small.pop()!;
    const more = large[large.length - 1]!;
    alias[less] = more;
    share[more]! -= 1 - share[less]!;
    if (share[more]! < 1) small.push(large.pop()!);
  }
  for (const i of [...small, ...large]) share[i] = 1; // what rounding left over
  return () => {
    const i = dice.below(size);
    return (dice.word() >>> 0) * 2 ** -32 < share[i]! ? i : alias[i]!;
  };
}
