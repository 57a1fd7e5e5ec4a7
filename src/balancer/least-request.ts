import { Dice } from '../base/dice.ts';
import { checkFunction, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Picker } from './balancer.ts';
import { better, weigh } from './better.ts';
import { acceptedDraw } from './draw.ts';
import { onward } from './onward.ts';
import type { LoadOptions } from './p2c.ts';
import { peakEwma } from './peak-ewma.ts';
import { type Best, ranking } from './ranking.ts';

export interface LeastRequestOptions extends LoadOptions {
  /** Sets of up to this many members are looked at in full. Default: 128. */
  readonly scan?: number | undefined;
  /** How many different members of a larger set are drawn and compared. Default: 32. */
  readonly choices?: number | undefined;
}

/**
 * The least loaded member for its weight: of all while the set is small, of some drawn at random when it is large
 * (Envoy's least request, `FULL_SCAN` and `N_CHOICES`, but never the same member twice). Among equals chance decides,
 * by weight. The default balancer.
 *
 * @param options.load default `peakEwma()`
 * @throws RangeError or TypeError for a bad option
 */
export function leastRequest(options: LeastRequestOptions = {}): Balancer {
  checkOptions('leastRequest', options, { load: 1, scan: 1, choices: 1 });
  const { load = peakEwma(), scan = 128, choices = 32 } = options;
  checkFunction('leastRequest load', load);
  checkNumber('leastRequest scan', scan, 0);
  checkNumber('leastRequest choices', choices, 2, 1000, true);
  return {
    load,
    picker(members, { random }): Picker {
      const size = members.length;
      const looks = size <= Math.max(scan, choices) ? size : choices;
      const steps = looks === size ? ONE : stepsThrough(size);
      const even = members.every(({ weight }) => weight === members[0]!.weight);
      const draw = acceptedDraw(members, random);
      const dice = new Dice(random);
      const costs = new Float64Array(2);
      const bestFrom: Best = (first, step, call, now) =>
        bestOf(members, even, looks, first, step, costs, call, now);
      const pick = (call: Call, now: number): Member | undefined => {
        // From a member drawn by weight, so that among equals weight and chance decide, in equal steps that meet no
        // member twice.
        let at = dice.below(size);
        if (!even || !call.accepts(members[at]!, now)) at = draw(call, now);
        return at < 0
          ? undefined
          : bestOf(members, even, looks, at, steps[dice.below(steps.length)]!, costs, call, now);
      };
      return Object.assign(pick, { explain: ranking(members, steps, bestFrom) });
    },
  };
}

/** The best of so many members, from the first on in equal steps. `even`: all weigh the same. */
function bestOf(
  members: readonly Member[],
  even: boolean,
  looks: number,
  first: number,
  step: number,
  costs: Float64Array,
  call: Call,
  now: number,
): Member {
  const size = members.length;
  let at = first;
  let best = members[at]!;
  weigh(best.load, costs, 0, now);
  const plain = even && call.filter === undefined && call.tried.length === 0;
  for (let left = looks - 1; left > 0; left--) {
    at = onward(at, step, size);
    const member = members[at]!;
    // As nearly all picks are: there is nothing to ask but what the two cost.
    const simple = plain && (member.doubts | best.doubts) === 0;
    if (!simple && !call.accepts(member, now)) continue;
    weigh(member.load, costs, 1, now);
    if (simple ? !(costs[1]! < costs[0]!) : !better(member, best, costs, call, now)) continue;
    best = member;
    costs[0] = costs[1]!;
  }
  return best;
}

const ONE: Uint32Array = /* @__PURE__ */ Uint32Array.of(1);
/** As many steps as make a large set's choices independent of each other for all practical purposes. */
const STEPS = 1024;

/** Steps that, taken again and again, go through all places of a circle: those without a common divisor with its size. */
function stepsThrough(size: number): Uint32Array {
  const steps: number[] = [];
  const stride = Math.max(1, Math.floor(size / STEPS));
  for (let step = 1; step < size; step += stride) if (gcd(step, size) === 1) steps.push(step);
  return Uint32Array.from(steps);
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
