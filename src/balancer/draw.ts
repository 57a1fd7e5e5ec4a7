import { below, type Random } from '../base/env.ts';
import type { Member } from '../model/member.ts';

/**
 * Draws the index of a member with a probability in proportion to its weight, in O(1).
 * Walker's alias method (ACM TOMS 3(3), 1977), its table built as by Vose (IEEE TSE 17(9), 1991).
 */
export function weightedDraw(members: readonly Member[], random: Random): () => number {
  const size = members.length;
  if (members.every(member => member.weight === members[0]!.weight)) return () => below(random, size);
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
    const spot = random() * size;
    const i = Math.floor(spot);
    return spot - i < share[i]! ? i : alias[i]!;
  };
}
