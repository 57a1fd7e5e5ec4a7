import type { Env } from '../base/env.ts';
import { type Call, PANIC } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Picker, Preference } from './balancer.ts';
import { isSound } from './census.ts';
import { exceeds, type Groups, hasFailed, placeOf, sumUp } from './groups.ts';
import { explained } from './narrowed.ts';
import { priceOf, type ZoneCost } from './zone-cost.ts';
import type { ZoneMemory } from './zone-memory.ts';

/** A zone's name; members without one share `undefined`. */
export type Zone = string | undefined;

export interface ZoneSettings {
  readonly ceiling: number;
  readonly origin: number | undefined;
  /** `Infinity` where it is off. */
  readonly overload: number;
  readonly keyed: boolean;
}

/** What the own zone keeps and where the rest goes. */
class Spill {
  /** The share of calls that stay. */
  local = 1;
  /** The shares of those that leave, by zone; 0 for the own one. */
  readonly away: Float64Array;
  readonly sums: Float64Array;

  constructor(size: number) {
    this.away = new Float64Array(size);
    this.sums = new Float64Array(size);
  }

  /**
   * @param home the index of the own zone, -1 if nobody is there
   * @param able each zone's share of what can take calls
   * @param origins the share of all calls that begins in each zone; `origin` in the own one
   */
  set(home: number, able: Float64Array, origins: Float64Array, origin: number, ceiling: number): void {
    const { away } = this;
    const kept = home < 0 ? 0 : ceiling * able[home]!;
    // A hair more: else rounding would send a call away now and then.
    this.local = home < 0 ? 0 : kept * (1 + 1e-9) >= origin ? 1 : kept / origin;
    let sum = 0;
    for (let i = 0; i < away.length; i++)
      sum += away[i] = i === home ? 0 : Math.max(0, ceiling * able[i]! - origins[i]!);
    if (sum < 1e-9) {
      sum = 0;
      for (let i = 0; i < away.length; i++) sum += away[i] = i === home ? 0 : able[i]!;
    }
    for (let i = 0; i < away.length; i++)
      away[i] = sum > 0 ? away[i]! / sum : i === home ? 0 : 1 / away.length;
    sumUp(away, this.sums);
  }
}

/** Keys decide on leaving and on where to go independently of each other, and of the member. */
const LEAVE = 0x7a6f6e65;
const WHERE = 0x7a6f6e66;

/** Picks from zones: the own one is the first, if anybody is there; and there is another. */
export function zonedPicker(
  groups: Groups<Zone>,
  own: Zone,
  memory: ZoneMemory<Zone>,
  costs: ZoneCost,
  { ceiling, origin, overload, keyed }: ZoneSettings,
  { random }: Env,
): Picker {
  const { all } = groups;
  const size = all.length;
  const home = all[0]!.name === own ? 0 : -1;
  const others = size - home - 1;
  const spill = new Spill(size);
  const inPanic = new Spill(size);
  const able = new Float64Array(size);
  const origins = new Float64Array(size);
  const shares = new Float64Array(size);

  /** The share of all weight, or of that of the healthy, that each zone has. */
  const share = (what: 'well' | 'weight'): Float64Array => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += able[i] = all[i]![what];
    if (sum === 0) return share('weight');
    for (let i = 0; i < size; i++) able[i]! /= sum;
    return able;
  };
  const look = (now: number): void => {
    if (!groups.look(now)) return;
    const total = memory.total(now);
    const largest = memory.largest(own, now);
    const c = origin ?? largest / total;
    const rest = total - largest;
    for (let i = 0; i < size; i++)
      origins[i] =
        i === home ? c : ((1 - c) * memory.largest(all[i]!.name, now)) / Math.max(rest, Number.MIN_VALUE);
    spill.set(home, share('well'), origins, c, ceiling);
    inPanic.set(home, share('weight'), origins, c, ceiling);
    sharesOf(spill);
    groups.plan(shares, now);
  };
  const sharesOf = ({ local, away }: Spill): Float64Array => {
    for (let i = 0; i < size; i++) shares[i] = i === home ? local : (1 - local) * away[i]!;
    return shares;
  };
  const spillOf = ({ acceptance }: Call): Spill => (acceptance < PANIC ? spill : inPanic);
  const byKey = ({ key }: Call): boolean => keyed && key !== undefined;
  const stays = (call: Call, { local }: Spill): boolean =>
    local === 1 || (local > 0 && (byKey(call) ? placeOf(call.key!, LEAVE) : random()) < local);
  const awayTo = (call: Call, { sums }: Spill): number =>
    others === 1 ? home + 1 : exceeds(sums, byKey(call) ? placeOf(call.key!, WHERE) : random());
  const elsewhere = (call: Call, now: number, among: Spill): Member | undefined => {
    for (let i = awayTo(call, among), left = size; left > 0; left--, i = i + 1 === size ? 0 : i + 1) {
      const member = i === home ? undefined : all[i]!.picker(call, now);
      if (member !== undefined) return member;
    }
    return undefined;
  };
  const overloaded = (member: Member, other: Member, now: number): boolean =>
    isSound(other) && priceOf(member, now) > overload * priceOf(other, now);

  const pick = (call: Call, now: number): Member | undefined => {
    look(now);
    const probed = groups.probe(call, now);
    if (probed !== undefined) return probed;
    const among = spillOf(call);
    if (!stays(call, among) || hasFailed(call, all[home]!.members))
      return elsewhere(call, now, among) ?? (home < 0 ? undefined : all[home]!.picker(call, now));
    const member = all[home]!.picker(call, now);
    if (member === undefined) return elsewhere(call, now, among);
    if (overload === Infinity || member.inFlight === 0) return member;
    costs.learn(priceOf(member, now), member.inFlight, now);
    const scouts = costs.scouts(now, random);
    if (!scouts && !costs.exceeds(overload)) return member;
    const other = all[awayTo(call, among)]!.picker(call, now);
    if (other === undefined) return member;
    if (scouts && isSound(other)) {
      costs.sent(other, now);
      return other;
    }
    return overloaded(member, other, now) ? other : member;
  };
  const explain = (call: Call, now: number): Preference[] => {
    look(now);
    const among = spillOf(call);
    const order = all.map((_, i) => i);
    if (byKey(call)) {
      const first = stays(call, among) ? home : awayTo(call, among);
      order.unshift(...order.splice(first, 1));
    }
    const elsewhere = (i: number, note: string | undefined): string | undefined =>
      i === home ? note : `another zone${note === undefined ? '' : `: ${note}`}`;
    const told = (shares: ArrayLike<number>): Preference[] =>
      groups.explain({ shares, standIns: among.away, order }, call, now, elsewhere);
    const usually = told(sharesOf(among));
    if (overload === Infinity || home < 0 || !costs.exceeds(overload)) return usually;
    // What one call in the own zone would do against each member elsewhere that it may be compared with.
    const away = new Map(told(among.away).map(({ member, share }) => [member, share!]));
    const moved = new Map<Member, number>();
    for (const { member, share = 0 } of usually) {
      if (!all[home]!.members.includes(member) || member.inFlight === 0 || share === 0) continue;
      for (const [other, chance] of away) {
        if (chance === 0 || all[home]!.members.includes(other) || !overloaded(member, other, now)) continue;
        moved.set(member, (moved.get(member) ?? 0) - share * chance);
        moved.set(other, (moved.get(other) ?? 0) + share * chance);
      }
    }
    return usually.map(each => ({
      ...each,
      share: Math.max(0, each.share! + (moved.get(each.member) ?? 0)),
    }));
  };
  return explained(pick, groups.pickers, explain);
}
