import {
  envoyMaglev,
  envoyRing,
  grpcRing,
  haproxyRing,
  libmemcachedRing,
  nginxRing,
  twemproxyRing,
} from 'fairlead/dialects';
import { expect, test } from 'vitest';
import { endpoint, endpoints, rig } from '../helpers.ts';

test.each<[string, () => unknown]>([
  ['envoyMaglev tableSize is 65536; it must be a prime', () => envoyMaglev({ tableSize: 65_536 })],
  ['envoyMaglev tableSize is 1; ', () => envoyMaglev({ tableSize: 1 })],
  ['envoyMaglev tableSize is 5000012; ', () => envoyMaglev({ tableSize: 5_000_012 })],
  [
    'envoyRing minRingSize is 20; it must be a whole number of at least 1 and at most 10',
    () => envoyRing({ minRingSize: 20, maxRingSize: 10 }),
  ],
  ['envoyRing maxRingSize is 0; ', () => envoyRing({ maxRingSize: 0 })],
  ['grpcRing maxRingSize is 8388609; ', () => grpcRing({ maxRingSize: 2 ** 23 + 1 })],
  ['grpcRing minRingSize is NaN; ', () => grpcRing({ minRingSize: Number.NaN })],
  ['nginxRing name is 1; it must be a function', () => nginxRing({ name: 1 as never })],
  ['haproxyRing id is undefined; it must be a function', () => haproxyRing({} as never)],
  [
    'haproxyRing function is "md5"; it must be one of sdbm,djb2,wt6,crc32',
    () => haproxyRing({ id: () => 1, function: 'md5' as never }),
  ],
  [
    'libmemcachedRing hash is "murmur"; it must be a function or one of one_at_a_time,',
    () => libmemcachedRing({ hash: 'murmur' as never }),
  ],
  ['twemproxyRing hash is "toString"; ', () => twemproxyRing({ hash: 'toString' as never })],
])('%s', (message, make) => {
  expect(make).toThrow(message);
});

test('a key that is no string is refused, for all such would have one owner', () => {
  for (const placed of [envoyRing().place(['a:1']), nginxRing().place(['a:1'])]) {
    expect(() => placed.get(5 as never)).toThrow('key is 5; it must be a string');
    expect(() => placed.getN('key', -1)).toThrow(RangeError);
  }
});

test('nothing is placed among no endpoints, or drained ones', () => {
  const drained = { ...endpoint('a'), weight: 0 };
  for (const balancer of [
    envoyRing(),
    grpcRing(),
    envoyMaglev(),
    nginxRing(),
    twemproxyRing(),
    libmemcachedRing(),
    libmemcachedRing({ weighted: false }),
    haproxyRing({ id: () => 1 }),
  ]) {
    for (const placed of [balancer.place([]), balancer.place([drained])]) {
      expect(placed.get('key')).toBeUndefined();
      expect(placed.getN('key', 3)).toEqual([]);
      expect(placed.distribution().size).toBe(0);
    }
  }
});

test('a weight that would take too many points, and one that HAProxy cannot have, are named', () => {
  const heavy = [{ ...endpoint('a'), weight: 60_000 }];
  expect(() => nginxRing().place(heavy)).toThrow(/^a ring of 9600000 points is too large/);
  expect(() => haproxyRing({ id: () => 1 }).place(heavy)).toThrow(
    'haproxyRing weight of "a" is 60000; it must be',
  );
});

test.each<[string, () => number | string, string]>([
  ['haproxyRing id of "m000" is 0; it must be a whole number of at least 1', () => 0, 'id'],
  ['haproxyRing id of "m001" is 7; it must be another than that of others', () => 7, 'id'],
  ['haproxyRing id of "m000" is NaN; ', () => Number.NaN, 'id'],
  [
    'no id',
    () => {
      throw new Error('no id');
    },
    'id',
  ],
  ['envoyRing name of "m000" is ""; it must be a non-empty string', () => '', 'name'],
  ['envoyRing name of "m000" is 5; it must be a non-empty string', () => 5, 'name'],
])('a set that the function of the user cannot name is refused: %s', async (message, answer, option) => {
  let broken = false;
  const ids = ['m000', 'm001'];
  const balancer =
    option === 'id'
      ? haproxyRing({ id: ({ id }) => (broken ? (answer() as number) : ids.indexOf(id) + 1) })
      : envoyRing({ name: ({ id }) => (broken ? (answer() as string) : id) });
  const { client, source, lines } = rig(endpoints(1), { balancer });
  await client.ready();
  broken = true;
  source.set(endpoints(2));
  await expect.poll(() => lines.at(-1)).toContain(message);
  expect(await client.run(async ({ id }) => id, { key: 'key' })).toBe('m000');
});

test('a hash of the user that throws for a key sends the call anywhere, and it is told', async () => {
  const hash = (): number => {
    throw new Error('no hash');
  };
  const { client, lines } = rig(4, { balancer: twemproxyRing({ hash }) });
  expect(await client.run(async () => 1, { key: 'key' })).toBe(1);
  expect(lines).toContain('fault balancer no hash');
});
