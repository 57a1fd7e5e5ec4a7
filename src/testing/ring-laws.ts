import type { RingMember } from '../balancer/placement.ts';
import { ids, keys } from './arbitraries.ts';
import { evenness } from './evenness.ts';
import type { Arbitrary, FastCheck } from './fast-check.ts';
import { type Law, type LawOptions, law, must, shown } from './law.ts';

/** What the laws of consistent hashing ask of a ring, whosever it is. `createRing()` answers one. */
export interface TestedRing {
  add(id: string, weight?: number): unknown;
  remove(id: string): unknown;
  /** The key's owner. */
  get(key: string): unknown;
  /** The owner and those next in line. A ring without it is spared the laws about it. */
  getN?(key: string, n: number): readonly unknown[];
}

export interface RingLawOptions extends LawOptions {
  /** Whether members have weights. Default: true. */
  readonly weighted?: boolean | undefined;
  /**
   * By how much of what its weight entitles it to a member's share may be off; see `evenness` for what to
   * expect. `Infinity` leaves the law out. Default: 0.5, which is 6 standard deviations at 160 points per
   * member, 3 at 40.
   */
  readonly tolerance?: number | undefined;
  /**
   * The share of all keys that may move between members that stay when another comes or goes, such as 0.02 of a
   * Maglev table. Above 0 it is measured on twenty members, and laws that need 0 are left out. Default: 0.
   */
  readonly bystanders?: number | undefined;
}

/**
 * The laws of consistent hashing, to test a ring by:
 *
 * ```ts
 * for (const { name, run } of ringLaws(fc, () => createRing())) test(name, run);
 * ```
 *
 * @param make makes an empty ring
 */
