import type { Call } from '../model/call.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';

/** Idle members of unequal weight whose costs are within this factor are as good as each other: then weight decides. */
const ALIKE = 2;

/**
 * Whether a call should go to `b` rather than to `a`, which was drawn by weight. A member that is due for a
 * breaker's probe comes first: it would not be chosen by its cost, and so would never be found to have recovered.
 * But a call that has failed once already has given enough: it goes to a member known to be well, whose latest call did
 * not fail.
 *
 * @param costs of `a` and of `b`, in an array, for V8 may allocate fractions that a function is given
 */
export function better(b: Member, a: Member, costs: Float64Array, call: Call, now: number): boolean {
  if ((a.doubts | b.doubts | call.tried.length) !== 0) {
    const preferred = preference(b, a, call, now);
    if (preferred !== undefined) return preferred === b;
  }
  const costA = costs[0]!;
  const costB = costs[1]!;
  if (a.weight === b.weight) return costB < costA;
  if (a.inFlight === 0 && b.inFlight === 0) return costB * ALIKE < costA;
  return costB * a.weight < costA * b.weight;
}

/** Puts into `costs[at]` what one more call would cost. */
export function weigh(load: Load, costs: Float64Array, at: number, now: number): void {
  if (load.costInto === undefined) costs[at] = load.cost(now);
  else load.costInto(costs, at, now);
}

/** Which of them a call should go to whatever they cost, if either. */
function preference(b: Member, a: Member, call: Call, now: number): Member | undefined {
  const first = call.tried.length === 0;
  if ((a.doubts | b.doubts) !== 0) {
    const dueA = a.breaker.state !== 'closed' && a.breaker.allows(now);
    const dueB = b.breaker.state !== 'closed' && b.breaker.allows(now);
    if (dueA !== dueB) return dueB === first ? b : a;
  }
  if (first || a.load.suspect === b.load.suspect) return undefined;
  return a.load.suspect === true ? b : a;
}
