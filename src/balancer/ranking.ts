import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Preference } from './balancer.ts';

/** The best of some members: those met from the one at a place on, in equal steps. */
export type Best = (at: number, step: number, call: Call, now: number) => Member;

/** As many steps as an explanation tries. */
const TRIED = 64;

/**
 * Explains a balancer that draws a member by weight, and a step, and takes the best of those it meets: goes through
 * all first members, and all steps or an even selection of them.
 */
export const ranking =
  (members: readonly Member[], steps: ArrayLike<number>, best: Best) =>
  (call: Call, now: number): Preference[] => {
    const firsts = members.flatMap((member, at) => (call.accepts(member, now) ? [at] : []));
    const total = firsts.reduce((sum, at) => sum + members[at]!.weight, 0);
    const stride = Math.max(1, steps.length / TRIED);
    const tried = Math.ceil(steps.length / stride);
    const shares = new Map<Member, number>(firsts.map(at => [members[at]!, 0]));
    for (const at of firsts)
      for (let i = 0; i < tried; i++) {
        const chosen = best(at, steps[Math.floor(i * stride)]!, call, now);
        shares.set(chosen, shares.get(chosen)! + members[at]!.weight / total / tried);
      }
    return [...shares]
      .map(([member, share]) => ({ member, share, cost: member.load.cost(now) / member.weight }))
      .sort((a, b) => b.share - a.share || a.cost - b.cost)
      .map(({ member, share }, i) => ({
        member,
        share,
        note:
          i === 0
            ? 'costs least for its weight'
            : share > 0
              ? 'may cost least of those drawn'
              : 'costs more than another',
      }));
  };
