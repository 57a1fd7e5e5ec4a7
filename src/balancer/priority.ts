import type { Env } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import { type Call, PANIC } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Picker } from './balancer.ts';
import { exceeds, Groups, hasFailed, placeOf, sumUp } from './groups.ts';
import { type Inner, InnerBalancers } from './inner.ts';
import { explained } from './narrowed.ts';

export interface PriorityOptions {
  /**
   * How many times its mean load a member can bear, at least 1: so much of a level may be out before calls go to the
   * next. Default: 1.4, as in Envoy: 2 of 7.
   */
  readonly overprovisioning?: number | undefined;
}

/**
 * Calls go to the endpoints of the lowest `priority`, and as these fail, to the next (Envoy, `load_balancer_impl.cc`).
 * A level can take `overprovisioning` times the share of its weight that is well, and at most everything; each in its
 * turn, from the lowest up, takes what it can of what is left. Where all levels together cannot take everything, they
 * take it in proportion to what they can; where nobody is well, or in panic with so little, by their weights. Well is
 * whose breaker is closed, whose health checks pass, who has not asked to be left alone, and whose latest two calls did not
 * both fail. Numbers may have gaps: only their order counts.
 *
 * With balancers that go by keys the key decides on the level, so that no more keys move than have to. Single calls find
 * out how members are that would not be called, as in `preferZone`: those whose latest call failed, and in a level that
 * gets no calls those that wait for one to be found well again. Where nobody of a level is accepted, the levels stand in
 * from the lowest up; so a retry leaves a level whose members have all been tried.
 *
 * O(levels), and O(n) for the first pick after a breaker moved or 100 ms have passed, and for one that finds out.
 *
 * @param inner makes the balancer of each level
 * @throws RangeError or TypeError for a bad option
 */
export function priority(inner: Inner, options: PriorityOptions = {}): Balancer {
  const { overprovisioning = 1.4 } = checkOptions('priority', options, { overprovisioning: 1 });
  checkNumber('priority overprovisioning', overprovisioning, 1, Number.MAX_VALUE);
  const balancers = new InnerBalancers<number>('priority', inner);
  const { keyed = false } = balancers.first;
  return {
    ...balancers.common(),
    picker(members, env) {
      const levels = new Map<number, Member[]>();
      for (const member of members) {
        const { priority: level = 0 } = member.endpoint;
        const those = levels.get(level);
        if (those === undefined) levels.set(level, [member]);
        else those.push(member);
      }
      const order = [...levels.keys()].sort((a, b) => a - b);
      const groups = new Groups(levels, order, balancers, env);
      balancers.present(order, env.clock.now());
      return order.length === 1 ? groups.all[0]!.picker : pickerOf(groups, overprovisioning, keyed, env);
    },
  };
}

function pickerOf(groups: Groups<number>, overprovisioning: number, keyed: boolean, { random }: Env): Picker {
  const { all } = groups;
  const size = all.length;
  const weights = all.map(({ weight }) => weight);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const byWeight = Float64Array.from(weights, weight => weight / total);
  const usual = new Float64Array(size);
  const sums = new Float64Array(size);
  const inPanic = new Float64Array(size);
  const sumsInPanic = new Float64Array(size);
  const look = (now: number): void => {
    if (!groups.look(now)) return;
    let able = 0;
    for (let i = 0; i < size; i++) able += usual[i] = overprovisioning * (all[i]!.well / all[i]!.weight);
    let left = 1;
    for (let i = 0; i < size; i++) {
      usual[i] = able === 0 ? byWeight[i]! : Math.min(left, usual[i]! / Math.min(1, able));
      left -= usual[i]!;
      if (left < 1e-12) left = 0; // else rounding would leave a little
    }
    inPanic.set(able < 1 ? byWeight : usual);
    sumUp(usual, sums);
    sumUp(inPanic, sumsInPanic);
    groups.plan(usual, now);
  };
  const levelOf = ({ key, acceptance }: Call): number => {
    const among = acceptance < PANIC ? sums : sumsInPanic;
    if (among[0] === 1) return 0;
    return exceeds(among, keyed && key !== undefined ? placeOf(key, SEED) : random());
  };
  const pick = (call: Call, now: number): Member | undefined => {
    look(now);
    const probed = groups.probe(call, now);
    if (probed !== undefined) return probed;
    const level = levelOf(call);
    const shunned = hasFailed(call, all[level]!.members);
    let member = shunned ? undefined : all[level]!.picker(call, now);
    for (let i = 0; i < size && member === undefined; i++)
      if (i !== level) member = all[i]!.picker(call, now);
    return shunned ? (member ?? all[level]!.picker(call, now)) : member;
  };
  return explained(pick, groups.pickers, (call, now) => {
    look(now);
    const order = all.map((_, i) => i);
    if (keyed && call.key !== undefined) order.unshift(...order.splice(levelOf(call), 1));
    const shares = call.acceptance < PANIC ? usual : inPanic;
    return groups.explain({ shares, standIns: NONE, order }, call, now, (i, note) =>
      i === 0 ? note : `priority ${all[i]!.name}${note === undefined ? '' : `: ${note}`}`,
    );
  });
}

const NONE: ArrayLike<number> = [];
/** Sets the choice of a level apart from that of a member by the same key. */
const SEED = 0x70726930;
