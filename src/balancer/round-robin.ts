import { below } from '../base/env.ts';
import type { Balancer } from './balancer.ts';
import { inTurn } from './turns.ts';

/**
 * Each member in turn, whatever its weight, from a random first, so that many clients do not march in step.
 * The turns of a member that is refused go to all others alike, not to its neighbour.
 */
export function roundRobin(): Balancer {
  let turn: number | undefined;
  return {
    picker(members, { random }) {
      const order = inTurn(members, (turn ?? below(random, members.length)) % members.length);
      return (call, now) => {
        const member = order.next(call, now);
        turn = order.turn;
        return member;
      };
    },
  };
}
