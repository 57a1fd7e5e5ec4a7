import { type Balancer, Call, type HashFunction, xxh32 } from 'fairlead';
import {
  callAvoiding,
  evenness,
  ids,
  keys,
  members,
  type RingLawOptions,
  ringLaws,
  type TestedRing,
  testEnv,
} from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maglev } from '../../src/balancer/maglev.ts';
import { createMaglev } from '../../src/balancer/maglev-table.ts';
import type { Placement, RingMember } from '../../src/balancer/placement.ts';
import { createRendezvous, rendezvous } from '../../src/balancer/rendezvous.ts';
import { isPrime, Scatter } from '../../src/balancer/scatter.ts';
import { balancerAsRing, rebuiltRing } from './as-ring.ts';

const colliding: HashFunction = (key, seed) => xxh32(key, seed) % 8;
const fastCheck = { numRuns: 25 };
const off = Number.POSITIVE_INFINITY;

// Twenty members of weights 1 to 3: 2000 keys for each give its share a standard deviation of 2.9 % at weight 1; the
// largest of twenty is hardly ever 5 away. A Maglev table of 1009 slots rounds the smallest's 26 slots by 4 % more.
describe.each<[string, () => TestedRing, RingLawOptions]>([
  ['createRendezvous()', () => rebuiltRing(createRendezvous), { tolerance: 0.15 }],
  [
    'createRendezvous() with a hash that collides',
    () => rebuiltRing(of => createRendezvous(of, { hash: colliding })),
    { tolerance: off, fastCheck },
  ],
  ['rendezvous()', () => balancerAsRing(rendezvous()), { tolerance: 0.15, fastCheck }],
  [
    'createMaglev()',
    () => rebuiltRing(of => createMaglev(of, { size: 1009 })),
    // 20 slots or so of 1009 pass from each that stays: more than of a large table.
    { tolerance: 0.2, bystanders: 0.05, fastCheck },
  ],
  [
    'createMaglev() of the usual size',
    () => rebuiltRing(of => createMaglev(of)),
    { tolerance: 0.15, bystanders: 0.01, fastCheck: { numRuns: 3 } },
  ],
  [
    'createMaglev() with a hash that collides',
    () => rebuiltRing(of => createMaglev(of, { size: 101, hash: colliding })),
    { tolerance: off, bystanders: 1, fastCheck },
  ],
  [
    'maglev()',
    () => balancerAsRing(maglev({ size: 1009 })),
    { tolerance: 0.2, bystanders: 0.05, fastCheck: { numRuns: 10 } },
  ],
])('the laws of consistent hashing, for %s', (_, make, options) => {
  for (const { name, run } of ringLaws(fc, make, options)) test(name, run);
});

