import { Dice } from '../base/dice.ts';
import type { Env } from '../base/env.ts';
import { checkFunction } from '../base/errors.ts';
import type { Call } from '../model/call.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';
import type { Balancer } from './balancer.ts';
import { better, weigh } from './better.ts';
import { acceptedDraw } from './draw.ts';
import { inFlight } from './in-flight.ts';
import { type Best, ranking } from './ranking.ts';

export interface LoadOptions {
  /** What is compared: `inFlight()`, `peakEwma()`, or one of your own. */
  readonly load?: (env: Env) => Load;
}

/**
 * The power of two choices (Mitzenmacher, IEEE TPDS 12(10), 2001): of two different members drawn at random, the
 * less loaded for its weight. The first is drawn by weight and keeps the call unless the second is better, so
 * weights count even when everything is idle. O(1).
 *
 * @param options.load default `inFlight()`
 */
export function p2c({ load = inFlight() }: LoadOptions = {}): Balancer {
  checkFunction('p2c load', load);
  return {
    load,
    picker(members, { random }) {
      const size = members.length;
      const even = members.every(({ weight }) => weight === members[0]!.weight);
      const draw = acceptedDraw(members, random);
      const dice = new Dice(random);
      const costs = new Float64Array(2);
      const pick = (call: Call, now: number): Member | undefined => {
        let i = dice.below(size);
        if (!even || !call.accepts(members[i]!, now)) i = draw(call, now);
        return i < 0 ? undefined : betterOf(members, i, 1 + dice.below(size - 1), costs, call, now);
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
  const size = members.length;
  const a = members[i]!;
  const other = i + skip; // itself, if it is alone
  const b = members[other < size ? other : other - size]!;
  if (!call.accepts(b, now)) return a;
  weigh(a.load, costs, 0, now);
  weigh(b.load, costs, 1, now);
  return better(b, a, costs, call, now) ? b : a;
}
