import { checkFunction } from '../base/errors.ts';
import type { Call } from '../model/call.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';
import type { Balancer } from './balancer.ts';
import { acceptedDraw } from './draw.ts';
import { inFlight } from './in-flight.ts';

export interface LoadOptions {
  /** What is compared: `inFlight()`, `peakEwma()`, or one of your own. */
  readonly load?: () => Load;
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
      return (call, now) => {
        // A random number is most of what a pick costs: what the first choice leaves of one makes the second.
        const spot = random() * size;
        let i = Math.floor(spot);
        const skip = 1 + Math.floor((spot - i) * (size - 1));
        if (!even || !call.accepts(members[i]!, now)) i = draw(call, now);
        if (i < 0) return undefined;
        const a = members[i]!;
        if (size === 1) return a;
        const b = members[(i + skip) % size]!; // another than a, each as likely
        return call.accepts(b, now) && better(b, b.load.cost(now), a, a.load.cost(now), call) ? b : a;
      };
    },
  };
}

/** Idle members whose costs are within this factor are as good as each other: then weight decides, or chance. */
const ALIKE = 2;

/**
 * Whether a call should go to `b` rather than to `a`, which was drawn by weight. A member that is due for a
 * breaker's probe comes first: it would not be chosen by its cost, and so would never be found to have recovered.
 * But a call that has failed once already has given enough: it goes to a member known to be well.
 */
export function better(b: Member, costB: number, a: Member, costA: number, call: Call): boolean {
  const stateA = a.breaker.state;
  const stateB = b.breaker.state;
  if (stateA !== stateB && (stateA === 'closed' || stateB === 'closed')) {
    return (stateA === 'closed') === (call.tried.length === 0);
  }
  if (a.inFlight === 0 && b.inFlight === 0) return costB * ALIKE < costA;
  return costB * a.weight < costA * b.weight;
}
