import type { Balancer } from './balancer.ts';
import { weightedDraw } from './draw.ts';

/** Draws before all members are looked at: with half of them refused, one pick in 256 gets so far. */
const DRAWS = 8;

/** A member at random, in proportion to its weight. O(1) as long as most members are available. */
export function random(): Balancer {
  return {
    picker(members, { random: chance }) {
      const draw = weightedDraw(members, chance);
      return (call, now) => {
        for (let i = 0; i < DRAWS; i++) {
          const member = members[draw()]!;
          if (call.accepts(member, now)) return member;
        }
        // Most are refused. One pass that keeps each acceptable member with its weight's share of those so far
        // draws from the same distribution.
        let chosen: (typeof members)[number] | undefined;
        let sum = 0;
        for (const member of members) {
          if (!call.accepts(member, now)) continue;
          sum += member.weight;
          if (chosen === undefined || chance() * sum < member.weight) chosen = member;
        }
        return chosen;
      };
    },
  };
}
