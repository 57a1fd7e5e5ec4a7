import { checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Preference } from './balancer.ts';
import { Lapses } from './lapses.ts';
import { type Phases, phases, tame } from './phases.ts';

export interface SmoothWeightedOptions {
  /**
   * How many failures take a member's whole weight from it. It comes back by the smallest weight of the set with each
   * pick it might have had. Default: 1, as in nginx. `Infinity` turns it off.
   */
  readonly maxFails?: number | undefined;
}

/**
 * Smooth weighted round robin (nginx, `ngx_http_upstream_round_robin.c`): at each pick every member's account grows by
 * its weight; the largest account is picked, and pays what all have got. Turns are spread as evenly as can be and are
 * exact for any weights, which failures lower for a while. O(n): for small sets; `weightedRoundRobin` is O(1).
 *
 * Unlike nginx it starts at a random turn, for else every client would begin with the heaviest member; accounts are kept
 * in turns, for else the rest would have long runs when a heavy member is refused; and a weight that failures took comes
 * back at a pace that depends on the ratios of the weights alone.
 *
 * @throws RangeError if `maxFails` is less than 1
 */
export function smoothWeighted(options: SmoothWeightedOptions = {}): Balancer {
  const { maxFails = 1 } = checkOptions('smoothWeighted', options, { maxFails: 1 });
  checkNumber('smoothWeighted maxFails', maxFails, 1);
  let latest: Phases | undefined;
  return {
    load: () => new Lapses(1 / maxFails),
    picker(members, { random }) {
      const weights = tame(members);
      const smallest = weights.reduce((least, weight) => Math.min(least, weight));
      const standing = phases(members, 1, random, latest);
      latest = standing;
      const accounts = standing.values;
      const lapses = members.map(({ load }) => (load instanceof Lapses ? load : NONE));
      /** For the call that is asked about, -1 for who is refused. */
      const effective = weights.slice();

      const pick = (call: Call, now: number): Member | undefined => {
        let some = false;
        let sum = 0;
        let whole = 0;
        for (let i = 0; i < members.length; i++) {
          effective[i] = -1;
          if (!call.accepts(members[i]!, now)) continue;
          const { lost } = lapses[i]!;
          const weight = weights[i]!;
          some = true;
          effective[i] = lost === 0 ? weight : weight * (1 - lost);
          sum += effective[i]!;
          whole += weight;
        }
        if (!some) return undefined;
        // When they have all lost everything, they are as good as each other again.
        const total = sum > 0 ? sum : whole;
        let best = -1;
        for (let i = 0; i < members.length; i++) {
          if (effective[i]! < 0) continue;
          const weight = sum > 0 ? effective[i]! : weights[i]!;
          const lapse = lapses[i]!;
          if (lapse.lost > 0) lapse.recover(smallest / weights[i]!);
          if (weight === 0) continue;
          accounts[i]! += weight / total;
          if (best < 0 || accounts[i]! > accounts[best]!) best = i;
        }
        accounts[best]! -= 1;
        return members[best];
      };

      const explain = (call: Call, now: number): readonly Preference[] => {
        const accepted = members.flatMap((member, i) => (call.accepts(member, now) ? [i] : []));
        const all = accepted.every(i => lapses[i]!.lost === 1) ? 0 : 1;
        const left = (i: number): number => weights[i]! * (1 - all * lapses[i]!.lost);
        const sum = accepted.reduce((sum, i) => sum + left(i), 0);
        const account = (i: number): number => (left(i) > 0 ? accounts[i]! + left(i) / sum : -Infinity);
        const note = (i: number, order: number): string => {
          if (lapses[i]!.lost > 0) return 'failures have lowered its weight';
          return order === 0 ? 'its turn is next' : 'has its turn later';
        };
        return accepted
          .sort((a, b) => account(b) - account(a))
          .map((i, order) => ({ member: members[i]!, share: left(i) / sum, note: note(i, order) }));
      };
      return Object.assign(pick, { explain });
    },
  };
}

/** Of members whose load is another: nothing. */
const NONE = /* @__PURE__ */ new Lapses(0);
