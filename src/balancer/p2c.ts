import type { Env } from '../base/env.ts';
import { checkFunction } from '../base/errors.ts';
import type { Call } from '../model/call.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';
import type { Balancer } from './balancer.ts';
import { better } from './better.ts';
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
      const steps = Array.from({ length: Math.max(1, size - 1) }, (_, i) => i + 1);
      const betterOf: Best = (i, skip, call, now) => {
        const a = members[i]!;
        if (size === 1) return a;
        const b = members[(i + skip) % size]!; // another than a, each as likely
        return call.accepts(b, now) && better(b, b.load.cost(now), a, a.load.cost(now), call) ? b : a;
      };
      const pick = (call: Call, now: number): Member | undefined => {
        // A random number is most of what a pick costs: what the first choice leaves of one makes the second.
        const spot = random() * size;
        let i = Math.floor(spot);
        const skip = 1 + Math.floor((spot - i) * (size - 1));
        if (!even || !call.accepts(members[i]!, now)) i = draw(call, now);
        if (i < 0) return undefined;
        return betterOf(i, skip, call, now);
      };
      return Object.assign(pick, { explain: ranking(members, steps, betterOf) });
    },
  };
}
