import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Balancer } from './balancer.ts';
import { byWeight } from './by-weight.ts';
import { acceptedDraw } from './draw.ts';

/** A member at random, in proportion to its weight. O(1) as long as most members are available. */
export function random(): Balancer {
  return {
    picker(members, { random: chance }) {
      const draw = acceptedDraw(members, chance);
      const pick = (call: Call, now: number): Member | undefined => {
        const i = draw(call, now);
        return i < 0 ? undefined : members[i];
      };
      return Object.assign(pick, { explain: byWeight(members, 'drawn by weight') });
    },
  };
}
