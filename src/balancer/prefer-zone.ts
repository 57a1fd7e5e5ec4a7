import type { Env } from '../base/env.ts';
import { bad, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Picker } from './balancer.ts';
import { weigh } from './census.ts';
import { Groups } from './groups.ts';
import { type Inner, InnerBalancers } from './inner.ts';
import { explained } from './narrowed.ts';
import { ZoneCost } from './zone-cost.ts';
import { ZoneMemory } from './zone-memory.ts';
import { type Zone, zonedPicker } from './zones.ts';

export interface PreferZoneOptions {
  /**
   * The zone this process runs in, or what tells it: asked for each set and, by calls, at most every 100 ms; what
   * throws or answers no string says that it is not known.
   */
  readonly zone: string | (() => string | undefined);
  /**
   * How many times the mean over all zones the load per weight in the own zone may be, at least 1; what is more goes to
   * other zones. Default: 1.25.
   */
  readonly ceiling?: number | undefined;
  /**
   * The share of all calls that begins in the own zone, 0 to 1. Default: the own zone's share of all weight, each zone
   * counting with the largest it has had of late: clients are taken to be where the servers are.
   */
  readonly origin?: number | undefined;
  /**
   * While calls in the own zone cost more than so many times what is usual there, or than twice so many times what
   * they cost elsewhere, a call goes to another zone whose member costs so many times less; at least 1. To know, one
   * call in five seconds goes to another zone, and it takes a minute. Only for balancers with a load that do not go by
   * keys. Default: 3. `false` turns it off.
   */
  readonly overload?: number | false | undefined;
  /** For how long a zone's largest weight is remembered, in ms. Default: 600 000. */
  readonly memory?: number | undefined;
}

/** How often, in ms, a function that tells the zone is asked. */
const ASKED = 100;

/**
 * Calls stay in the own zone while it has capacity (as Envoy's zone aware routing, `load_balancer_impl.cc`, but by
 * weight and health as they are, and with a ceiling). Where c of all calls begin in a zone that has h of all healthy
 * weight, it keeps min(1, `ceiling` × h / c) of them; the rest goes to the other zones in proportion to what they have to
 * spare, `ceiling` × h - c each. So, if all clients do so and c is right, no zone gets more than `ceiling` × h, in the mean
 * and as soon as they know who is well. Healthy is whose breaker is closed, whose health checks pass, who has not asked to
 * be left alone, and whose latest two calls did not both fail; in panic, or with nobody healthy, weight as such counts.
 * Besides, single calls leave a zone that is much busier than usual.
 *
 * Members without a zone are elsewhere. If nobody is in the own zone, all members are one set, unless the zone had
 * members of late: then the other zones' spare capacity decides. With balancers that go by keys the key decides on
 * leaving, too, so that no more keys move than have to.
 *
 * Single calls find out how members are that would not be called: one whose latest call failed is asked again, at once after
 * the first failure, after rests of 1 to 30 s later on; and in a zone that gets no calls, those that wait for one to be
 * found well again get it. After a first failure it is not a call that must not be repeated; and where the balancer goes
 * by keys, a zone's own calls find out, as long as it gets any.
 *
 * O(zones), and O(n) for the first pick after a breaker moved or 100 ms have passed, and for one that finds out.
 *
 * @param inner makes the balancer of each zone
 * @throws RangeError or TypeError for a bad option
 */
export function preferZone(inner: Inner, options: PreferZoneOptions): Balancer {
  const balancers = new InnerBalancers<Zone>('preferZone', inner);
  checkOptions('preferZone', options, { zone: 1, ceiling: 1, origin: 1, overload: 1, memory: 1 });
  const { zone, ceiling = 1.25, origin, overload = 3, memory = 600_000 } = options;
  if (typeof zone !== 'function' && (typeof zone !== 'string' || zone === ''))
    throw bad('preferZone zone', zone, 'a non-empty string or a function');
  checkNumber('preferZone ceiling', ceiling, 1, Number.MAX_VALUE);
  if (origin !== undefined) checkNumber('preferZone origin', origin, 0, 1);
  if (overload !== false) checkNumber('preferZone overload', overload, 1);
  checkNumber('preferZone memory', memory, 0);
  const { keyed = false, load } = balancers.first;
  const settings = {
    ceiling,
    origin,
    overload: overload === false || keyed || load === undefined ? Number.POSITIVE_INFINITY : overload,
    keyed,
  };
  const zones = new ZoneMemory<Zone>(memory);
  let costs = new ZoneCost();
  let costsOf: Zone;
  const own = (): Zone => {
    if (typeof zone === 'string') return zone;
    try {
      const answer: unknown = zone();
      if (answer instanceof Promise) answer.catch(() => {});
      return typeof answer === 'string' && answer !== '' ? answer : undefined;
    } catch {
      return undefined;
    }
  };

  /** The picker while this is the own zone. */
  const arrange = (members: readonly Member[], here: Zone, env: Env): Picker => {
    const sets = new Map<Zone, Member[]>();
    for (const member of members) {
      const there = sets.get(member.endpoint.zone);
      if (there === undefined) sets.set(member.endpoint.zone, [member]);
      else there.push(member);
    }
    const now = env.clock.now();
    const remembered = here !== undefined && zones.largest(here, now) > 0;
    let picker: Picker;
    if (here === undefined || (sets.size === 1 && sets.has(here)) || !(sets.has(here) || remembered)) {
      picker = balancers.of(ALL).picker(members, env);
      balancers.present([ALL], now);
    } else {
      if (costsOf !== here) costs = new ZoneCost();
      costsOf = here;
      const others = [...sets.keys()].filter(name => name !== here).sort(byName);
      const order = sets.has(here) ? [here, ...others] : others;
      picker = zonedPicker(new Groups(sets, order, balancers, env), here, zones, costs, settings, env);
      balancers.present(order, now);
    }
    zones.update(new Map([...sets].map(([name, those]) => [name, weigh(those)])), now);
    return picker;
  };

  return {
    ...balancers.common(),
    picker(members, env) {
      let here = own();
      let picker = arrange(members, here, env);
      if (typeof zone === 'string') return picker;
      let askedAt = env.clock.now();
      const current = (now: number): Picker => {
        if (now - askedAt < ASKED) return picker;
        askedAt = now;
        const there = own();
        if (there === here) return picker;
        try {
          picker = arrange(members, there, env);
          here = there;
        } catch {
          // As before; the next look tries again.
        }
        return picker;
      };
      return explained(
        (call, now) => current(now)(call, now),
        [picker],
        (call, now) => picker.explain!(call, now),
      );
    },
  };
}

/** Stands for no zone at all, as opposed to members without a zone. */
const ALL = '\0all';

/** Members without a zone come last. */
const byName = (a: Zone, b: Zone): number => (a === undefined ? 1 : b === undefined ? -1 : a < b ? -1 : 1);
