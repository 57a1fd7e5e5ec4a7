// Mistakes that other libraries made and this one must not. Those that touch one part alone are tested beside it:
// windows that slide only when fed, back-off that sleeps through an abort, stale epochs, ratios rounded to nothing,
// fast failures that draw traffic, ring points that depend on the others.

import {
  type Balancer,
  Call,
  consecutiveFailures,
  leastRequest,
  p2c,
  random,
  retry,
  ring,
  roundRobin,
  timeout,
  weightedRoundRobin,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { endpoint, endpoints, type Rig, rig, watch } from './helpers.ts';

const BALANCERS: readonly (readonly [string, () => Balancer])[] = [
  ['roundRobin', roundRobin],
  ['weightedRoundRobin', weightedRoundRobin],
  ['random', random],
  ['p2c', p2c],
  ['leastRequest', leastRequest],
  ['ring', ring],
];

const nameOf = async ({ client }: Rig, key?: string): Promise<string> =>
  client.run(async ({ id }) => id, { key });

describe('asking moves a cursor, or takes the probe', () => {
  test.each(BALANCERS)(
    '%s: looking at members and asking for untried ones changes no pick',
    async (_, make) => {
      const breaker = consecutiveFailures({ threshold: 1, openFor: 100, jitter: 0 });
      const picks = async (asking: boolean): Promise<string[]> => {
        const { client, clock } = rig(4, { balancer: make(), breaker });
        await client.ready();
        const picked: string[] = [];
        for (let i = 0; i < 60; i++) {
          for (let n = 0; asking && n < 3; n++) {
            client.pool.members();
            client.pool.hasUntried(new Call(), clock.now());
          }
          const attempt = client.pool.pick(new Call({ key: `key ${i}` }));
          picked.push(attempt.endpoint.id);
          await clock.advance(10);
          attempt.end(i % 7 === 0 ? 'failure' : 'success');
        }
        return picked;
      };
      expect(await picks(true)).toEqual(await picks(false));
    },
  );
});

describe('hanging for ever after every instance was down for a moment', () => {
  test.each([
    ['with panic, at once', true, 0],
    ['without panic, within one open time', false, 1200],
  ])('they are found to be up again %s', async (_, panic, within) => {
    let up = true;
    const { client, clock } = rig(3, {
      panic,
      breaker: consecutiveFailures({ threshold: 1, openFor: 1000 }),
      policies: [timeout(10_000), retry(), timeout(100)],
    });
    const call = async (): Promise<string> => {
      if (!up) throw new Error('refused');
      return 'answer';
    };
    expect(await client.run(call)).toBe('answer');
    up = false;
    for (let i = 0; i < 10; i++) {
      const fate = watch(client.run(call));
      await clock.advance(100); // back-offs of 25 and 50 ms at most
      expect(fate.state).toBe('rejected');
    }
    up = true;
    await clock.advance(within);
    expect(await client.run(call)).toBe('answer');
  });

  test('a set that was empty for a moment is no end either', async () => {
    const { client, source } = rig(2, { follow: { emptyAfter: 0 } });
    await client.run(async () => 1);
    source.set([]);
    await settled();
    await expect(client.run(async () => 1)).rejects.toMatchObject({ code: 'NO_ENDPOINTS' });
    source.set(endpoints(2));
    await settled();
    expect(await client.run(async () => 1)).toBe(1);
  });
});

describe('an index into an array that changes, or a turn that begins at 0 with each update', () => {
  test.each([
    ['roundRobin', roundRobin],
    ['weightedRoundRobin', weightedRoundRobin],
  ])('%s stays even although the set changes after every call', async (_, make) => {
    const made = rig(endpoints(5), { balancer: make() });
    const counts = new Map<string, number>();
    for (let i = 0; i < 500; i++) {
      const id = await nameOf(made);
      counts.set(id, (counts.get(id) ?? 0) + 1);
      made.source.set(endpoints(5).map(each => ({ ...each, metadata: { update: String(i) } })));
      await settled();
    }
    expect([...counts.values()]).toEqual([100, 100, 100, 100, 100]);
  });

  test.each(BALANCERS)(
    '%s picks nobody who has left, and misses nobody who stays, while members come and go',
    async (name, make) => {
      const made = rig(endpoints(8), { balancer: make() });
      await made.client.ready();
      for (let i = 0; i < 60; i++) {
        const set = endpoints(8).filter((_, n) => (i * 7 + n * 3) % 5 > 1);
        made.source.set(set);
        await settled();
        const picked = new Set<string>();
        for (let n = 0; n < 40; n++) picked.add(await nameOf(made, `key ${n} ${i}`));
        const ids = set.map(({ id }) => id);
        expect(ids).toEqual(expect.arrayContaining([...picked]));
        if (name.endsWith('Robin')) expect(picked.size).toBe(ids.length);
      }
    },
  );
});

describe('a fleet that marches in step', () => {
  test.each(BALANCERS)(
    '%s: of many processes that make one call each, every instance gets some',
    async (_, make) => {
      const first = new Set<string>();
      for (let seed = 0; seed < 100; seed++) first.add(await nameOf(rig(4, { balancer: make() }, seed)));
      expect(first.size).toBe(4); // a chance of 4 * 0.75^100 to miss one, and the seeds are fixed
    },
  );
});

test('missing keys all hashed to one place: calls without a key go everywhere', async () => {
  const made = rig(5, { balancer: ring() });
  const picked = new Set<string>();
  for (let i = 0; i < 200; i++) picked.add(await nameOf(made));
  expect(picked.size).toBe(5);
});

test('the empty key taken for a missing one: it has its owner like any other', async () => {
  const made = rig(5, { balancer: ring() });
  const picked = new Set<string>();
  for (let i = 0; i < 50; i++) picked.add(await nameOf(made, ''));
  expect(picked.size).toBe(1);
});

test('a watch that stops for good at a reset connection: after a thousand of them it still follows', async () => {
  const { client, source, clock } = rig(1, { follow: { restartAfter: 1, maxRestartAfter: 10 } });
  await client.ready();
  for (let i = 0; i < 1000; i++) source.fail(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
  await clock.advance(20_000);
  source.set([endpoint('new')]);
  await settled();
  expect(client.pool.members().map(({ endpoint: { id } }) => id)).toEqual(['new']);
});

test('weights mixed with periods: a light member among heavy ones gets its share, not a few calls in all', async () => {
  const made = rig([endpoint('heavy', { weight: 1000 }), endpoint('light', { weight: 10 })], {
    balancer: weightedRoundRobin(),
  });
  let light = 0;
  for (let i = 0; i < 2020; i++) if ((await nameOf(made)) === 'light') light++;
  expect(light).toBe(20);
});
