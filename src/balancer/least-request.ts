import { checkFunction, checkNumber } from '../base/errors.ts';
import type { Balancer } from './balancer.ts';
import { acceptedDraw } from './draw.ts';
import { better, type LoadOptions, p2c } from './p2c.ts';
import { peakEwma } from './peak-ewma.ts';

export interface LeastRequestOptions extends LoadOptions {
  /** Sets of up to this many members are looked at in full; of larger ones, two are drawn. Default: 32. */
  readonly scan?: number;
}

/**
 * The least loaded member for its weight: of all while the set is small, of two drawn at random when it is large
 * (Envoy's least request, `FULL_SCAN` and `N_CHOICES`). The default balancer.
 *
 * @param options.load default `peakEwma()`
 * @throws RangeError if `scan` is not a number of at least 0
 */
export function leastRequest({ load = peakEwma(), scan = 32 }: LeastRequestOptions = {}): Balancer {
  checkFunction('leastRequest load', load);
  checkNumber('leastRequest scan', scan, 0);
  const two = p2c({ load });
  return {
    load,
    picker(members, env) {
      const size = members.length;
      if (size > scan) return two.picker(members, env);
      const draw = acceptedDraw(members, env.random);
      return (call, now) => {
        // From a member drawn by weight round to the one before it, so that among equals weight and chance decide.
        const first = draw(call, now);
        if (first < 0) return undefined;
        let best = members[first]!;
        let least = best.load.cost(now);
        for (let i = first + 1 === size ? 0 : first + 1; i !== first; i = i + 1 === size ? 0 : i + 1) {
          const member = members[i]!;
          if (!call.accepts(member, now)) continue;
          const cost = member.load.cost(now);
          if (!better(member, cost, best, least, call)) continue;
          best = member;
          least = cost;
        }
        return best;
      };
    },
  };
}
