import type { Call, Filter } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Picker, Preference } from './balancer.ts';

/**
 * Asks a picker, or has it explain itself, under a further condition on the members, which is added to the one that the
 * call comes with. The condition may be asked any number of times.
 */
export function narrowed<T>(
  ask: (call: Call, now: number) => T,
  condition: Filter,
): (call: Call, now: number) => T {
  let outer: Filter | undefined;
  const both: Filter = (member, call, now) =>
    condition(member, call, now) && (outer === undefined || outer(member, call, now));
  return (call, now) => {
    const before = call.filter;
    outer = before;
    call.filter = both;
    try {
      return ask(call, now);
    } finally {
      call.filter = before;
    }
  };
}

/** A picker with an explanation, if those that it asks have one. */
export function explained(
  pick: (call: Call, now: number) => Member | undefined,
  asked: readonly Picker[],
  explain: (call: Call, now: number) => readonly Preference[],
): Picker {
  return asked.every(picker => picker.explain !== undefined) ? Object.assign(pick, { explain }) : pick;
}

/** The same preferences with shares that add up to `sum`, in their proportions. */
export function scaled(preferences: readonly Preference[], sum = 1): readonly Preference[] {
  const total = preferences.reduce((all, { share = 0 }) => all + share, 0);
  if (total === 0) return preferences;
  return preferences.map(each => ({ ...each, share: ((each.share ?? 0) / total) * sum }));
}
