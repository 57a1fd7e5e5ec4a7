import { Call, type Endpoint } from 'fairlead';
import { libmemcachedRing, nginxRing, twemproxyRing } from 'fairlead/dialects';
import { callAvoiding, members, testEnv } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOf, written } from '../../src/dialect/bytes.ts';
import { md5 } from '../../src/dialect/md5.ts';
import { ketamaKeys } from './libmemcached-tables.ts';

const of = (count: number, fields: (i: number) => Partial<Endpoint> = () => ({})): Endpoint[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `m${String(i).padStart(2, '0')}`,
    host: `10.0.1.${i}`,
    port: 11_211,
    ...fields(i),
  }));

describe("libmemcached's test/tests/memcached/ketama.cpp", () => {
  const weights = [600, 300, 200, 350, 1000, 800, 950, 100];
  const endpoints = weights.map((weight, i) => ({
    id: `${i + 1}`,
    host: `10.0.1.${i + 1}`,
    port: 11_211,
    weight,
  }));

  test('"generate hash": 99 keys over eight servers by weight', () => {
    const placed = libmemcachedRing().place(endpoints);
    expect(ketamaKeys.map(([key]) => placed.get(key))).toEqual(ketamaKeys.map(([, server]) => `${server}`));
  });

  test('"spymemcached": the same by names of its form', () => {
    const placed = libmemcachedRing({ name: ({ host, port }) => `/${host}:${port}` }).place(endpoints);
    expect(ketamaKeys.map(([key]) => placed.get(key))).toEqual(ketamaKeys.map(([, , spy]) => `${spy}`));
  });

  test('VDEAAAAA hashes to fffcd1b5, after the last point, and belongs to the first', () => {
    const placed = libmemcachedRing().place(endpoints);
    const first = libmemcachedRing({ hash: () => 0 }).place(endpoints);
    expect(placed.get('VDEAAAAA')).toBe(first.get('any'));
  });
});

test('twemproxy and weighted libmemcached have one ring, and differ in how they hash a key', () => {
  const endpoints = of(9, i => ({ port: 11_210 + (i % 3), weight: 1 + i }));
  const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`);
  const places = (placed: { get(key: string): string | undefined }): unknown[] =>
    keys.map(key => placed.get(key));
  const twemproxy = twemproxyRing().place(endpoints);
  expect(places(twemproxyRing({ hash: 'md5' }).place(endpoints))).toEqual(
    places(libmemcachedRing().place(endpoints)),
  );
  expect(places(libmemcachedRing({ hash: 'fnv1a_64' }).place(endpoints))).toEqual(places(twemproxy));
  expect(places(twemproxy)).not.toEqual(places(libmemcachedRing().place(endpoints)));
});

test('how many points a server has is rounded as by the float of C: of 25 servers each lacks the last four', () => {
  const digest = new Uint32Array(4);
  const last = bytesOf('10.0.1.0-39');
  md5(last, written, digest);
  const owner = (count: number): string | undefined =>
    twemproxyRing({ hash: () => digest[2]! })
      .place(of(count))
      .get('key');
  expect(owner(24)).toBe('m00');
  expect(owner(25)).not.toBe('m00');
  expect(owner(26)).toBe('m00');
});

test('unweighted, libmemcached heeds no weights', () => {
  const plain = libmemcachedRing({ weighted: false });
  const keys = Array.from({ length: 500 }, (_, i) => `key:${i}`);
  const even = plain.place(of(5));
  const uneven = plain.place(of(5, i => ({ weight: 1 + i })));
  for (const key of keys) expect(uneven.get(key)).toBe(even.get(key));
});

test('a function of the user hashes the keys: at a point it finds the owner, beyond it the next', () => {
  let place = 0;
  const placed = twemproxyRing({ hash: () => place }).place(of(3));
  const seen = new Set<string | undefined>();
  for (place = 0; place < 2 ** 32; place += 2 ** 24) seen.add(placed.get('key'));
  expect([...seen].sort()).toEqual(['m00', 'm01', 'm02']);
  place = Number.NaN;
  const lowest = placed.get('key');
  place = 0;
  expect(placed.get('key')).toBe(lowest);
});

describe('nginxRing', () => {
  test('looks at 21 points, and then shares out by weight among those that are accepted', () => {
    // 160 points a member: to look at all of them takes many more than 21.
    const balancer = nginxRing();
    const all = members(of(40, i => ({ weight: i === 0 ? 3 : 1 })));
    const picker = balancer.picker(all, testEnv());
    const placed = balancer.place(all.map(({ endpoint }) => endpoint));
    const line = placed.getN('key', 40);
    expect(line.length).toBeLessThanOrEqual(21);
    expect(line.length).toBeGreaterThan(10);
    const near = all.filter(({ endpoint }) => line.includes(endpoint.id));
    const call = callAvoiding(near, { key: 'key' });
    const counts = new Map<string, number>();
    const turns = all.length - near.length + (line.includes('m00') ? 0 : 2);
    for (let i = 0; i < 10 * turns; i++) {
      const { id } = picker(call, 0)!.endpoint;
      expect(line).not.toContain(id);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect(counts.size).toBe(all.length - near.length);
    const explained = picker.explain!(call, 0);
    expect(explained).toHaveLength(counts.size);
    expect(explained[0]!.note).toBe('once the walk gives up: by weighted round robin');
  });

  test('has no place for an empty key: such calls are shared out by weight', () => {
    const balancer = nginxRing();
    const all = members(of(4));
    const picker = balancer.picker(all, testEnv());
    expect(balancer.place(of(4)).get('')).toBeUndefined();
    expect(new Set(Array.from({ length: 4 }, () => picker(new Call({ key: '' }), 0))).size).toBe(4);
  });

  test('has 160 points for each unit of weight, to the nearest', () => {
    const shares = nginxRing()
      .place(of(4, i => ({ weight: [0.5, 1, 2, 4.5][i]! })))
      .distribution();
    // One standard deviation of a share is 1 / sqrt(80) of it for the lightest.
    [...shares.values()].forEach((share, i) => {
      expect(Math.abs((share * 8) / [0.5, 1, 2, 4.5][i]! - 1)).toBeLessThan(0.4);
    });
  });
});

test.each([
  ['libmemcachedRing', libmemcachedRing()],
  ['libmemcachedRing, unweighted', libmemcachedRing({ weighted: false })],
  ['twemproxyRing', twemproxyRing()],
  ['nginxRing', nginxRing()],
])('%s: the owner refused, its keys go where they would be without it', (_, balancer) => {
  // Of equal weights, so that without one of them the others have the points they had.
  const endpoints = of(8);
  const placed = balancer.place(endpoints);
  const rests = new Map(
    endpoints.map(({ id }) => [id, balancer.place(endpoints.filter(endpoint => endpoint.id !== id))]),
  );
  const all = members(endpoints);
  const picker = balancer.picker(all, testEnv());
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), key => {
      const [owner, heir] = placed.getN(key, 2);
      const tried = all.filter(({ endpoint }) => endpoint.id === owner);
      expect(picker(new Call({ key }), 0)?.endpoint.id).toBe(owner);
      expect(picker(callAvoiding(tried, { key }), 0)?.endpoint.id).toBe(heir);
      expect(rests.get(owner!)!.get(key)).toBe(heir);
    }),
  );
});