describe.each<[string, () => Balancer, (of: readonly RingMember[]) => Placement]>([
  ['maglev', () => maglev({ size: 1009 }), of => createMaglev(of, { size: 1009 })],
  ['rendezvous', rendezvous, createRendezvous],
])('%s', (kind, balancer, create) => {
  test('as a balancer owns keys as it does alone, and asks the members in the order of getN, each once', () => {
    const weights = fc.array(fc.constantFrom(1, 2, 0.5), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(ids(fc), weights, keys(fc, { maxLength: 5 }), (names, each, all) => {
        const set = names.map((id, i) => ({ id, weight: each[i]! }));
        const of = members(set);
        const picker = balancer().picker(of, testEnv());
        const expected = create(set);
        for (const key of all) {
          expect(picker(new Call({ key }), 0)?.endpoint.id).toBe(expected.get(key));
          const call = new Call({ key });
          const asked: string[] = [];
          call.accepts = member => {
            asked.push(member.endpoint.id);
            return false;
          };
          expect(picker(call, 0)).toBeUndefined();
          expect(asked).toEqual(expected.getN(key, names.length));
          expect([...asked].sort()).toEqual(expected.ids);
        }
      }),
    );
  });

  test('alone tells its size, its ids, who is there, and shares that add up to 1', () => {
    const made = create([{ id: 'b', weight: 3 }, { id: 'a' }]);
    expect(made.size).toBe(2);
    expect(made.ids).toEqual(['a', 'b']);
    expect([made.has('a'), made.has('c')]).toEqual([true, false]);
    const shares = made.distribution();
    expect([...shares.keys()]).toEqual(['a', 'b']);
    expect(shares.get('a')).toBeCloseTo(0.25, 2);
    expect(shares.get('a')! + shares.get('b')!).toBeCloseTo(1, 12);
    expect(made.getN('key', 1)).toEqual([made.get('key')]);
    expect(made.getN('key', 0)).toEqual([]);
  });

  test('of nobody gives keys to nobody', () => {
    const made = create([]);
    expect(made.get('key')).toBeUndefined();
    expect(made.getN('key', 3)).toEqual([]);
    expect(made.distribution().size).toBe(0);
  });

  test('shares out what refused members leave by weight, whoever they are', () => {
    const set = Array.from({ length: 10 }, (_, i) => ({ id: `m${i}`, weight: 1 + (i % 2) }));
    const of = members(set);
    const picker = balancer().picker(of, testEnv());
    // Only the keys of the members refused: they must not all go to a neighbour. 10 000 keys, of which at least
    // 660 come to a member of weight 1: a standard deviation of 4 %; and 1009 slots round shares by a few %.
    for (const out of [[of[0]!], [of[3]!], of.slice(0, 5)]) {
      const counts = new Map<string, number>();
      let total = 0;
      for (let i = 0; i < 60_000 && total < 10_000; i++) {
        const key = `key-${i}`;
        if (!out.includes(picker(new Call({ key }), 0)!)) continue;
        const { id } = picker(callAvoiding(out, { key }), 0)!.endpoint;
        counts.set(id, (counts.get(id) ?? 0) + 1);
        total++;
      }
      const rest = of.filter(member => !out.includes(member));
      const sum = rest.reduce((weights, { weight }) => weights + weight, 0);
      for (const { endpoint, weight } of rest)
        expect(Math.abs(((counts.get(endpoint.id) ?? 0) * sum) / total / weight - 1)).toBeLessThan(0.3);
    }
  });

  test('explains: the owner, then who stands in, with the shares of all keys', () => {
    const of = members([{ id: 'a' }, { id: 'b', weight: 2 }, { id: 'c' }]);
    const picker = balancer().picker(of, testEnv());
    const expected = create([{ id: 'a' }, { id: 'b', weight: 2 }, { id: 'c' }]);
    const told = picker.explain!(new Call({ key: 'key' }), 0);
    expect(told.map(({ member }) => member.endpoint.id)).toEqual(expected.getN('key', 3));
    expect(told.map(({ note }) => note)).toEqual([
      'the owner',
      ...Array(2).fill(kind === 'maglev' ? 'another slot of the key' : 'next by score'),
    ]);
    for (const { member, share } of told) expect(share).toBe(expected.distribution().get(member.endpoint.id));
    const without = picker.explain!(new Call(), 0);
    expect(without.map(({ share }) => share)).toEqual(
      without.map(({ share }) => share!).sort((a, b) => b - a),
    );
  });
});

