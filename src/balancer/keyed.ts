import { Dice } from '../base/dice.ts';
import type { Random } from '../base/env.ts';
import { type HashFunction, signedOf } from '../base/hash.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Picker, Preference } from './balancer.ts';
import { Bounds, CountedLoad } from './bounded-load.ts';
import type { Line } from './line.ts';

/** How a kind of balancer places keys on a set of members. */
export interface Keyed {
  readonly line: Line;
  readonly hash: HashFunction;
  /** The share of all hashes that each member owns. */
  shares(): ArrayLike<number>;
  /** What `explain` says of those who are not the owner. */
  readonly standIn: string;
}

/**
 * A balancer that gives a call to the first member in its key's line that the call accepts, and that is not full if
 * loads are bounded. A call without a key goes to a random place. A hash that answers no whole number is taken modulo
 * 2^32, without its fraction; one that throws is the balancer's fault, which the pool makes good.
 */
export function keyedBalancer(
  place: (members: readonly Member[]) => Keyed,
  boundedLoad: number | undefined,
): Balancer {
  const picker: Balancer['picker'] = (members, { random }) =>
    pickerOf(members, place(members), random, boundedLoad);
  if (boundedLoad === undefined) return { keyed: true, picker };
  return { keyed: true, picker, load: () => new CountedLoad() };
}

function pickerOf(
  members: readonly Member[],
  keyed: Keyed,
  random: Random,
  boundedLoad: number | undefined,
): Picker {
  const { line, hash } = keyed;
  const hashed = signedOf(hash);
  const dice = new Dice(random);
  const place = ({ key }: Call): number => (key === undefined ? dice.word() : hashed(key));
  const bounds = boundedLoad === undefined ? undefined : new Bounds(members, boundedLoad);
  const explain = (call: Call, now: number): Preference[] => explained(members, keyed, bounds, call, now);
  if (bounds !== undefined)
    return Object.assign((call: Call, now: number) => bounds.pick(line, place(call), call, now), { explain });
  return Object.assign(
    (call: Call, now: number): Member | undefined => {
      for (let i = line.first(place(call)); i >= 0; i = line.next())
        if (call.accepts(members[i]!, now)) return members[i];
      return undefined;
    },
    { explain },
  );
}

function explained(
  members: readonly Member[],
  { line, hash, shares, standIn }: Keyed,
  bounds: Bounds | undefined,
  call: Call,
  now: number,
): Preference[] {
  const all = shares();
  const found: Preference[] = [];
  bounds?.look();
  const full = (i: number): string | undefined => {
    const capacity = bounds?.capacity(i);
    const { inFlight } = members[i]!;
    return capacity === undefined || inFlight < capacity
      ? undefined
      : `over its bound: ${inFlight} of ${capacity} in flight`;
  };
  const add = (i: number, note: string): void =>
    void found.push({ member: members[i]!, share: all[i]!, note: full(i) ?? note });
  if (call.key === undefined) {
    for (let i = 0; i < members.length; i++) add(i, 'no key: any place is as likely');
    return found.sort((a, b) => b.share! - a.share!);
  }
  let over = false;
  for (let i = line.first(hash(call.key) | 0); i >= 0; i = line.next()) {
    add(i, found.length === 0 ? 'the owner' : standIn);
    if (over || full(i) === undefined || !call.accepts(members[i]!, now)) continue;
    over = true;
    line.overflow?.();
  }
  return found;
}
