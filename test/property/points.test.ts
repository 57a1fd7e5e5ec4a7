import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PointTable } from '../../src/balancer/points.ts';

type Owned = readonly [place: number, owner: number];

/** Of equal points that of the higher owner comes first: not the order of their numbers. */
const before = (a: number, b: number): boolean => a > b;
const sorted = (owned: readonly Uint32Array[]): Owned[] =>
  owned
    .flatMap((points, owner) => Array.from(points, (place): Owned => [place, owner]))
    .sort(([a, one], [b, other]) => a - b || other - one);

const inTable = (table: PointTable): Owned[] =>
  Array.from({ length: table.count }, (_, i) => [table.place(i), table.owner(i)]);

/** Anywhere, at the ends, and where many meet. */
const place = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff),
);
const points = fc.uniqueArray(place, { maxLength: 12 }).map(places => Uint32Array.from(places).sort());
/** Of few owners with some points and many with hardly any: either may ask for more buckets. */
const owners = fc.oneof(
  fc.array(points, { maxLength: 5 }),
  fc.array(fc.oneof(fc.constant(Uint32Array.of()), points), { maxLength: 40 }),
);

test('a table of points holds each with its place and owner, in order, whoever comes or goes', () => {
  fc.assert(
    fc.property(owners, points, fc.nat(), place, (owned, more, at, hash) => {
      const agree = (table: PointTable, all: readonly Uint32Array[]): void => {
        const expected = sorted(all);
        expect(inTable(table)).toEqual(expected);
        const first = expected.findIndex(([place]) => place >= hash);
        expect(table.find(hash)).toBe(Math.max(0, first));
        expect(table.find(hash | 0)).toBe(Math.max(0, first));
      };
      const table = PointTable.of(owned, before);
      agree(table, owned);
      // A slot of its own, with some free before it.
      const newcomer = owned.length + (at % 50);
      const all = Array.from({ length: newcomer + 1 }, (_, i) => owned[i] ?? Uint32Array.of());
      all[newcomer] = more;
      const grown = table.with(newcomer, more, before);
      agree(grown, all);
      agree(grown.without(newcomer, more), owned);
      const leaver = at % newcomer || 0;
      agree(grown.without(leaver, all[leaver]!), all.with(leaver, Uint32Array.of()));
      agree(table, owned); // which is what it was
    }),
    { numRuns: 200 },
  );
});

test('shares of a table are the ways from the point before, and add up to one', () => {
  const quarter = 2 ** 30;
  const table = PointTable.of([Uint32Array.of(0, quarter), Uint32Array.of(2 * quarter)], before);
  // From half round to 0 is a half of all, from 0 to a quarter is a quarter.
  expect([...table.shares(3)]).toEqual([0.75, 0.25, 0]);
});
