import { Call } from 'fairlead';
import { type Dialect, envoyMaglev, envoyRing, grpcRing } from 'fairlead/dialects';
import { callAvoiding, members, testEnv } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Circle64 } from '../../src/dialect/circles.ts';
import type { Server } from '../../src/dialect/dialect.ts';
import { TableWalk, tableOf } from '../../src/dialect/envoy-maglev.ts';
import { ringOf } from '../../src/dialect/envoy-ring.ts';
import { RingWalk } from '../../src/dialect/walk.ts';

/** Servers at 127.0.0.1 and these ports, or of these names. */
const servers = (names: readonly (number | string)[], weights: readonly number[] = []): Server[] =>
  names.map((name, i) => ({
    name: typeof name === 'number' ? `127.0.0.1:${name}` : name,
    weight: weights[i] ?? 1,
    endpoint: { id: String(name), host: '127.0.0.1', port: 80 },
  }));

const NINETIES = [90, 91, 92, 93, 94, 95];

const pointsOf = (circle: Circle64): [owner: number, place: bigint][] =>
  Array.from({ length: circle.count }, (_, at) => [
    circle.owner(at),
    (BigInt(circle.high(at)) << 32n) | BigInt(circle.low(at)),
  ]);

const ownerAt = (circle: Circle64, hash: bigint): number =>
  circle.owner(circle.find(Number(hash >> 32n), Number(hash & 0xffffffffn)));

describe("the ring of Envoy's test/extensions/load_balancing_policies/ring_hash/ring_hash_lb_test.cc", () => {
  test('Basic: every point of twelve, and who owns a hash at, after and beyond them', () => {
    const circle = ringOf(servers(NINETIES), 12, 2 ** 23);
    expect(pointsOf(circle)).toEqual([
      [4, 833437586790550860n],
      [2, 928266305478181108n],
      [0, 1033482794131418490n],
      [5, 3551244743356806947n],
      [3, 3851675632748031481n],
      [1, 5583722120771150861n],
      [1, 6311230543546372928n],
      [3, 7700377290971790572n],
      [5, 13144177310400110813n],
      [2, 13444792449719432967n],
      [4, 15516499411664133160n],
      [0, 16117243373044804889n],
    ]);
    expect(ownerAt(circle, 0n)).toBe(4);
    expect(ownerAt(circle, 2n ** 64n - 1n)).toBe(4);
    expect(ownerAt(circle, 3551244743356806947n)).toBe(5);
    expect(ownerAt(circle, 3551244743356806948n)).toBe(3);
    expect(ownerAt(circle, 16117243373044804880n)).toBe(0);
  });

  test('BasicWithHostname, and with the metadata hash_key: the points of names', () => {
    expect(pointsOf(ringOf(servers(['90', '91', '92', '93', '94', '95']), 12, 2 ** 23))).toEqual([
      [5, 1975508444536362413n],
      [5, 2376063919839173711n],
      [3, 2386806903309390596n],
      [4, 6749904478991551885n],
      [3, 6803900775736438537n],
      [2, 7225015537174310577n],
      [0, 8787465352164086522n],
      [2, 11282020843382717940n],
      [1, 13723418369486627818n],
      [0, 13776502110861797421n],
      [1, 14338313586354474791n],
      [4, 15364271037087512980n],
    ]);
  });

  test('UnevenHosts: a minimum of 3 makes 2 points for each of two', () => {
    expect(pointsOf(ringOf(servers([80, 81]), 3, 2 ** 23))).toEqual([
      [0, 5454692015285649509n],
      [1, 7859399908942313493n],
      [0, 13838424394637650569n],
      [1, 16064866803292627174n],
    ]);
    expect(pointsOf(ringOf(servers([81, 82]), 3, 2 ** 23))).toEqual([
      [0, 7859399908942313493n],
      [1, 8241336090459785962n],
      [1, 12882406409176325258n],
      [0, 16064866803292627174n],
    ]);
  });

  test('HostWeightedTinyRing: points by weight', () => {
    expect(pointsOf(ringOf(servers([90, 91, 92], [1, 2, 3]), 6, 6))).toEqual([
      [2, 928266305478181108n],
      [2, 4443673547860492590n],
      [1, 5583722120771150861n],
      [1, 6311230543546372928n],
      [2, 13444792449719432967n],
      [0, 16117243373044804889n],
    ]);
  });

  test('BasicWithRetryHostPredicate: a try goes to the next point, and round', () => {
    const walk = new RingWalk(ringOf(servers(NINETIES), 12, 2 ** 23), 6, () => 0);
    walk.start('');
    expect(Array.from({ length: 13 }, () => walk.next())).toEqual([4, 2, 0, 5, 3, 1, 1, 3, 5, 2, 4, 0, -1]);
  });
});

