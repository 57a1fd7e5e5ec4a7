import type { Random } from '../base/env.ts';
import { avalanche, xxh32 } from '../base/hash.ts';
import type { Call, Filter } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Picker, Preference } from './balancer.ts';
import { explained, narrowed, scaled } from './narrowed.ts';

/** What a member may have that is to get less than its due. */
export interface Ration {
  /** Its part of what it would be due, 0 to 1. With balancers that go by keys: of its keys. */
  share: number;
  /** The share of all picks that this comes to. With balancers that go by keys of no account. */
  rate: number;
  /** Picks it may have now. */
  credit: number;
  /** How many picks there had been when credit was last added. */
  at: number;
  /** Sets its keys apart from those of others. */
  readonly salt: number;
}

/** So many picks may be saved up: one would be too few, for a turn that comes a little early would be lost. */
const SAVED = 2;
const SEED = 0x72617469;

/**
 * Rations picks, whatever the balancer that makes them prefers. Each pick of the pool adds to the credit of a rationed
 * member, which is acceptable only while it has credit for a pick; in any number of picks it gets its rate of them and
 * two more at most. With a balancer that goes by keys it is acceptable for that share of all keys, always the same ones.
 * If only rationed members are acceptable, they are taken.
 */
export class Rations {
  readonly #keyed: boolean;
  #picks = 0;
  #hash = 0;

  constructor(keyed: boolean) {
    this.#keyed = keyed;
  }

  /** A ration for a member: nothing at first. */
  for({ endpoint: { id } }: Member, random: Random): Ration {
    const ration = { share: 0, rate: 0, credit: 0, at: 0, salt: xxh32(id, SEED) };
    this.reset(ration, random);
    return ration;
  }

  /** Begins anew. How soon it comes to the first pick is left to chance, lest many clients make it at once. */
  reset(ration: Ration, random: Random): void {
    ration.share = ration.rate = 0;
    ration.credit = random();
    ration.at = this.#picks;
  }

  /**
   * A picker that heeds rations.
   *
   * @param of the rations of the members that have one; may change
   * @param note what to tell of a rationed member, given its share in percent
   */
  picker(
    ask: Picker,
    of: ReadonlyMap<Member, Ration>,
    random: Random,
    note: (percent: number) => string,
  ): Picker {
    const rationed = narrowed(ask, this.#filter(of));
    const pick = (call: Call, now: number): Member | undefined => {
      if (of.size === 0) return ask(call, now);
      this.#picks++;
      if (this.#keyed) this.#hash = call.key === undefined ? random() * 2 ** 32 : xxh32(call.key, SEED);
      const member = rationed(call, now);
      if (member === undefined) return ask(call, now);
      if (!this.#keyed) {
        const ration = of.get(member);
        if (ration !== undefined) ration.credit--;
      }
      return member;
    };
    return explained(pick, [ask], this.#explanation(ask, of, note));
  }

  #filter(of: ReadonlyMap<Member, Ration>): Filter {
    if (this.#keyed)
      return member => {
        const ration = of.get(member);
        return ration === undefined || this.#owns(ration, this.#hash);
      };
    return member => {
      const ration = of.get(member);
      if (ration === undefined) return true;
      this.#add(ration);
      return ration.credit >= 1;
    };
  }

  #owns({ share, salt }: Ration, hash: number): boolean {
    return avalanche(hash ^ salt) < share * 2 ** 32;
  }

  #add(ration: Ration): void {
    ration.credit = Math.min(SAVED, ration.credit + (this.#picks - ration.at) * ration.rate);
    ration.at = this.#picks;
  }

  #explanation(ask: Picker, of: ReadonlyMap<Member, Ration>, note: (percent: number) => string) {
    const explain = this.#keyed ? this.#byKey(ask, of) : byCredit(ask, of);
    return (call: Call, now: number): readonly Preference[] => {
      if (of.size === 0) return ask.explain!(call, now);
      return explain(call, now).map(each => {
        const ration = of.get(each.member);
        return ration === undefined ? each : { ...each, note: note(Math.round(100 * ration.share)) };
      });
    };
  }

  /** In the order of the walk, but for those that this key is not for, which come last. */
  #byKey(ask: Picker, of: ReadonlyMap<Member, Ration>) {
    return (call: Call, now: number): readonly Preference[] => {
      const all = ask.explain!(call, now);
      const free = all.filter(({ member }) => !of.has(member));
      if (!free.some(({ member }) => call.accepts(member, now))) return all;
      const kept = all.map(each => ({
        ...each,
        share: (each.share ?? 0) * (of.get(each.member)?.share ?? 1),
      }));
      const lost = 1 - kept.reduce((sum, { share }) => sum + share, 0);
      const gains = new Map(scaled(free, lost).map(({ member, share = 0 }) => [member, share]));
      const told = kept.map(each => ({ ...each, share: each.share + (gains.get(each.member) ?? 0) }));
      if (call.key === undefined) return told;
      const hash = xxh32(call.key, SEED);
      const isFor = ({ member }: Preference): boolean => {
        const ration = of.get(member);
        return ration === undefined || this.#owns(ration, hash);
      };
      return [...told.filter(isFor), ...told.filter(each => !isFor(each))];
    };
  }
}

/** Rounds after which whoever has a ration gets no more than that. */
const ROUNDS = 8;

/** Who would get more than its ration gets that; the rest is shared out as if it were not there, and so on. */
function byCredit(ask: Picker, of: ReadonlyMap<Member, Ration>) {
  const capped = new Set<Member>();
  const others = narrowed(
    (call: Call, now: number) => ask.explain!(call, now),
    member => !capped.has(member),
  );
  return (call: Call, now: number): readonly Preference[] => {
    capped.clear();
    const told: Preference[] = [];
    let left = 1;
    for (let round = 0; ; round++) {
      const found = scaled(others(call, now), left);
      const over = found.filter(({ member, share = 0 }) => {
        const rate = of.get(member)?.rate;
        return rate !== undefined && (share > rate || round === ROUNDS);
      });
      if (over.length === 0) {
        const all = [...told, ...found];
        return [...(found.length > 0 ? all : scaled(all))].sort((a, b) => b.share! - a.share!);
      }
      for (const { member } of over) {
        capped.add(member);
        const { rate } = of.get(member)!;
        told.push({ member, share: rate });
        left -= rate;
      }
    }
  };
}
