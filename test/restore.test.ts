import {
  alwaysClosed,
  anyOf,
  type Client,
  type ClientOptions,
  type Clock,
  consecutiveFailures,
  createClient,
  failureRate,
  jump,
  outliers,
  restoreFrom,
  roundRobin,
  type SavedPool,
  serviceBreaker,
} from 'fairlead/core';
import { manualClock, scriptedDiscovery, seededRandom, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { endpoint, logbook, rig } from './helpers.ts';

const a = endpoint('a');
const b = endpoint('b');
const breaker = consecutiveFailures({ threshold: 1, openFor: 1000, jitter: 0 });

/** Where the next monotonic clock begins. */
let origin = 0;

/** A process that begins at `wall`, in ms since 1970, whose monotonic clock says something else. */
async function processAt(
  wall: number | undefined,
  { restore, ...options }: Partial<Omit<ClientOptions, 'restore'>> & { readonly restore?: SavedPool } = {},
  set = [a, b],
  before = (): void => {},
) {
  const manual = manualClock((origin = (origin * 7 + 123_457) % 1_000_000));
  const start = manual.now();
  const clock: Clock = {
    now: manual.now,
    after: manual.after,
    ...(wall !== undefined && { wall: () => wall + manual.now() - start }),
  };
  const { observer, lines } = logbook();
  const { discovery, set: change } = scriptedDiscovery(set);
  const client = createClient({
    discovery,
    balancer: roundRobin(),
    breaker,
    panic: false,
    observer,
    env: { clock, random: seededRandom(1) },
    ...options,
    ...(restore && { restore: restoreFrom(restore) }),
  });
  await settled();
  before();
  await client.ready();
  return { client, lines, change, advance: manual.advance };
}

const states = ({ pool }: Client): string =>
  pool
    .members()
    .map(({ endpoint, breaker }) => `${endpoint.id} ${breaker}`)
    .join(', ');

/** Fails at one member. */
async function fail(client: Client, id: string): Promise<void> {
  for (let n = 0; n < 10; n++) {
    let failed = false;
    await client
      .run(async endpoint => {
        failed = endpoint.id === id;
        if (failed) throw new Error('refused');
      })
      .catch(() => {});
    if (failed) return;
  }
}

/** As it is after it was written to a file. */
const written = (saved: SavedPool): SavedPool => JSON.parse(JSON.stringify(saved));

/** Until when a member is refused, in ms from now; up to 10 s. */
async function refusedFor(run: { client: Client; advance(ms: number): Promise<void> }, id: string) {
  for (let ms = 0; ms < 10_000; ms += 10) {
    const called: string[] = [];
    for (let n = 0; n < 2; n++) await run.client.run(async endpoint => void called.push(endpoint.id));
    if (called.includes(id)) return ms;
    await run.advance(10);
  }
  return Number.POSITIVE_INFINITY;
}

describe('an open breaker, saved with 700 of 1000 ms to go, in another process', () => {
  test.each([
    ['at once, stays open for those', 0, 700],
    ['after 400 ms, stays open for the rest', 400, 300],
    ['after an hour, is to be probed at once', 3_600_000, 0],
    ['whose clock is an hour behind, stays open for no longer than those', -3_600_000, 700],
  ])('%s', async (_, later, left) => {
    const first = await processAt(1e12);
    await fail(first.client, 'b');
    await first.advance(300);
    const saved = written(first.client.pool.save());
    expect(saved).toMatchObject({
      savedAt: 1e12 + 300,
      breakers: [{ id: 'b', host: 'b.test', port: 80, breaker: { state: 'open' } }],
    });
    const second = await processAt(1e12 + 300 + later, { restore: saved });
    expect(states(second.client)).toBe('a closed, b open');
    const open = await refusedFor(second, 'b');
    expect(open).toBeLessThanOrEqual(left);
    expect(open).toBeGreaterThanOrEqual(left - 10);
    expect(states(second.client)).toBe('a closed, b closed');
    expect(second.lines.filter(line => line.startsWith('fault'))).toEqual([]);
  });

  test('that cannot tell how long ago that was, is to be probed at once', async () => {
    for (const [then, now] of [
      [undefined, 1e12],
      [1e12, undefined],
    ] as const) {
      const first = await processAt(then);
      await fail(first.client, 'b');
      const saved = written(first.client.pool.save());
      const second = await processAt(now, { restore: saved });
      expect(states(second.client)).toBe('a closed, b open');
      expect(await refusedFor(second, 'b')).toBe(0);
    }
  });
});

test('what was half-open is to be probed at once, for its probe is lost', async () => {
  const first = await processAt(1e12);
  await fail(first.client, 'b');
  await first.advance(1000);
  for (let n = 0; n < 2; n++) void first.client.run(() => new Promise(() => {}));
  expect(states(first.client)).toBe('a closed, b half-open');
  const second = await processAt(1e12 + 1000, { restore: written(first.client.pool.save()) });
  expect(states(second.client)).toBe('a closed, b open');
  expect(await refusedFor(second, 'b')).toBe(0);
});

test('an open time that has grown goes on from where it was, and decays over the interruption, too', async () => {
  for (const [away, opens] of [
    [0, 2000],
    [600, 1400],
    [3_600_000, 1000],
  ] as const) {
    const first = await processAt(1e12);
    await fail(first.client, 'b');
    await first.advance(1000);
    await first.client.run(async () => {});
    await first.client.run(async () => {});
    expect(states(first.client)).toBe('a closed, b closed');
    const second = await processAt(1e12 + 1000 + away, { restore: written(first.client.pool.save()) });
    expect(states(second.client)).toBe('a closed, b closed');
    await fail(second.client, 'b');
    const open = await refusedFor(second, 'b');
    expect(Math.abs(open - opens)).toBeLessThanOrEqual(10);
  }
});

test('only the same id at the same address is restored, whenever it first comes; once', async () => {
  const first = await processAt(1e12);
  await fail(first.client, 'b');
  const restore = written(first.client.pool.save());
  const moved = await processAt(1e12, { restore }, [a, endpoint('b', { port: 81 })]);
  expect(states(moved.client)).toBe('a closed, b closed');
  const second = await processAt(1e12, { restore }, [a]);
  await second.advance(100);
  second.change([a, b]);
  await settled();
  expect(states(second.client)).toBe('a closed, b open');
  second.change([a]);
  await settled();
  second.change([a, b]);
  await settled();
  expect(states(second.client)).toBe('a closed, b closed');
});

test('a member of a set that the balancer refuses is restored when a better set comes', async () => {
  const first = await processAt(1e12);
  await fail(first.client, 'b');
  const restore = written(first.client.pool.save());
  const shard = (shard: number) => ({ metadata: { shard: String(shard) } });
  const { discovery, set } = scriptedDiscovery([endpoint('b', shard(1))]);
  const second = await processAt(1e12, { restore, balancer: jump(), discovery }, undefined, () =>
    set([endpoint('a', shard(0)), endpoint('b', shard(1))]),
  );
  expect(second.lines).toContain('fault balancer jump needs shards 0 to 1 without a gap; 0 is missing');
  expect(states(second.client)).toBe('a closed, b open');
});

test('who was isolated by hand stays so until released', async () => {
  const first = await processAt(1e12);
  first.client.pool.isolate('a');
  first.client.pool.isolate('gone');
  const second = await processAt(1e12, { restore: written(first.client.pool.save()) });
  expect(second.client.pool.members().map(({ isolated }) => isolated)).toEqual([true, false]);
  expect(second.client.pool.save().isolated).toEqual(['a', 'gone']);
  second.client.pool.release('a');
  expect(second.client.pool.save().isolated).toEqual(['gone']);
});

test('a breaker round the service is saved and restored as those of members are', async () => {
  const policies = () => [serviceBreaker(breaker)];
  const first = await processAt(1e12, { policies: policies(), breaker: false });
  await fail(first.client, 'a');
  const saved = written(first.client.pool.save());
  expect(saved).toMatchObject({ breakers: [], service: [{ state: 'open', openFor: 1000 }] });
  const second = await processAt(1e12 + 400, { policies: policies(), breaker: false, restore: saved });
  expect(second.client.pool.serviceBreakers).toEqual(['open']);
  await second.advance(590);
  await expect(second.client.run(async () => {})).rejects.toMatchObject({ code: 'OPEN' });
  await second.advance(10);
  await second.client.run(async () => {});
  expect(second.client.pool.serviceBreakers).toEqual(['closed']);
});

test('any breaker of ours is restored, also several in one', async () => {
  for (const make of [
    failureRate({ minCalls: 1, openFor: 1000, jitter: 0 }),
    outliers({ consecutive: 1, openFor: 1000, jitter: 0 }),
    anyOf(outliers(), breaker),
  ]) {
    const first = await processAt(1e12, { breaker: make });
    await fail(first.client, 'b');
    await first.advance(500);
    const second = await processAt(1e12 + 500, { breaker: make, restore: written(first.client.pool.save()) });
    expect(states(second.client)).toBe('a closed, b open');
    const open = await refusedFor(second, 'b');
    expect(open).toBeLessThanOrEqual(500);
    expect(open).toBeGreaterThanOrEqual(490);
  }
});

test('nothing is saved of what is as good as new, and saving changes nothing', async () => {
  const { client } = await processAt(1e12);
  expect(client.pool.save()).toEqual({ savedAt: 1e12, isolated: [], breakers: [], service: [] });
  await fail(client, 'a');
  expect(client.pool.save()).toEqual(client.pool.save());
});

describe('a part that is wrong is a fault, and the rest is restored', () => {
  const good = {
    id: 'b',
    host: 'b.test',
    port: 80,
    breaker: { state: 'open', remaining: 500, openFor: 1000 },
  };
  const wrong: readonly unknown[] = [
    null,
    5,
    'open',
    [],
    {},
    { state: 'ajar', remaining: 1, openFor: 1 },
    { state: 'open', remaining: '1', openFor: 1 },
    { state: 'open', remaining: Number.NaN, openFor: 1 },
    { state: 'open', remaining: -1, openFor: 1 },
    { state: 'open', remaining: 1 },
    { state: 'open', remaining: 1, openFor: Number.POSITIVE_INFINITY },
  ];
  test.each(wrong.map(breaker => [breaker]))('%j', async breaker => {
    const restore: SavedPool = {
      savedAt: 1e12,
      isolated: [],
      breakers: [{ id: 'a', host: 'a.test', port: 80, breaker }, good],
      service: [],
    };
    const { client, lines } = await processAt(1e12, { restore });
    expect(states(client)).toBe('a closed, b open');
    expect(lines.filter(line => line.startsWith('fault breaker a saved breaker'))).toHaveLength(1);
  });

  test('nothing where something else was expected', async () => {
    const breakers = [null, 5, {}, { id: 'a' }, good] as unknown as SavedPool['breakers'];
    const { client } = await processAt(1e12, {
      restore: { savedAt: 1e12, isolated: [], breakers, service: [5] },
    });
    expect(states(client)).toBe('a closed, b open');
  });

  test('a time longer than there can be is cut', async () => {
    const breakers = [{ ...good, breaker: { state: 'open', remaining: 1e12, openFor: 1e12 } }];
    const restore: SavedPool = { savedAt: 1e12, isolated: [], breakers, service: [] };
    const make = consecutiveFailures({ openFor: 1000, maxOpenFor: 2000 });
    const second = await processAt(1e12, { breaker: make, restore });
    expect(await refusedFor(second, 'b')).toBeLessThanOrEqual(2000);
  });
});

test('a breaker that cannot be saved is left out; one that throws as it is saved is a fault', async () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  for (const [more, faults] of [
    [{}, []],
    [{ save: boom }, ['fault breaker boom']],
  ] as const) {
    const { client, lines } = rig(1, { breaker: () => ({ ...alwaysClosed, ...more }) });
    await client.ready();
    expect(client.pool.save().breakers).toEqual([]);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual(faults);
  }
});

test('where nothing is restored a breaker round the service is new', async () => {
  const { client, lines } = rig(1, { policies: [serviceBreaker(consecutiveFailures())] });
  expect(await client.run(async () => 1)).toBe(1);
  expect(client.pool.serviceBreakers).toEqual(['closed']);
  expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
});
