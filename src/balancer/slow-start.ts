import { bad, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Member } from '../model/member.ts';
import type { Balancer } from './balancer.ts';
import { isWell } from './census.ts';
import { type Inner, InnerBalancers } from './inner.ts';
import { explained } from './narrowed.ts';
import { Rations } from './rations.ts';
import { type Start, Warmth } from './warmth.ts';

export interface SlowStartOptions {
  /** How long a member warms up, in ms. Default: 30 000. */
  readonly window?: number | undefined;
  /** The part of its share that a member begins with, 0 to 1. Default: 0.1. */
  readonly minShare?: number | undefined;
  /**
   * The part of its share that it has after t ms is (t / window)^(1 / aggression): more than 1 is faster in the
   * beginning. Default: 1.
   */
  readonly aggression?: number | undefined;
  /** Whether members whose breaker has closed again warm up, too. Default: true. */
  readonly recovered?: boolean | undefined;
}

/**
 * Members that join a set, and those found well again, begin with a small part of their share, which grows for a while
 * (Envoy's slow start: `max(minShare, (t / window)^(1 / aggression))`), whatever the balancer within would give them.
 * What counts is calls: in any number of them a warming member gets its part and two more at most. With balancers that
 * go by keys it is that part of its keys, so each key moves to it once.
 *
 * If many warm up at once, they begin with more, so that nobody warm gets more than 1.5 times its share on their account.
 * Where nobody warm is well, all count as warm: those of the first set do not warm up.
 *
 * No timer; parts are worked out for the first pick after a breaker moved or 100 ms have passed, in O(n).
 *
 * @param inner makes the balancer that picks
 * @throws RangeError or TypeError for a bad option
 */
export function slowStart(inner: Inner, options: SlowStartOptions = {}): Balancer {
  checkOptions('slowStart', options, { window: 1, minShare: 1, aggression: 1, recovered: 1 });
  const { window = 30_000, minShare = 0.1, aggression = 1, recovered = true } = options;
  checkNumber('slowStart window', window, 0);
  checkNumber('slowStart minShare', minShare, 0, 1);
  checkNumber('slowStart aggression', aggression, 0.01);
  if (typeof recovered !== 'boolean') throw bad('slowStart recovered', recovered, 'a boolean');
  const balancers = new InnerBalancers<'all'>('slowStart', inner);
  const rations = new Rations(balancers.first.keyed === true);
  const starts = new WeakMap<Member, Start>();
  const settings = { window, minShare, aggression, recovered };
  return {
    ...balancers.common(),
    picker(members, env) {
      const ask = balancers.of('all').picker(members, env);
      const since = env.clock.now();
      const each = members.map(member => {
        const known = starts.get(member);
        if (known !== undefined) return known;
        const start = { since, out: !isWell(member), ration: rations.for(member, env.random) };
        starts.set(member, start);
        return start;
      });
      const warmth = new Warmth(members, each, settings, rations, env.random);
      const picker = rations.picker(ask, warmth.warming, env.random, percent => `warming: ${percent} %`);
      return explained(
        (call, now) => {
          warmth.look(now);
          return picker(call, now);
        },
        [ask],
        (call, now) => picker.explain!(call, now),
      );
    },
  };
}
