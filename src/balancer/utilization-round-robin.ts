import { checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Preference } from './balancer.ts';
import { Reported } from './reported.ts';
import { ReportedWeights } from './reported-weights.ts';
import { Stride } from './stride.ts';
import { utilizationBy } from './utilization.ts';

export interface UtilizationRoundRobinOptions {
  /** For how long a member must have reported before its weight is used, in ms. Default: 10 000. */
  readonly blackout?: number | undefined;
  /** After how long without a report its weight is no longer used, in ms. Default: 180 000. */
  readonly expiry?: number | undefined;
  /** What a share of errors of 1 adds to utilization. Default: 1. 0 turns it off. */
  readonly errorPenalty?: number | undefined;
  /** How old weights may get before a pick works them out again, in ms, at least 1. Default: 1000. */
  readonly update?: number | undefined;
  /**
   * Where a member reports no application utilization, the largest of these is taken, by their names in ORCA:
   * `mem_utilization`, `utilization.disk`, `named_metrics.queue` and so on. Without any, it is `cpu_utilization`.
   */
  readonly metrics?: readonly string[] | undefined;
}

/**
 * Weighted round robin by what servers say of themselves: a member's weight is its calls a second divided by its
 * utilization, to which errors add (gRFC A58 and A114; Envoy's `client_side_weighted_round_robin`). The endpoint's own
 * weight multiplies it. Members whose weight is not known get the mean; with less than two known, only the endpoints'
 * weights count. None gets more than 10 times or less than a hundredth of what the median gets, whatever it says.
 *
 * Reports come through `Attempt.report`; `createFetch` reads them from the header `endpoint-load-metrics`. If no member
 * reports its calls a second, those from here stand in: true to scale where clients are alike; where they are not,
 * utilizations are what is evened out. Failures seen from here count as errors, for who fails may report nothing.
 *
 * Picks by static stride. Weights are worked out when a pick finds them old: no timer, and O(n log n) for that pick.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export function utilizationRoundRobin(options: UtilizationRoundRobinOptions = {}): Balancer {
  checkOptions('utilizationRoundRobin', options, {
    blackout: 1,
    expiry: 1,
    errorPenalty: 1,
    update: 1,
    metrics: 1,
  });
  const { blackout = 10_000, expiry = 180_000, errorPenalty = 1, update = 1000, metrics = [] } = options;
  checkNumber('utilizationRoundRobin blackout', blackout, 0);
  checkNumber('utilizationRoundRobin expiry', expiry, 1);
  checkNumber('utilizationRoundRobin errorPenalty', errorPenalty, 0, Number.MAX_VALUE);
  checkNumber('utilizationRoundRobin update', update, 1);
  const utilization = utilizationBy('utilizationRoundRobin metrics', metrics);
  const settings = { blackout, expiry, errorPenalty, utilization };
  let latest: Stride | undefined;
  return {
    load: () => new Reported(settings),
    picker(members, { random }) {
      const weights = new ReportedWeights(members);
      const stride = new Stride(members, weights.values, random, latest);
      latest = stride;
      let workedOutAt = Number.NEGATIVE_INFINITY;
      const pick = (call: Call, now: number): Member | undefined => {
        if (now - workedOutAt >= update) {
          workedOutAt = now;
          weights.workOut(now);
          stride.weigh();
        }
        return stride.pick(call, now);
      };
      const explain = (call: Call, now: number): readonly Preference[] =>
        stride.explain(call, now, i => weights.note(i, now));
      return Object.assign(pick, { explain });
    },
  };
}
