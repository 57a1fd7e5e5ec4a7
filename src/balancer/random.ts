import type { Balancer } from './balancer.ts';
import { acceptedDraw } from './draw.ts';

/** A member at random, in proportion to its weight. O(1) as long as most members are available. */
export function random(): Balancer {
  return {
    picker(members, { random: chance }) {
      const draw = acceptedDraw(members, chance);
      return (call, now) => {
        const i = draw(call, now);
        return i < 0 ? undefined : members[i];
      };
    },
  };
}
