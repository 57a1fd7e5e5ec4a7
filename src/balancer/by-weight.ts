import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Preference } from './balancer.ts';

/** Explains a balancer that shares calls out in proportion to weight. */
export const byWeight =
  (members: readonly Member[], note: string) =>
  (call: Call, now: number): Preference[] => {
    const accepted = members.filter(member => call.accepts(member, now));
    const total = accepted.reduce((sum, { weight }) => sum + weight, 0);
    return accepted
      .map(member => ({ member, share: member.weight / total, note }))
      .sort((a, b) => b.share - a.share);
  };
