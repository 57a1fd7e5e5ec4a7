import type { Env } from '../base/env.ts';
import { bad, checkNumber } from '../base/errors.ts';
import { xxh32 } from '../base/hash.ts';
import { checkOptions } from '../base/options.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import { aperture, type ClientNumber } from './aperture.ts';
import type { Balancer, Picker, Preference } from './balancer.ts';
import { byWeight } from './by-weight.ts';
import { type Inner, InnerBalancers } from './inner.ts';
import { explained } from './narrowed.ts';
import { type Ration, Rations } from './rations.ts';

export interface SubsetOptions {
  /** How many members to call; with `client`, in the mean. Default: 20; with `client` 12, as in Finagle. */
  readonly size?: number | undefined;
  /** Which of how many clients this one is. Then all clients together call all members evenly. */
  readonly client?: ClientNumber | undefined;
  /**
   * A whole number below 2^32. Without `client` it tells clients apart; default: drawn at random. With `client` it shuffles
   * the members, and must be the same for all clients; default: 0.
   */
  readonly seed?: number | undefined;
}

/**
 * Calls a part of a large set only, so that not every client keeps connections to every server. By default the members of
 * the lowest hashes by the client's own seed (gRFC A68): one that comes or goes changes one member of the subset at the
 * most; how many clients a server has is up to chance. With `client`, deterministic aperture: servers get their exact
 * due; those at the ends of the client's arc get that part of their share that lies under it. One that comes or goes may
 * then change a member at either end and in between, and now and then as many as there are for each client.
 *
 * If the call accepts nobody in the subset, it goes to the rest, as another balancer of the same kind has it: all that it
 * costs is a connection, where panic would mean to call a server that is known to be ill. So a subset is no barrier: use a
 * filter on discovery for one. A set that is no larger than the subset is used as a whole.
 *
 * The first pick from the rest of a set takes as long as making a picker.
 *
 * @param inner makes the balancers that pick, of the subset and of the rest
 * @throws RangeError or TypeError for a bad option
 */
export function subset(inner: Inner, options: SubsetOptions = {}): Balancer {
  checkOptions('subset', options, { size: 1, seed: 1, client: 1 });
  const { client, size = client === undefined ? 20 : 12, seed } = options;
  checkNumber('subset size', size, 1, Infinity, true);
  if (seed !== undefined) checkNumber('subset seed', seed, 0, 2 ** 32 - 1, true);
  if (client !== undefined) {
    if (typeof client !== 'object' || client === null) throw bad('subset client', client, 'an object');
    checkOptions('subset client', client, { index: 1, of: 1 });
    checkNumber('subset client of', client.of, 1, 2 ** 32, true);
    checkNumber('subset client index', client.index, 0, client.of - 1, true);
  }
  const balancers = new InnerBalancers<'inside' | 'outside'>('subset', inner);
  const rations = new Rations(balancers.first.keyed === true);
  const known = new WeakMap<Member, Ration>();
  let own = seed ?? (client === undefined ? undefined : 0);

  /** What part of each member is in the subset. */
  const parts = (members: readonly Member[], random: Env['random']): Float64Array => {
    own ??= Math.floor(random() * 2 ** 32);
    const hashes = Float64Array.from(members, ({ endpoint: { id } }) => xxh32(id, own));
    const order = members.map((_, i) => i).sort((a, b) => hashes[a]! - hashes[b]! || a - b);
    const inside = new Float64Array(members.length);
    if (client === undefined) for (const i of order.slice(0, size)) inside[i] = 1;
    else {
      const weights = order.map(i => members[i]!.weight);
      aperture(weights, client, size).forEach((part, at) => {
        inside[order[at]!] = part;
      });
    }
    return inside;
  };

  return {
    ...balancers.common(),
    picker(members, env) {
      const part = parts(members, env.random);
      const inside = members.filter((_, i) => part[i]! > 0);
      const within = balancers.of('inside').picker(inside, env);
      const edges = new Map<Member, Ration>();
      const heaviest = members.reduce((most, { weight }) => Math.max(most, weight), 0);
      const due = members.map(({ weight }, i) => (weight / heaviest) * part[i]!);
      const total = due.reduce((sum, each) => sum + each, 0);
      members.forEach((member, i) => {
        if (part[i] === 0 || part[i] === 1) return;
        const ration = known.get(member) ?? rations.for(member, env.random);
        known.set(member, ration);
        ration.share = part[i]!;
        ration.rate = due[i]! / total;
        edges.set(member, ration);
      });
      const first =
        edges.size === 0
          ? within
          : rations.picker(within, edges, env.random, percent => `at the edge of the subset: ${percent} %`);
      if (inside.length === members.length) return first;
      const rest = members.filter((_, i) => part[i] === 0);
      return orElse(first, rest, () => balancers.of('outside').picker(rest, env));
    },
  };
}

/** Goes to others if the first picker finds nobody. Their picker is made when it is needed. */
function orElse(first: Picker, rest: readonly Member[], make: () => Picker): Picker {
  let second: Picker | undefined;
  const pick = (call: Call, now: number): Member | undefined => {
    const member = first(call, now);
    if (member !== undefined) return member;
    second ??= make();
    return second(call, now);
  };
  const outside = byWeight(rest, 'outside the subset, where nobody is acceptable');
  return explained(pick, [first], (call, now): readonly Preference[] => {
    const inside = first.explain!(call, now);
    if (!inside.some(({ member }) => call.accepts(member, now))) return [...outside(call, now)];
    return [...inside, ...rest.map(member => ({ member, share: 0, note: 'outside the subset' }))];
  });
}