export function ringLaws(
  fc: FastCheck,
  make: () => TestedRing,
  { weighted = true, tolerance = 0.5, bystanders = 0, fastCheck }: RingLawOptions = {},
): Law[] {
  const one = ringMembers(fc, weighted, 1);
  const two = ringMembers(fc, weighted, 2);
  const some = keys(fc);
  const holding = (members: readonly RingMember[]): TestedRing => {
    const ring = make();
    for (const { id, weight } of members) add(ring, id, weight);
    return ring;
  };
  const set: RingMember[] = weighted ? TWENTY : TWENTY.map(({ id }) => ({ id }));
  const strict = [
    law(
      fc,
      fastCheck,
      'a member that is added takes keys, and no key moves between the others',
      fc.tuple(two, some),
      ([[added, ...rest], all]) => {
        const ring = holding(rest);
        const before = owners(ring, all);
        add(ring, added!.id, added!.weight);
        moved(all, before, owners(ring, all), (_, to) => to === added!.id);
      },
    ),
    law(
      fc,
      fastCheck,
      'a member that is removed loses all its keys, and no other key moves',
      fc.tuple(two, some),
      ([[removed, ...rest], all]) => {
        const ring = holding([...rest, removed!]);
        const before = owners(ring, all);
        ring.remove(removed!.id);
        const after = owners(ring, all);
        moved(all, before, after, from => from === removed!.id);
        must(!after.includes(removed!.id), () => `${shown(removed!.id)} was removed and still owns a key`);
      },
    ),
  ];
  const few: Law = {
    name: `when a member comes or goes, at most ${bystanders * 100} % of all keys move between the others`,
    run() {
      const all = Array.from({ length: 10_000 }, (_, i) => `key-${i}`);
      const ring = holding(set);
      const before = owners(ring, all);
      for (const { id, weight } of set.slice(0, 5)) {
        ring.remove(id);
        const without = owners(ring, all);
        add(ring, id, weight);
        const strays = without.filter((owner, i) => owner !== before[i] && before[i] !== id).length;
        must(!without.includes(id), () => `${shown(id)} was removed and still owns a key`);
        must(
          strays <= bystanders * all.length,
          () => `without ${shown(id)}, ${strays} keys of ${all.length} moved between others`,
        );
      }
    },
  };
  const laws = [
    law(fc, fastCheck, 'a lone member owns every key', fc.tuple(one, some), ([[member], all]) => {
      const ring = holding([member!]);
      for (const key of all) {
        const owner = ring.get(key);
        must(
          owner === member!.id,
          () => `${shown(key)} belongs to ${shown(owner)}, not to ${shown(member!.id)}`,
        );
      }
    }),
    ...(bystanders > 0 ? [few] : strict),
    law(
      fc,
      fastCheck,
      'a member that comes back gets back the keys it had',
      fc.tuple(two, some),
      ([members, all]) => {
        const ring = holding(members);
        const before = owners(ring, all);
        ring.remove(members[0]!.id);
        add(ring, members[0]!.id, members[0]!.weight);
        moved(all, before, owners(ring, all), never);
      },
    ),
    law(
      fc,
      fastCheck,
      'the order of adding makes no difference',
      fc.tuple(
        two,
        some,
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 12, maxLength: 12, size: 'max' }),
      ),
      ([members, all, order]) => {
        const before = owners(holding(members), all);
        moved(all, before, owners(holding(shuffled(members, order)), all), never);
      },
    ),
    law(
      fc,
      fastCheck,
      'however a set came about, its keys have the same owners',
      fc.tuple(two, some, fc.array(fc.integer({ min: 0, max: 11 }), { maxLength: 30, size: 'max' })),
      ([members, all, script]) => {
        const ring = make();
        const present = new Map<string, RingMember>();
        const toggle = (member: RingMember): void => {
          const { id, weight } = member;
          if (present.delete(id)) ring.remove(id);
          else {
            present.set(id, member);
            add(ring, id, weight);
          }
        };
        for (const who of script) toggle(members[who % members.length]!);
        if (present.size === 0) toggle(members[0]!);
        moved(all, owners(ring, all), owners(holding([...present.values()].reverse()), all), never);
      },
    ),
  ];
  if (weighted && bystanders === 0) {
    laws.push(
      law(
        fc,
        fastCheck,
        'more weight only brings a member keys, less only takes some away',
        fc.tuple(two, some),
        ([[first, ...rest], all]) => {
          const { id, weight = 1 } = first!;
          const ring = holding([...rest, { id, weight }]);
          const before = owners(ring, all);
          ring.remove(id);
          ring.add(id, weight * 2);
          const after = owners(ring, all);
          moved(all, before, after, (_, to) => to === id);
          ring.remove(id);
          ring.add(id, weight);
          moved(all, after, owners(ring, all), from => from === id);
        },
      ),
    );
  }
  if (tolerance < Number.POSITIVE_INFINITY) {
    laws.push({
      name: `shares follow ${weighted ? 'weights' : 'numbers'}, give or take ${tolerance * 100} %`,
      run() {
        const { largest, smallest } = evenness(holding(set), set);
        must(largest <= 1 + tolerance, () => `a member has ${largest.toFixed(2)} times its due`);
        must(smallest >= 1 - tolerance, () => `a member has ${smallest.toFixed(2)} times its due`);
      },
    });
  }
  if (make().getN === undefined) return laws;
  const getN = (ring: TestedRing, key: string, n: number): readonly unknown[] => ring.getN!(key, n);
  laws.push(
    law(
      fc,
      fastCheck,
      'getN gives the owner first, then others, all different, until there are no more',
      fc.tuple(one, some),
      ([members, all]) => {
        const ring = holding(members);
        for (const key of all) {
          const line = getN(ring, key, members.length + 1);
          must(
            line[0] === ring.get(key),
            () => `${shown(key)}: first in line is not the owner but ${shown(line[0])}`,
          );
          must(
            new Set(line).size === line.length,
            () => `${shown(key)}: ${line.map(shown)} names a member twice`,
          );
          must(
            line.length === members.length,
            () => `${shown(key)}: ${line.length} of ${members.length} are in line`,
          );
        }
      },
    ),
    law(
      fc,
      fastCheck,
      'getN of fewer is the beginning of getN of more',
      fc.tuple(one, some),
      ([members, all]) => {
        const ring = holding(members);
        for (const key of all) {
          const line = getN(ring, key, members.length);
          for (let n = 1; n <= members.length; n++) {
            const part = getN(ring, key, n);
            const same = part.length === n && part.every((id, i) => id === line[i]);
            must(
              same,
              () =>
                `${shown(key)}: getN of ${n} is ${part.map(shown)}, of ${members.length} ${line.map(shown)}`,
            );
          }
        }
      },
    ),
  );
  if (bystanders > 0) return laws;
  return [
    ...laws,
    law(
      fc,
      fastCheck,
      'when its owner is removed, a key goes to the next in line',
      fc.tuple(two, some),
      ([members, all]) => {
        const ring = holding(members);
        const lines = all.map(key => getN(ring, key, 2));
        const removed = lines[0]![0];
        ring.remove(removed as string);
        all.forEach((key, i) => {
          const [owner, heir] = lines[i]!;
          const now = ring.get(key);
          const right = owner === removed ? heir : owner;
          must(
            now === right,
            () => `${shown(key)} went from ${shown(owner)} to ${shown(now)}, not to ${shown(right)}`,
          );
        });
      },
    ),
  ];
}

const WEIGHTS = [1, 2, 0.5, 3, 1.25];
const TWENTY = Array.from({ length: 20 }, (_, i) => ({ id: `member-${i}`, weight: 1 + (i % 3) }));

function ringMembers(fc: FastCheck, weighted: boolean, minLength: number): Arbitrary<RingMember[]> {
  const weights = fc.array(fc.constantFrom(...WEIGHTS), { minLength: 12, maxLength: 12, size: 'max' });
  return fc
    .tuple(ids(fc, { minLength, maxLength: 12 }), weights)
    .map(([names, each]) => names.map((id, i) => (weighted ? { id, weight: each[i]! } : { id })));
}

function add(ring: TestedRing, id: string, weight: number | undefined): void {
  if (weight === undefined) ring.add(id);
  else ring.add(id, weight);
}

const owners = (ring: TestedRing, all: readonly string[]): unknown[] => all.map(key => ring.get(key));

/** Nothing may move but what is allowed to. */
function moved(
  all: readonly string[],
  before: readonly unknown[],
  after: readonly unknown[],
  allowed: (from: unknown, to: unknown) => boolean,
): void {
  all.forEach((key, i) => {
    const from = before[i];
    const to = after[i];
    must(from === to || allowed(from, to), () => `${shown(key)} moved from ${shown(from)} to ${shown(to)}`);
  });
}

const never = (): boolean => false;

function shuffled<T>(values: readonly T[], order: readonly number[]): T[] {
  return values
    .map((value, i) => ({ value, rank: order[i % order.length]! }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ value }) => value);
}
