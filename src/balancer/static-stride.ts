import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Preference } from './balancer.ts';
import { tame } from './phases.ts';
import { Stride } from './stride.ts';

/**
 * Members in turn, each as often as its weight says, by gRPC's static stride scheduler (gRFC A58): round after round,
 * a member is passed over until its weight has added up to a turn. Exact for any weights, without a schedule: 16 bytes
 * for each member, and turns go on from where they were when a weight changes. Starts at a random turn.
 *
 * A pick takes largest / mean weight looks on average, two passes over the set at most. `weightedRoundRobin` takes one
 * and spreads turns more evenly, but its schedule takes longer to make.
 */
export function staticStride(): Balancer {
  let latest: Stride | undefined;
  return {
    picker(members, { random }) {
      const stride = new Stride(members, tame(members), random, latest);
      latest = stride;
      const pick = (call: Call, now: number): Member | undefined => stride.pick(call, now);
      const explain = (call: Call, now: number): readonly Preference[] => stride.explain(call, now);
      return Object.assign(pick, { explain });
    },
  };
}
