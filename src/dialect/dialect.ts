import type { Balancer, Picker, Preference } from '../balancer/balancer.ts';
import { byWeight } from '../balancer/by-weight.ts';
import type { Placement } from '../balancer/placement.ts';
import { weightedRoundRobin } from '../balancer/weighted-round-robin.ts';
import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import { parsed } from '../discovery/discovery.ts';
import { readSet } from '../discovery/endpoints.ts';
import type { Call } from '../model/call.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Member } from '../model/member.ts';
import type { Walk } from './walk.ts';

/** A balancer that places keys where another system places them. */
export interface Dialect extends Balancer {
  readonly keyed: true;
  /**
   * Where it places keys among these endpoints, without calling anybody. A string is `host:port`, and is its own id.
   * `getN` answers fewer than asked where the system gives up sooner.
   *
   * @throws what is thrown for a set that the dialect cannot place, and FairleadError BAD_ENDPOINTS
   */
  place(endpoints: Iterable<Endpoint | string>): Placement;
}

/** How a dialect knows an endpoint. */
export interface Server {
  readonly name: string;
  readonly weight: number;
  readonly endpoint: Endpoint;
}

/** What the other system calls an endpoint, which is what it hashes. */
export type NameOf = (endpoint: Endpoint) => string;

/** `host:port`. */
export const address: NameOf = ({ host, port }) => `${host}:${port}`;

/** Makes a balancer, and placements, of what builds a walk for a set of servers, sorted by their endpoints' ids. */
export function dialect(title: string, nameOf: NameOf, build: (servers: readonly Server[]) => Walk): Dialect {
  checkFunction(`${title} name`, nameOf);
  const walkFor = (endpoints: readonly Endpoint[]): Walk =>
    build(
      endpoints.map(endpoint => ({
        name: named(title, nameOf, endpoint),
        weight: endpoint.weight ?? 1,
        endpoint,
      })),
    );
  const rest = weightedRoundRobin();
  return {
    keyed: true,
    picker(members, env) {
      const walk = walkFor(members.map(({ endpoint, weight }) => ({ ...endpoint, weight })));
      return pickerOf(walk, members, env.random, rest.picker(members, env));
    },
    place(endpoints) {
      const set = readSet(
        Array.from(endpoints, endpoint => (typeof endpoint === 'string' ? parsed(endpoint) : endpoint)),
        error => {
          throw error;
        },
      ).filter(({ weight }) => weight !== 0);
      return placementOf(walkFor(set), set);
    },
  };
}

function named(title: string, nameOf: NameOf, endpoint: Endpoint): string {
  const name = nameOf(endpoint);
  if (typeof name !== 'string' || name === '')
    throw bad(`${title} name of ${JSON.stringify(endpoint.id)}`, name, 'a non-empty string');
  return name;
}

/** Goes where the walk goes; once that gives up, to whoever the call accepts, by weighted round robin. */
function pickerOf(walk: Walk, members: readonly Member[], random: () => number, rest: Picker): Picker {
  /** Marks those asked by a pick with the pick's number, so that each is asked once. */
  const asked = new Float64Array(members.length);
  let pick = 0;
  const picker = (call: Call, now: number): Member | undefined => {
    if (call.key === undefined) walk.startAt(random());
    else walk.start(call.key);
    pick++;
    for (let left = members.length; left > 0; ) {
      const at = walk.next();
      if (at < 0) return rest(call, now);
      if (asked[at] === pick) continue;
      asked[at] = pick;
      left--;
      if (call.accepts(members[at]!, now)) return members[at];
    }
    return undefined;
  };
  return Object.assign(picker, {
    explain(call: Call, now: number): readonly Preference[] {
      const open = members.map(member => call.accepts(member, now));
      const shares = walk.shares(at => open[at]!);
      // None that is open has a place of its own.
      if (!shares.some(share => share > 0))
        return byWeight(members, 'has no place: by weighted round robin')(call, now);
      const order = call.key === undefined ? [] : orderOf(walk, call.key, members.length);
      const others = members.map((_, at) => at).filter(at => !order.includes(at));
      others.sort((a, b) => shares[b]! - shares[a]!);
      return [...order, ...others]
        .filter(at => open[at])
        .map(at => ({
          member: members[at]!,
          share: shares[at]!,
          note:
            at === order[0]
              ? 'the owner'
              : order.includes(at)
                ? walk.onward
                : call.key === undefined
                  ? 'no key: a random place'
                  : 'once the walk gives up: by weighted round robin',
        }));
    },
  });
}

function placementOf(walk: Walk, endpoints: readonly Endpoint[]): Placement {
  const checked = (key: string): string => {
    if (typeof key !== 'string') throw bad('key', key, 'a string');
    return key;
  };
  const getN = (key: string, n: number): string[] =>
    orderOf(walk, checked(key), Math.min(checkNumber('getN', n, 0), endpoints.length)).map(
      at => endpoints[at]!.id,
    );
  const ids = endpoints.map(({ id }) => id);
  return {
    size: ids.length,
    ids,
    has: id => ids.includes(id),
    get: key => getN(key, 1)[0],
    getN,
    distribution() {
      const shares = walk.shares(() => true);
      return new Map(endpoints.map(({ id }, at) => [id, shares[at]!]));
    },
  };
}

/** The first `n` different servers that a walk meets. */
function orderOf(walk: Walk, key: string, n: number): number[] {
  const order = new Set<number>();
  if (n > 0) walk.start(key);
  while (order.size < n) {
    const at = walk.next();
    if (at < 0) break;
    order.add(at);
  }
  return [...order];
}
