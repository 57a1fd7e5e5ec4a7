import type { Balancer } from './balancer.ts';
import { HashRing, type HashRingOptions } from './hash-ring.ts';

/**
 * Consistent hashing (Karger et al., STOC 1997): a call goes to the owner of its key; while the call does not accept
 * the owner, to the next member round the ring that it accepts. A call without a key goes to a random place.
 *
 * A member's points depend on its id, its weight and the hash alone, so a change of the set moves no key between
 * members that stay.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function ring(options: HashRingOptions = {}): Balancer {
  const points = new HashRing(options);
  const { hash } = points;
  return {
    picker(members, { random }) {
      points.update(members.map(({ endpoint: { id }, weight }) => ({ id, weight })));
      const { table } = points;
      const bySlot: (typeof members)[number][] = [];
      for (const member of members) bySlot[points.slots.get(member.endpoint.id)!.number] = member;
      /** Marks the slots that a walk has passed with the walk's number, so that each is asked once. */
      const seen = new Float64Array(bySlot.length);
      let walk = 0;
      return (call, now) => {
        let at = table.find(call.key === undefined ? (random() * 2 ** 32) >>> 0 : hash(call.key) >>> 0);
        let slot = table.owner(at);
        if (call.accepts(bySlot[slot]!, now)) return bySlot[slot];
        seen[slot] = ++walk;
        for (let left = members.length - 1; left > 0; ) {
          at = at + 1 === table.count ? 0 : at + 1;
          slot = table.owner(at);
          if (seen[slot] === walk) continue;
          seen[slot] = walk;
          left--;
          if (call.accepts(bySlot[slot]!, now)) return bySlot[slot];
        }
        return undefined;
      };
    },
  };
}
