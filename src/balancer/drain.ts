import { checkFunction, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import { Acceptance, type Call, type Filter } from '../model/call.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Picker, Preference } from './balancer.ts';
import { type Inner, InnerBalancers } from './inner.ts';
import { explained, narrowed, scaled } from './narrowed.ts';

export interface DrainOptions {
  /**
   * Whether a member is to get no new calls; asked for each set, not for each call. Only `true` counts: what throws or
   * answers anything else says no. Default: whether its metadata has `draining: 'true'`.
   */
  readonly draining?: ((endpoint: Endpoint) => boolean) | undefined;
  /**
   * For how long the keys that belong to a draining member stay with it, in ms, where the balancer goes by keys.
   * Default: 0.
   */
  readonly grace?: number | undefined;
}

/**
 * Members that drain get no new calls while the call accepts another; what runs there goes on. They keep their place:
 * with balancers that go by keys, only their own keys move, and with `grace` these only later, so that sessions have time
 * to end. Where all others are refused, or have been tried by the call, a draining member is better than one that is
 * known to be ill, and so comes before panic; Kubernetes has it so, too (KEP-1669).
 *
 * During the grace a pick asks the balancer twice.
 *
 * @param inner makes the balancer that picks
 * @throws RangeError or TypeError for a bad option
 */
export function drain(inner: Inner, options: DrainOptions = {}): Balancer {
  const { draining = marked, grace = 0 } = checkOptions('drain', options, { draining: 1, grace: 1 });
  checkFunction('drain draining', draining);
  checkNumber('drain grace', grace, 0);
  const balancers = new InnerBalancers<'all'>('drain', inner);
  const { keyed = false } = balancers.first;
  const since = new WeakMap<Member, number>();
  const drains = ({ endpoint }: Member): boolean => {
    try {
      const answer: unknown = draining(endpoint);
      if (answer instanceof Promise) answer.catch(() => {});
      return answer === true;
    } catch {
      return false;
    }
  };
  return {
    ...balancers.common(),
    picker(members, env) {
      const ask = balancers.of('all').picker(members, env);
      const now = env.clock.now();
      /** The members that drain, and until when they keep their keys. */
      const until = new Map<Member, number>();
      for (const member of members) {
        if (!drains(member)) since.delete(member);
        else {
          const from = since.get(member) ?? now;
          since.set(member, from);
          until.set(member, from + (keyed ? grace : 0));
        }
      }
      return until.size === 0 || until.size === members.length ? ask : pickerOf(ask, until);
    },
  };
}

const marked = ({ metadata }: Endpoint): boolean => metadata?.['draining'] === 'true';

function pickerOf(ask: Picker, until: ReadonlyMap<Member, number>): Picker {
  const last = Math.max(...until.values());
  const stays: Filter = member => !until.has(member);
  const others = narrowed(ask, stays);
  const keeps = ({ key }: Call, member: Member, now: number): boolean =>
    key !== undefined && now < (until.get(member) ?? now);
  /** Whoever the key belongs to, acceptable or not. */
  const owner = (call: Call, now: number): Member | undefined => {
    const { acceptance, filter } = call;
    call.acceptance = Acceptance.any;
    call.filter = undefined;
    try {
      return ask(call, now);
    } finally {
      call.acceptance = acceptance;
      call.filter = filter;
    }
  };
  const pick = (call: Call, now: number): Member | undefined => {
    if (now < last && call.key !== undefined) {
      const member = owner(call, now);
      if (member !== undefined && keeps(call, member, now) && call.accepts(member, now)) return member;
    }
    return others(call, now) ?? ask(call, now);
  };
  const drains = ({ member }: Preference): boolean => until.has(member);
  const explainOthers = narrowed((call: Call, now: number) => ask.explain!(call, now), stays);
  return explained(pick, [ask], (call, now) => {
    const all = ask.explain!(call, now);
    const rest = explainOthers(call, now).filter(each => !drains(each));
    if (!rest.some(({ member }) => call.accepts(member, now)))
      return all.map(each =>
        drains(each) ? { ...each, note: 'draining, but nobody else is acceptable' } : each,
      );
    const draining = all.filter(drains).map(({ member, share = 0 }): Preference => {
      if (!keeps(call, member, now)) return { member, share: 0, note: 'draining' };
      const left = Math.ceil(until.get(member)! - now);
      return { member, share, note: `draining: keeps its keys for ${left} ms` };
    });
    const staying = scaled(rest, 1 - draining.reduce((sum, { share = 0 }) => sum + share, 0));
    const isOwn = ({ member }: Preference): boolean =>
      member === all[0]!.member && keeps(call, member, now) && call.accepts(member, now);
    return [...draining.filter(isOwn), ...staying, ...draining.filter(each => !isOwn(each))];
  });
}
