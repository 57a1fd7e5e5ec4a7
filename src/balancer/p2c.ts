import { Dice } from '../base/dice.ts';
import type { Env } from '../base/env.ts';
import { checkFunction } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Call } from '../model/call.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';
import type { Balancer } from './balancer.ts';
import { better, weigh } from './better.ts';
import { acceptedDraw } from './draw.ts';
import { inFlight } from './in-flight.ts';
import { onward } from './onward.ts';
import { type Best, ranking } from './ranking.ts';

export interface LoadOptions {
  /** What is compared: `inFlight()`, `peakEwma()`, or one of your own. */
  readonly load?: ((env: Env) => Load) | undefined;
}

/**
 * The power of two choices (Mitzenmacher, IEEE TPDS 12(10), 2001): of two different members drawn at random, the
 * less loaded for its weight. The first is drawn by weight and keeps the call unless the second is better, so
 * weights count even when everything is idle. O(1).
 *
 * @param options.load default `inFlight()`
 */
export function p2c(options: LoadOptions = {}): Balancer {
  const { load = inFlight() } = checkOptions('p2c', options, { load: 1 });
  checkFunction('p2c load', load);
  return {
    load,
    picker(members, { random }) {
      const size = members.length;
      const even = members.every(({ weight }) => weight === members[0]!.weight);
      const draw = acceptedDraw(members, random);
      const dice = new Dice(random);
      const costs = new Float64Array(2);
      const loads = members.map(({ load }) => load); // so that they are fetched beside the members, not after them
      const pick = (call: Call, now: number): Member | undefined => {
        const two = dice.pair();
        let i = dice.at(two, size);
        const skip = 1 + dice.at(two + 1, size - 1);
        if (even && call.filter === undefined && call.tried.length === 0 && members[i]!.doubts === 0) {
          // As nearly all picks are: there is nothing to ask but what the two cost.
          const j = onward(i, skip, size);
          if (members[j]!.doubts !== 0) return betterOf(members, i, skip, costs, call, now);
          weigh(loads[i]!, costs, 0, now);
          weigh(loads[j]!, costs, 1, now);
          // The other if it costs less; without a branch, for that is as good as random.
          return members[i ^ ((i ^ j) & -Number(costs[1]! < costs[0]!))];
        }
        if (!even || !call.accepts(members[i]!, now)) i = draw(call, now);
        if (i >= 0) return betterOf(members, i, skip, costs, call, now);
        dice.back(); // none has been stepped to
        return undefined;
      };
      const best: Best = (i, skip, call, now) => betterOf(members, i, skip, costs, call, now);
      const steps = Array.from({ length: Math.max(1, size - 1) }, (_, i) => i + 1);
      return Object.assign(pick, { explain: ranking(members, steps, best) });
    },
  };
}

/** Of the member at a place and the one so many further on, each other as likely. */
function betterOf(
  members: readonly Member[],
  i: number,
  skip: number,
  costs: Float64Array,
  call: Call,
  now: number,
): Member {
  const a = members[i]!;
  const b = members[onward(i, skip, members.length)]!; // itself, if it is alone
  if (!call.accepts(b, now)) return a;
  weigh(a.load, costs, 0, now);
  weigh(b.load, costs, 1, now);
  return better(b, a, costs, call, now) ? b : a;
}