describe('points of 64 bits', () => {
  /** Few values, so that many are equal or differ in the low half alone. */
  const half = fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff);
  const place = fc.tuple(half, half);

  test('are sorted, equal ones in the order they came, and found from any hash', () => {
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 30 }), place, (places, [high, low]) => {
        const circle = new Circle64(
          Uint32Array.from(places, ([top]) => top),
          Uint32Array.from(places, ([, bottom]) => bottom),
          Uint32Array.from(places, (_, i) => i),
        );
        const sorted = places
          .map(([top, bottom], i): [number, bigint] => [i, (BigInt(top) << 32n) | BigInt(bottom)])
          .sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
        expect(pointsOf(circle)).toEqual(sorted);
        const hash = (BigInt(high) << 32n) | BigInt(low);
        const first = sorted.findIndex(([, at]) => at >= hash);
        expect(circle.find(high, low)).toBe(Math.max(first, 0));
        const gaps = sorted.map(([, at], i) =>
          Number(at - (sorted[i - 1]?.[1] ?? sorted.at(-1)![1] - 2n ** 64n)),
        );
        sorted.forEach((_, i) => {
          // Lost at most: what a double of such a size cannot tell.
          expect(Math.abs(circle.gap(i) * 2 ** 64 - gaps[i]!)).toBeLessThan(2 ** 12);
        });
      }),
    );
  });

  test('are shared out in the order of names where weights leave fractions, whatever the order of the servers', () => {
    const of = servers([90, 91, 92, 93], [1, 1, 1, 1]);
    const shuffled = [2, 0, 3, 1].map(i => of[i]!);
    const names = (all: readonly Server[]): unknown[] =>
      pointsOf(ringOf(all, 6, 6)).map(([owner, at]) => [all[owner]!.name, at]);
    expect(names(of)).toHaveLength(6);
    expect(names(shuffled)).toEqual(names(of));
    // 1.5 each: 2, 1, 2, 1.
    expect(names(of).filter(point => (point as string[])[0] === '127.0.0.1:90')).toHaveLength(2);
    expect(names(of).filter(point => (point as string[])[0] === '127.0.0.1:91')).toHaveLength(1);
  });
});

describe("the rings of grpc-go's balancer/ringhash/ring_test.go", () => {
  const of = servers(['a', 'b', 'c'], [3, 3, 4]);

  test.each([3, 4, 6, 8].flatMap(least => [20, 8].map(most => [least, most])))(
    'TestRingNew: of a size from %i to %i, shared out by weight',
    (least, most) => {
      const points = pointsOf(ringOf(of, least!, most!));
      expect(points.length).toBeGreaterThanOrEqual(least!);
      expect(points.length).toBeLessThanOrEqual(most!);
      of.forEach(({ weight }, i) => {
        const share = points.filter(([owner]) => owner === i).length / points.length;
        expect(Math.abs(share - weight / 10) / ((share + weight / 10) / 2)).toBeLessThan(0.25);
      });
    },
  );

  test('TestRingNewWeightSumOverflow: weights beyond 32 bits are shared out, too', () => {
    const points = pointsOf(ringOf(servers(['a', 'b', 'c'], [2 ** 31, 2 ** 31, 2 ** 30]), 1024, 4096));
    expect(points.length).toBeGreaterThanOrEqual(1024);
    expect(points.filter(([owner]) => owner === 2).length / points.length).toBeCloseTo(0.2, 2);
  });
});

describe("the tables of Envoy's test/extensions/load_balancing_policies/maglev/maglev_lb_test.cc", () => {
  test.each([
    ['Basic', servers(NINETIES), 7, [2, 4, 0, 1, 5, 0, 3]],
    ['BasicWithHostName', servers(['90', '91', '92', '93', '94', '95']), 7, [2, 5, 0, 3, 4, 1, 0]],
    ['Weighted', servers([90, 91], [1, 2]), 17, [1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1]],
    ['of equal weights in 17', servers([90, 91]), 17, [1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1]],
    [
      'of weights 4 to 1 in 17',
      servers([90, 91], [4, 1]),
      17,
      [1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0],
    ],
    ['WeightedSingleHost', servers([90], [7]), 17, new Array(17).fill(0)],
  ])('%s', (_, of, size, table) => {
    expect([...tableOf(of, size)]).toEqual(table);
  });

  test('BasicStability: the order of the hosts makes no difference', () => {
    const order = [3, 0, 5, 1, 4, 2];
    const shuffled = servers(order.map(i => NINETIES[i]!));
    expect([...tableOf(shuffled, 7)].map(i => order[i])).toEqual([2, 4, 0, 1, 5, 0, 3]);
  });

  test('BasicWithRetryHostPredicate: a try hashes again', () => {
    const walk = new TableWalk(tableOf(servers(NINETIES), 7), 6);
    walk.startAtHash(0, 10);
    expect([walk.next(), walk.next(), walk.next()]).toEqual([1, 0, 5]);
  });
});