describe('a maglev table', () => {
  test('gives slots by weight, and one to each at the least', () => {
    const set = fc.array(fc.constantFrom(1, 2, 3, 0.5, 7), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(set, weights => {
        const of = weights.map((weight, i) => ({ id: `member-${i}`, weight }));
        const shares = createMaglev(of, { size: 1009 }).distribution();
        const total = weights.reduce((a, b) => a + b, 0);
        for (const { id, weight } of of) {
          const slots = shares.get(id)! * 1009;
          // Each is up to one slot ahead, having taken one in the first round whatever its weight, or behind, the last
          // round being cut short; and for what the others are ahead it goes without in proportion.
          const due = (1009 * weight) / total;
          expect(Math.abs(slots - due)).toBeLessThan(1.01 + (weights.length * weight) / total);
          expect(slots).toBeGreaterThan(0.99);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('of as many members as slots gives one to each', () => {
    const made = createMaglev(
      Array.from({ length: 101 }, (_, i) => ({ id: `m${i}`, weight: 1 + (i % 7) })),
      { size: 101 },
    );
    for (const share of made.distribution().values()) expect(share * 101).toBeCloseTo(1, 6);
  });

  test('is made fast though one member outweighs thousands', () => {
    const of = Array.from({ length: 10_000 }, (_, i) => ({ id: `m${i}`, weight: i === 0 ? 1 : 1e-12 }));
    const made = createMaglev(of);
    expect(made.distribution().get('m0')! * 65_537).toBeCloseTo(65_537 - 9999, 0);
  });

  test('of more members than 2 bytes can number still has all of them', () => {
    const made = createMaglev(Array.from({ length: 65_537 }, (_, i) => `m${i}`));
    expect(new Set(Array.from({ length: 3000 }, (_, i) => made.get(`key ${i}`))).size).toBeGreaterThan(2900);
  });

  // Table of field measurements, 10 and 100 members: 0.24 % and 0.57 % of the keys.
  test.each([10, 100])('of the usual size moves few keys of %i members between those that stay', count => {
    const all = Array.from({ length: count }, (_, i) => `10.0.0.${i}:8080`);
    const gone = all[3]!;
    const before = createMaglev(all);
    const after = createMaglev(all.filter(id => id !== gone));
    let strays = 0;
    for (let i = 0; i < 20_000; i++) {
      const owner = before.get(`key ${i}`);
      if (owner !== gone && owner !== after.get(`key ${i}`)) strays++;
    }
    expect(strays / 20_000).toBeLessThan(0.01);
    expect(strays).toBeGreaterThan(0);
  });
});

describe('rendezvous', () => {
  // 40 000 keys per member: a standard deviation of 0.5 %, and the keys are always the same.
  test.each([
    ['alike', () => 1],
    ['of many sizes', (i: number) => 1 + i],
    ['a hundred times each other', (i: number) => (i % 2 === 0 ? 100 : 1)],
  ])('gives weights that are %s their shares', (_, weight) => {
    const set = Array.from({ length: 4 }, (_, i) => ({ id: `10.0.0.${i}:80`, weight: weight(i) }));
    const { largest, smallest } = evenness(createRendezvous(set), set, { keysPerMember: 40_000 });
    // The smallest of the third has 800 keys: 3.5 %.
    expect(largest).toBeLessThan(1.11);
    expect(smallest).toBeGreaterThan(0.89);
  });

  test('orders members as scores do that are reckoned anew by the definition', () => {
    const set = [
      { id: 'a', weight: 1 },
      { id: 'b', weight: 5 },
      { id: 'c', weight: 1 },
      { id: 'd', weight: 0.3 },
    ];
    const mixed = (h: number): number => {
      h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae3d);
      return (h ^ (h >>> 16)) >>> 0;
    };
    const made = createRendezvous(set);
    for (let i = 0; i < 500; i++) {
      const key = `key ${i}`;
      const scores = set.map(({ id, weight }) => ({
        id,
        score:
          -weight / Math.log((mixed(Math.imul(xxh32(key) ^ xxh32(id, 0), xxh32(id, 1) | 1)) + 0.5) / 2 ** 32),
      }));
      const order = scores.sort((a, b) => b.score - a.score).map(({ id }) => id);
      expect(made.getN(key, 4)).toEqual(order);
    }
  });
});

test('a scatter names every number once, from the one it is given, in different orders for different hashes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.nat(),
      fc.integer({ min: 0, max: 0xffffffff }),
      (size, at, hash) => {
        const subject = new Scatter(size);
        subject.begin(at % size, hash);
        const named = Array.from({ length: size }, () => subject.next());
        expect(named[0]).toBe(at % size);
        expect([...named].sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
        expect(subject.next()).toBe(-1);
      },
    ),
  );
  const seconds = new Set<number>();
  const subject = new Scatter(20);
  for (let hash = 0; hash < 100; hash++) {
    subject.begin(7, hash);
    subject.next();
    seconds.add(subject.next());
  }
  expect(seconds.size).toBe(19);
});

test('primes are told from other numbers', () => {
  const primes = Array.from({ length: 50 }, (_, n) => n).filter(isPrime);
  expect(primes).toEqual([2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]);
  expect([65_537, 65_536, 5_000_011, 655_373, 655_360, 257 * 257].map(isPrime)).toEqual([
    true,
    false,
    true,
    true,
    false,
    false,
  ]);
});
