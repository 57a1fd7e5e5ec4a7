import { below } from '../base/env.ts';
import type { Balancer } from './balancer.ts';
import { inTurn, type Turns } from './turns.ts';

/**
 * Each member in turn, whatever its weight, from a random first, so that many clients do not march in step.
 * The turns of a member that is refused go to all others alike, not to its neighbour.
 */
export function roundRobin(): Balancer {
  let turns: Turns | undefined;
  return {
    picker(members, { random }) {
      turns = inTurn(members, (turns?.turn ?? below(random, members.length)) % members.length);
      return turns.next;
    },
  };
}
