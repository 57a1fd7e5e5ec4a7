import { below } from '../base/env.ts';
import { checkFunction } from '../base/errors.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';
import type { Balancer } from './balancer.ts';
import { weightedDraw } from './draw.ts';
import { inFlight } from './in-flight.ts';

export interface LoadOptions {
  /** What is compared: `inFlight()`, `peakEwma()`, or one of your own. */
  readonly load?: () => Load;
}

/** Pairs drawn before all members are looked at. */
const DRAWS = 4;

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
      const draw = weightedDraw(members, random);
      if (size === 1) return (call, now) => (call.accepts(members[0]!, now) ? members[0] : undefined);
      return (call, now) => {
        let i = 0;
        for (let n = 0; n < DRAWS; n++) {
          i = draw();
          const j = below(random, size - 1);
          const a = members[i]!;
          const b = members[j < i ? j : j + 1]!; // j skips i: the two differ, and every other is as likely
          if (call.accepts(a, now)) return call.accepts(b, now) && better(b, a, now) ? b : a;
          if (call.accepts(b, now)) return b;
        }
        for (let k = 1; k <= size; k++) {
          const member = members[(i + k) % size]!;
          if (call.accepts(member, now)) return member;
        }
        return undefined;
      };
    },
  };
}

/** Idle members whose costs are within this factor are as good as each other: then weight decides, or chance. */
const ALIKE = 2;

/**
 * Whether a call should go to `b` rather than to `a`, which was drawn by weight. A member that is due for a
 * breaker's probe comes first: it would not be chosen by its cost, and so would never be found to have recovered.
 */
export function better(b: Member, a: Member, now: number): boolean {
  const probeA = a.breaker.state !== 'closed';
  const probeB = b.breaker.state !== 'closed';
  if (probeA !== probeB) return probeB;
  const costA = a.load.cost(now);
  const costB = b.load.cost(now);
  if (a.inFlight === 0 && b.inFlight === 0) return costB * ALIKE < costA;
  return costB * a.weight < costA * b.weight;
}
