import { alwaysClosed, type Balancer, Call, roundRobin, xxh32 } from 'fairlead';
import { callAvoiding, members, settled, testEnv } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jump } from '../../src/balancer/jump.ts';
import { jump64, jumpHash } from '../../src/balancer/jump-hash.ts';
import { endpoint, rig } from '../helpers.ts';
import { same } from '../in-loops.ts';

/** The paper's algorithm, in 64-bit integers. */
function reference(key: bigint, shards: number): number {
  let b = -1;
  let j = 0;
  while (j < shards) {
    b = j;
    key = BigInt.asUintN(64, key * 2862933555777941757n + 1n);
    j = Math.floor((b + 1) * (2 ** 31 / Number((key >> 33n) + 1n)));
  }
  return b;
}

const key64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const shardCount = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 0x7fffffff }));

describe('jumpHash', () => {
  test('is the algorithm of the paper, bit by bit', () => {
    fc.assert(
      fc.property(key64, shardCount, (key, shards) => {
        expect(jumpHash(key, shards)).toBe(reference(key, shards));
        expect(jump64(Number(key >> 32n), Number(key & 0xffffffffn), shards)).toBe(reference(key, shards));
      }),
      { numRuns: 1000 },
    );
  });

  test('carries from the lower half to the upper', () => {
    // Keys whose lower half is 2^32 - 1 once multiplied, so that the 1 added makes it 0.
    const C = 2862933555777941757n;
    let inverse = 1n;
    for (let i = 0; i < 6; i++) inverse = BigInt.asUintN(32, inverse * (2n - C * inverse));
    const low = BigInt.asUintN(32, -inverse);
    expect(BigInt.asUintN(32, low * C + 1n)).toBe(0n);
    for (let high = 0n; high < 2000n; high++) {
      const key = (high << 32n) | low;
      expect(jumpHash(key, 1_000_000_007)).toBe(reference(key, 1_000_000_007));
    }
  });

  test('takes numbers for the keys they are', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), shardCount, (key, shards) => {
        expect(jumpHash(key, shards)).toBe(reference(BigInt(key), shards));
      }),
    );
  });

  test('gives the values that the tests of Guava hold (HashingTest, linearCongruentialGeneratorCompatibility)', () => {
    const golden = [0, 55, 62, 8, 45, 59, 86, 97, 82, 59, 73, 37, 17, 56, 86, 21, 90, 37, 38, 83];
    expect(golden.map((_, key) => jumpHash(key, 100))).toEqual(golden);
    expect(jumpHash(10863919174838991n, 11)).toBe(6);
    expect(jumpHash(2016238256797177309n, 11)).toBe(3);
    expect(jumpHash(1673758223894951030n, 11)).toBe(5);
    expect(jumpHash(2, 100_001)).toBe(80_343);
    expect(jumpHash(2201, 100_001)).toBe(22_152);
    expect(jumpHash(2202, 100_001)).toBe(15_018);
  });

  // lithammer/python-jump-consistent-hash, tests/test_jump.py, and whitfin/jumper, test/jumper_test.exs.
  test.each([
    [1, 1, 0],
    [42, 57, 43],
    [0xdead10cc, 1, 0],
    [0xdead10cc, 666, 361],
    [256, 1024, 520],
    [128, 100_000_000, 38_172_097],
    [18446744073709551615n, 128, 92],
    [0xa9993e364706816aba3e25717850c26c9cd0d89dn, 5, 2],
    [-42n, 57, 8],
  ])('gives the values that other implementations hold: %s of %i shards is %i', (key, shards, expected) => {
    expect(jumpHash(key, shards)).toBe(expected);
  });

  test('hashes strings to 64 bits', () => {
    const key = 'user:42';
    const hashed = (BigInt(xxh32(key, 1)) << 32n) | BigInt(xxh32(key, 0));
    for (const shards of [1, 7, 1000]) expect(jumpHash(key, shards)).toBe(reference(hashed, shards));
  });

  test('moves keys to a shard that is added, and none between the others', () => {
    fc.assert(
      fc.property(key64, fc.integer({ min: 1, max: 5000 }), (key, shards) => {
        const before = jumpHash(key, shards);
        expect([before, shards]).toContain(jumpHash(key, shards + 1));
      }),
      { numRuns: 500 },
    );
  });

  test('spreads strings evenly', () => {
    const counts = new Array<number>(20).fill(0);
    for (let i = 0; i < 40_000; i++) counts[jumpHash(`key-${i}`, 20)]!++;
    // 2000 each: a standard deviation of 44; 5 of them.
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(220);
  });
});

const shards = (...numbers: number[]) =>
  numbers.map((shard, i) => endpoint(`m${i}`, { metadata: { shard: String(shard) } }));
const pickerOf = (set: ReturnType<typeof shards>, balancer: Balancer) =>
  balancer.picker(members(set, { balancer }), testEnv());
const shardOf = (picked: { endpoint: { metadata?: Readonly<Record<string, string>> } } | undefined): number =>
  Number(picked?.endpoint.metadata?.['shard']);

