import type { Env } from '../base/env.ts';
import { xxh32 } from '../base/hash.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Picker, Preference } from './balancer.ts';
import { Census, weigh, weighWell } from './census.ts';
import type { Group } from './group.ts';
import type { InnerBalancers } from './inner.ts';
import { scaled } from './narrowed.ts';
import { Probing } from './probing.ts';

/** Groups that make up a set, in a fixed order. */
export class Groups<Name> {
  readonly all: readonly Group<Name>[];
  readonly #census: Census;
  readonly #probing: Probing<Name>;

  constructor(
    sets: ReadonlyMap<Name, readonly Member[]>,
    order: readonly Name[],
    inner: InnerBalancers<Name>,
    env: Env,
  ) {
    this.all = order.map(name => {
      const members = sets.get(name)!;
      const weight = weigh(members);
      return { name, members, picker: inner.of(name).picker(members, env), weight, well: weight };
    });
    this.#census = new Census(this.all[0]!.members);
    this.#probing = new Probing(this.all, inner.first.keyed === true);
  }

  /** Takes in how the members are. Answers whether it may be otherwise than before. */
  look(now: number): boolean {
    if (!this.#census.due(now)) return false;
    for (const group of this.all) group.well = weighWell(group.members, now);
    return true;
  }

  /** Says which shares of the calls the groups get, so that the next `probe` knows who has to be asked. */
  plan(shares: ArrayLike<number>, now: number): void {
    this.#probing.plan(shares, now);
  }

  /** A member that this call is to find out about, if there is one. */
  probe(call: Call, now: number): Member | undefined {
    return this.#probing.probe(call, now);
  }

  get pickers(): readonly Picker[] {
    return this.all.map(({ picker }) => picker);
  }

  /**
   * What a pick would do that goes to each group with its share. What falls to groups in which nobody is accepted goes
   * to the first group, or, if that is one of them, to the others by what they get as stand-ins.
   *
   * @param order of the groups, as this call would go through them
   */
  explain(
    { shares, standIns, order }: GroupShares,
    call: Call,
    now: number,
    note: (group: number, note: string | undefined) => string | undefined,
  ): Preference[] {
    const each = this.all.map(({ picker }) => picker.explain!(call, now));
    const open = this.all.map(({ members }) => members.some(member => call.accepts(member, now)));
    const first = open.indexOf(true);
    const due = Float64Array.from(shares, (share, i) => (open[i] ? share : 0));
    const lost = 1 - due.reduce((sum, share) => sum + share, 0);
    const stand = Float64Array.from(standIns, (share, i) => (open[i] ? share : 0));
    const total = stand.reduce((sum, share) => sum + share, 0);
    if (open[0] || total === 0) {
      if (first >= 0) due[first]! += lost;
    } else {
      for (let i = 0; i < due.length; i++) due[i]! += (lost * stand[i]!) / total;
    }
    return order.flatMap(i =>
      scaled(each[i]!, due[i]).map(({ member, share = 0, note: why }) => {
        const text = note(i, why);
        return { member, share, ...(text !== undefined && { note: text }) };
      }),
    );
  }
}

export interface GroupShares {
  readonly shares: ArrayLike<number>;
  readonly standIns: ArrayLike<number>;
  readonly order: readonly number[];
}

/**
 * Whether a call has failed twice, and nowhere but among these members: it may be that all of them are down, and that nobody
 * knows yet. Then its next attempt is better made elsewhere.
 */
export const hasFailed = ({ tried }: Call, members: readonly Member[]): boolean =>
  tried.length > 1 && tried.every(member => members.includes(member));

/** A key's place from 0 to 1, another for each seed: what decides by it moves as few keys as can be. */
export const placeOf = (key: string, seed: number): number => xxh32(key, seed) / 2 ** 32;

/** The first place at which sums of shares exceed a number. */
export function exceeds(sums: Float64Array, place: number): number {
  let i = 0;
  while (i < sums.length - 1 && sums[i]! <= place) i++;
  return i;
}

/** Sums of shares, those after the last that is not 0 included, made to end at 1 in spite of rounding. */
export function sumUp(shares: Float64Array, sums: Float64Array): void {
  let last = 0;
  let sum = 0;
  for (let i = 0; i < shares.length; i++) {
    if (shares[i]! > 0) last = i;
    sums[i] = sum += shares[i]!;
  }
  for (let i = last; i < sums.length; i++) sums[i] = 1;
}