describe.each<[string, () => Dialect]>([
  ['envoyRing', () => envoyRing()],
  ['grpcRing', () => grpcRing()],
  ['envoyMaglev', () => envoyMaglev({ tableSize: 251 })],
])('%s', (_, make) => {
  const endpoints = Array.from({ length: 12 }, (_, i) => ({
    id: `m${i}`,
    host: `10.0.0.${i}`,
    port: 8080,
    weight: 1 + (i % 3),
  }));

  test('places keys in a pool as by itself, and whoever is refused is passed over in the order of getN', () => {
    const placed = make().place(endpoints);
    const of = members(endpoints);
    const picker = make().picker(of, testEnv());
    fc.assert(
      fc.property(fc.string(), key => {
        const line = placed.getN(key, 12);
        expect(line).toHaveLength(12);
        expect(placed.get(key)).toBe(line[0]);
        for (let n = 0; n < 12; n++) {
          const tried = of.filter(({ endpoint }) => line.slice(0, n).includes(endpoint.id));
          expect(picker(callAvoiding(tried, { key }), 0)?.endpoint.id).toBe(line[n]);
        }
      }),
    );
  });

  test('tells shares that keys bear out', () => {
    const placed = make().place(endpoints);
    const counts = new Map<string, number>();
    const keys = 20_000;
    for (let i = 0; i < keys; i++) {
      const id = placed.get(`key ${i}`)!;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    const shares = placed.distribution();
    expect([...shares.values()].reduce((a, b) => a + b)).toBeCloseTo(1, 9);
    // Always the same keys. The standard deviation of a share of a tenth is 0.2 %.
    for (const [id, share] of shares) expect(Math.abs(counts.get(id)! / keys - share)).toBeLessThan(0.01);
  });

  test('tells what each gets of the keys of one that is refused, as keys bear out', () => {
    const of = members(endpoints);
    const picker = make().picker(of, testEnv());
    const tried = of.slice(3, 6);
    const counts = new Map<string, number>();
    const keys = 20_000;
    for (let i = 0; i < keys; i++) {
      const { id } = picker(callAvoiding(tried, { key: `key ${i}` }), 0)!.endpoint;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    const explained = picker.explain!(callAvoiding(tried, { key: 'key' }), 0);
    expect(explained).toHaveLength(9);
    for (const { member, share } of explained)
      expect(Math.abs(counts.get(member.endpoint.id)! / keys - share!)).toBeLessThan(0.012);
  });

  test('explains the owner first, then the order of the walk, with what each would get', () => {
    const of = members(endpoints);
    const picker = make().picker(of, testEnv());
    const line = make().place(endpoints).getN('key', 12);
    const explained = picker.explain!(new Call({ key: 'key' }), 0);
    expect(explained.map(({ member }) => member.endpoint.id)).toEqual(line);
    expect(explained[0]!.note).toBe('the owner');
    const owner = of.filter(({ endpoint }) => endpoint.id === line[0]);
    const without = picker.explain!(callAvoiding(owner, { key: 'key' }), 0);
    expect(without.map(({ member }) => member.endpoint.id)).toEqual(line.slice(1));
    expect(without.reduce((sum, { share }) => sum + share!, 0)).toBeCloseTo(1, 9);
  });
});

test('a ring of the default size has at least 1024 points, with gRPC at most 4096', () => {
  const many = Array.from({ length: 5000 }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`);
  const owned = (of: Dialect): number =>
    [...of.place(many).distribution().values()].filter(share => share > 0).length;
  expect(owned(envoyRing())).toBe(5000);
  expect(owned(grpcRing())).toBe(4096);
  expect(pointsOf(ringOf(servers(NINETIES), 1024, 2 ** 23))).toHaveLength(1026);
});

test('a member that has no point or place is called when there is nobody else', () => {
  const endpoints = ['a', 'b', 'c'].map(id => ({ id, host: id, port: 80 }));
  for (const balancer of [envoyRing({ minRingSize: 1, maxRingSize: 1 }), envoyMaglev({ tableSize: 2 })]) {
    const of = members(endpoints);
    const picker = balancer.picker(of, testEnv());
    for (const left of of) {
      const rest = of.filter(member => member !== left);
      expect(picker(callAvoiding(rest, { key: 'key' }), 0)).toBe(left);
      expect(picker.explain!(callAvoiding(rest, { key: 'key' }), 0)).toMatchObject([
        { member: left, share: 1 },
      ]);
    }
  }
});
