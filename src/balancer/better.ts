import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';

/** Idle members of unequal weight whose costs are within this factor are as good as each other: then weight decides. */
const ALIKE = 2;

/**
 * Whether a call should go to `b` rather than to `a`, which was drawn by weight. A member that is due for a
 * breaker's probe comes first: it would not be chosen by its cost, and so would never be found to have recovered.
 * But a call that has failed once already has given enough: it goes to a member known to be well, whose latest call did
 * not fail.
 */
export function better(b: Member, costB: number, a: Member, costA: number, call: Call, now: number): boolean {
  if ((a.doubts | b.doubts) !== 0) {
    const dueA = a.breaker.state !== 'closed' && a.breaker.allows(now);
    const dueB = b.breaker.state !== 'closed' && b.breaker.allows(now);
    if (dueA !== dueB) return dueB === (call.tried.length === 0);
  }
  if (call.tried.length > 0 && a.load.suspect !== b.load.suspect) return a.load.suspect === true;
  if (a.weight === b.weight) return costB < costA;
  if (a.inFlight === 0 && b.inFlight === 0) return costB * ALIKE < costA;
  return costB * a.weight < costA * b.weight;
}