describe('the jump balancer', () => {
  test('calls the shard that jumpHash tells, whatever the ids say', () => {
    const picker = pickerOf(shards(3, 1, 0, 2), jump());
    for (let i = 0; i < 200; i++)
      expect(shardOf(picker(new Call({ key: `k${i}` }), 0))).toBe(jumpHash(`k${i}`, 4));
  });

  test('takes numbers from elsewhere, if told', () => {
    const set = ['a-2', 'b-0', 'c-1'].map(id => endpoint(id));
    const picker = pickerOf(set, jump({ shard: ({ id }) => Number(id.slice(2)) }));
    for (let i = 0; i < 50; i++)
      expect(picker(new Call({ key: `k${i}` }), 0)!.endpoint.id.slice(2)).toBe(String(jumpHash(`k${i}`, 3)));
  });

  test('chooses the least busy replica of a shard', () => {
    const balancer = jump();
    const of = members(shards(0, 0, 0), { balancer });
    const { clock, random } = testEnv();
    const picker = balancer.picker(of, { clock, random });
    for (let i = 0; i < 30; i++) picker(new Call({ key: 'k' }), 0)!.begin({ clock, observer: undefined }, 0);
    expect(of.map(({ inFlight }) => inFlight)).toEqual([10, 10, 10]);
  });

  test('leaves the choice among replicas to another balancer, if told, made once for each shard', () => {
    let made = 0;
    const balancer = jump({
      replicas: () => {
        made++;
        return roundRobin();
      },
    });
    const of = members(shards(0, 0, 0, 1), { balancer });
    for (let round = 0; round < 2; round++) {
      const picker = balancer.picker(of, testEnv());
      const key = Array.from({ length: 50 }, (_, i) => `k${i}`).find(each => jumpHash(each, 2) === 0)!;
      const turns = Array.from({ length: 6 }, () => picker(new Call({ key }), 0)!.endpoint.id);
      expect(turns.slice(0, 3).sort()).toEqual(['m0', 'm1', 'm2']);
      expect(turns.slice(3)).toEqual(turns.slice(0, 3));
    }
    expect(made).toBe(2);
  });

  test('has a refused replica stand back for the others of its shard, and a refused shard for all others alike', () => {
    const balancer = jump();
    const of = members(shards(0, 0, 1, 2, 3, 4), { balancer });
    const picker = balancer.picker(of, testEnv());
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 20_000; i++) {
      const key = `k${i}`;
      if (jumpHash(key, 5) !== 0) {
        same(shardOf(picker(callAvoiding(of.slice(0, 2), { key }), 0)), jumpHash(key, 5));
        continue;
      }
      same(picker(callAvoiding([of[0]!], { key }), 0), of[1]);
      counts[shardOf(picker(callAvoiding(of.slice(0, 2), { key }), 0))]!++;
    }
    // 4000 keys over four: 1000 each, a standard deviation of 27; the next in number would have them all.
    expect(counts[0]).toBe(0);
    for (const count of counts.slice(1)) expect(Math.abs(count - 1000)).toBeLessThan(140);
  });

  test('one more shard takes keys from the others, and none moves between them', () => {
    const [five, six] = [shards(0, 1, 2, 3, 4), shards(0, 1, 2, 3, 4, 5)].map(set => pickerOf(set, jump()));
    let taken = 0;
    for (let i = 0; i < 3000; i++) {
      const [before, after] = [five!, six!].map(picker => shardOf(picker(new Call({ key: `k${i}` }), 0)));
      if (before === after) continue;
      expect(after).toBe(5);
      taken++;
    }
    // A sixth of 3000; a standard deviation of 20.
    expect(Math.abs(taken - 500)).toBeLessThan(100);
  });

  test('explains: the replicas of the owner, then those of the others, with their shares', () => {
    const picker = pickerOf(shards(0, 0, 1, 2), jump({ replicas: plain }));
    const own = jumpHash('key', 3);
    const told = picker.explain!(new Call({ key: 'key' }), 0);
    expect(told).toHaveLength(4);
    expect(shardOf(told[0]!.member)).toBe(own);
    expect(told[0]!.note).toBe(`shard ${own}, the owner`);
    for (const { member, share, note } of told) {
      expect(share).toBeCloseTo(shardOf(member) === 0 ? 1 / 6 : 1 / 3, 12);
      expect(note).toContain(`shard ${shardOf(member)}`);
    }
    expect(picker.explain!(new Call(), 0).map(({ member }) => shardOf(member))).toEqual([0, 0, 1, 2]);
  });

  test('closes what it made', () => {
    let closed = 0;
    const balancer = jump({ replicas: () => ({ ...roundRobin(), close: () => void closed++ }) });
    pickerOf(shards(0, 1, 2), balancer);
    balancer.close!();
    expect(closed).toBe(3);
  });
});

/** A balancer that explains nothing. */
const plain = (): Balancer => ({ picker: of => call => of.find(member => call.accepts(member, 0)) });

describe('a set that the jump balancer cannot number', () => {
  test.each([
    ['a number is missing', shards(0, 1, 3), 'jump needs shards 0 to 3 without a gap; 2 is missing'],
    ['the first is missing', shards(1, 2), 'jump needs shards 0 to 2 without a gap; 0 is missing'],
    ['a number is far off', shards(0, 4_000_000_000), 'without a gap; 1 is missing'],
    ['an endpoint has none', [...shards(0), endpoint('x')], 'jump shard of "x" is NaN'],
    ['it is no number', [endpoint('x', { metadata: { shard: '' } })], 'jump shard of "x" is NaN'],
    ['it is no whole number', [endpoint('x', { metadata: { shard: '1.5' } })], 'jump shard of "x" is NaN'],
  ])('is refused, and the last good one stands: %s', async (_, set, message) => {
    const { client, source, lines } = rig(shards(0, 1), { balancer: jump() });
    await client.ready();
    source.set(set);
    await settled();
    expect(lines.at(-1)).toContain(message);
    expect(client.pool.size).toBe(2);
    expect(await client.run(async () => 1, { key: 'k' })).toBe(1);
  });

  test('is refused if the function that numbers throws', () => {
    const balancer = jump({
      shard: () => {
        throw new Error('no number');
      },
    });
    expect(() => balancer.picker(members(['a'], { breaker: () => alwaysClosed }), testEnv())).toThrow(
      'no number',
    );
  });
});
