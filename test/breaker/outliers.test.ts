import { fixed } from 'fairlead';
import {
  Call,
  consecutiveFailures,
  healthChecks,
  type OutlierOptions,
  outliers,
  Pool,
  type PoolOptions,
  roundRobin,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { endpoints, testEnv } from '../helpers.ts';

/** How a member answers call n: how long it takes in ms, and whether it fails. */
type Answer = (member: number, n: number) => { readonly ms?: number; readonly fails?: boolean };

/** A pool whose members are called in turn, round after round, each call a ms after the one before. */
async function poolOf(size: number, options: OutlierOptions, poolOptions: Partial<PoolOptions> = {}) {
  const env = testEnv();
  const pool = new Pool({
    discovery: fixed(endpoints(size)),
    balancer: roundRobin(),
    breaker: outliers({ jitter: 0, ...options }),
    panic: false,
    env,
    ...poolOptions,
  });
  await settled();
  let n = 0;
  const call = async (answer: Answer): Promise<void> => {
    const attempt = pool.pick(new Call());
    const { ms = 1, fails = false } = answer(Number(attempt.endpoint.id.slice(1)), n++);
    await env.clock.advance(ms);
    attempt.end(fails ? 'failure' : 'success');
  };
  return {
    ...env,
    pool,
    calls: async (count: number, answer: Answer) => {
      for (let i = 0; i < count; i++) await call(answer);
    },
    out: () =>
      pool
        .members()
        .flatMap(({ endpoint: { id }, breaker }) => (breaker === 'closed' ? [] : [Number(id.slice(1))])),
  };
}

/** Only one rule at a time. */
const none = {
  consecutive: Infinity,
  failureShare: 2,
  deviations: Infinity,
  slowness: Infinity,
  maxEjected: 1,
};

describe('who is compared', () => {
  /** Member 1 takes 100 ms, the others 10. */
  const slow: Answer = member => ({ ms: member === 1 ? 100 : 10 });
  const bySpeed = { ...none, slowness: 3, interval: 100_000, minCalls: 20 };

  test('as few as may be, but not fewer', async () => {
    for (const [minMembers, found] of [
      [4, [1]],
      [5, []],
    ] as const) {
      const { calls, out, clock } = await poolOf(4, { ...bySpeed, minMembers });
      await calls(80, slow);
      await clock.advance(100_000);
      await calls(8, slow);
      expect(out()).toEqual(found);
    }
  });

  test('those with as few calls as may be, but not fewer', async () => {
    for (const [each, found] of [
      [20, [1]],
      [19, []],
    ] as const) {
      const { calls, out, clock } = await poolOf(4, bySpeed);
      await calls(4 * each, slow);
      await clock.advance(100_000);
      await calls(8, slow);
      expect(out()).toEqual(found);
    }
  });

  test('not by what was before the last interval', async () => {
    const { calls, out, clock } = await poolOf(4, bySpeed);
    await calls(80, slow);
    await clock.advance(200_000);
    await calls(80, () => ({ ms: 10 }));
    await clock.advance(100_000);
    await calls(8, () => ({ ms: 10 }));
    expect(out()).toEqual([]);
  });

  test('one that is slower by a little only is none that stands out, nor one by a few times next to nothing', async () => {
    for (const [usual, other, found] of [
      [20, 50, []],
      [2, 11, []],
      [20, 70, [1]],
    ] as const) {
      const { calls, out, clock } = await poolOf(4, bySpeed);
      const answer: Answer = member => ({ ms: member === 1 ? other : usual });
      await calls(80, answer);
      await clock.advance(100_000);
      await calls(8, answer);
      expect(out()).toEqual(found);
    }
  });

  test('members of one pool with breakers of another kind are not', async () => {
    const env = testEnv();
    const lines: string[] = [];
    const makeOutlier = outliers({ ...bySpeed, minMembers: 2 });
    const makeOther = consecutiveFailures();
    let made = 0;
    const pool = new Pool({
      discovery: fixed(endpoints(4)),
      balancer: roundRobin(),
      breaker: (of, peers) => (made++ % 2 === 0 ? makeOutlier : makeOther)(of, peers),
      observer: { fault: ({ error }) => lines.push(String(error)) },
      env,
    });
    await settled();
    for (let n = 0; n < 20; n++) pool.pick(new Call()).end('success');
    expect(lines).toEqual([]);
  });
});

test('half of twenty calls that failed are a share of a half', async () => {
  const { calls, out } = await poolOf(1, { ...none, failureShare: 0.5, minCalls: 20 });
  await calls(19, (_, n) => ({ fails: n % 2 === 1 }));
  expect(out()).toEqual([]);
  await calls(1, () => ({ fails: true }));
  expect(out()).toEqual([0]);
});

describe('a member is ejected', () => {
  test('for failures in a row, and a success in between starts the row anew', async () => {
    const { calls, out } = await poolOf(3, { ...none, consecutive: 5 });
    await calls(45, (member, n) => ({ fails: member === 1 && Math.floor(n / 3) % 5 !== 4 }));
    expect(out()).toEqual([]);
    await calls(15, member => ({ fails: member === 1 }));
    expect(out()).toEqual([1]);
  });

  test('for its share of failures, whatever the others do: all may fail', async () => {
    const { calls, out } = await poolOf(4, { ...none, failureShare: 0.5, minCalls: 10 });
    await calls(36, (_, n) => ({ fails: Math.floor(n / 4) % 2 === 0 }));
    expect(out()).toEqual([]); // nine calls each: too few to judge by
    await calls(4, () => ({ fails: true }));
    expect(out()).toEqual([0, 1, 2, 3]);
  });

  test('for a success rate apart from the others, as soon as the interval is over', async () => {
    const { calls, out } = await poolOf(10, { ...none, deviations: 1.9, interval: 1000 });
    // One fails a tenth of its calls, the others hardly ever.
    await calls(1000, (member, n) => ({ fails: member === 7 ? n % 100 < 20 : n % 501 === 0 }));
    expect(out()).toEqual([]);
    await calls(20, () => ({}));
    expect(out()).toEqual([7]);
  });

  test('for a latency apart from the others', async () => {
    const { calls, out } = await poolOf(5, { ...none, slowness: 3, interval: 2000 });
    await calls(400, member => ({ ms: member === 2 ? 40 : 5 }));
    expect(out()).toEqual([2]);
  });

  test.each([
    ['not three times the median', 14, 5],
    ['not ten ms above it', 9, 1],
  ])('but not for one that is %s', async (_, slow, rest) => {
    const { calls, out } = await poolOf(5, { ...none, slowness: 3, slowerBy: 10, interval: 1000 });
    await calls(1000, member => ({ ms: member === 2 ? slow : rest }));
    expect(out()).toEqual([]);
  });

  test('nor by comparison with too few others, or on too few calls', async () => {
    const few = await poolOf(2, { ...none, slowness: 3, interval: 1000 });
    await few.calls(200, member => ({ ms: member === 1 ? 100 : 5 }));
    expect(few.out()).toEqual([]);
    const rare = await poolOf(5, { ...none, slowness: 3, interval: 1000, minCalls: 20 });
    await rare.calls(50, member => ({ ms: member === 1 ? 500 : 50 }));
    expect(rare.out()).toEqual([]);
  });
});

test('the deviations are blind when more than 22 % fail; the share of failures is not', async () => {
  for (const [size, failing] of [
    [5, 2],
    [20, 5],
  ] as const) {
    const fails: Answer = member => ({ fails: member < failing });
    const blind = await poolOf(size, { ...none, deviations: 1.9, interval: 1000 });
    await blind.calls(5000, fails);
    expect(blind.out()).toEqual([]);
    const sighted = await poolOf(size, { ...none, deviations: 1.9, interval: 1000, failureShare: 0.5 });
    await sighted.calls(5000, fails);
    expect(sighted.out()).toEqual(Array.from({ length: failing }, (_, i) => i));
  }
});

test('nobody is ejected for one call in a hundred, however well all others do', async () => {
  const { calls, out } = await poolOf(10, { ...none, deviations: 1.9, interval: 2000 });
  await calls(2100, (member, n) => ({ fails: member === 3 && n % 1000 < 20 }));
  expect(out()).toEqual([]);
});

test('no more than the share allowed are out at once, and one always may be', async () => {
  for (const [size, maxEjected, most] of [
    [10, 0.3, 3],
    [10, 0, 1],
    [10, 1, 10],
    [1, 0, 1],
    [3, 0.5, 1],
  ] as const) {
    const { calls, out } = await poolOf(size, { ...none, consecutive: 3, maxEjected });
    for (let i = 0; i < 20 && out().length < size; i++)
      await calls(size, () => ({ fails: true })).catch(() => {});
    expect(out()).toHaveLength(most);
  }
});

test('who stood out and was spared is not ejected for it once there is room and nothing is known against it', async () => {
  const options = { ...none, slowness: 3, interval: 1000, minCalls: 5, maxEjected: 0, openFor: 3000 };
  const { calls, out, clock } = await poolOf(5, options);
  await calls(50, member => ({ ms: member < 2 ? 40 : 1 }));
  await clock.advance(1000 - clock.now());
  await calls(15, () => ({}));
  expect(out()).toHaveLength(1); // the other slow one was spared
  await clock.advance(1000);
  await calls(10, () => ({})); // too few to be judged by
  await clock.advance(3000);
  await calls(20, () => ({}));
  expect(out()).toEqual([]);
});

test('an ejected member comes back by a probe; ejected again soon, it stays out twice as long', async () => {
  const { calls, out, clock, pool } = await poolOf(3, { ...none, consecutive: 2, openFor: 1000 });
  const fails: Answer = member => ({ fails: member === 0 });
  await calls(6, fails);
  expect(out()).toEqual([0]);
  await clock.advance(1000);
  await calls(6, fails);
  expect(out()).toEqual([0]); // its probe failed
  await clock.advance(1500);
  await calls(6, () => ({}));
  expect(out()).toEqual([0]); // not yet
  await clock.advance(500);
  await calls(6, () => ({}));
  expect(out()).toEqual([]);
  expect(clock.pending).toBe(0);
  pool.close();
});

test('members of one pool are not compared with those of another that has the same options', async () => {
  const breaker = outliers({ ...none, slowness: 3, interval: 1000, jitter: 0 });
  const env = testEnv();
  const pools = [50, 1].map(
    () => new Pool({ discovery: fixed(endpoints(3)), balancer: roundRobin(), breaker, env }),
  );
  await settled();
  for (let n = 0; n < 300; n++)
    for (const [i, pool] of pools.entries()) {
      const attempt = pool.pick(new Call());
      await env.clock.advance(i === 0 ? 50 : 1);
      attempt.end('success');
    }
  expect(pools.flatMap(pool => pool.members().map(({ breaker: state }) => state))).not.toContain('open');
  for (const pool of pools) pool.close();
});

test('whatever the members do, one that does as all others do is not ejected by comparison', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 3, max: 8 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 2, max: 10 }),
      async (size, ms, every) => {
        const { calls, out } = await poolOf(size, { ...none, deviations: 1.9, slowness: 2, interval: 500 });
        await calls(size * 60, (_, n) => ({ ms, fails: Math.floor(n / size) % every === 0 }));
        expect(out()).toEqual([]);
      },
    ),
    { numRuns: 30 },
  );
});

test('what a member did an interval ago and longer ejects it no more, however late its next call comes', async () => {
  const { calls, out, clock, pool } = await poolOf(4, { ...none, slowness: 3, interval: 1000, minCalls: 5 });
  await calls(120, member => ({ ms: member === 2 ? 100 : 5 })); // 115 ms a round
  expect(out()).toEqual([2]); // so it is found to stand out
  const again = await poolOf(4, { ...none, slowness: 3, interval: 1000, minCalls: 5 });
  pool.close();
  await again.calls(32, member => ({ ms: member === 2 ? 100 : 5 })); // 920 ms
  await again.clock.advance(80);
  // One call shows that the interval is over, and that member 2 stands out; its own does not come until much later.
  for (let heard = false; !heard; ) {
    const attempt = again.pool.pick(new Call());
    heard = attempt.endpoint.id !== 'm002';
    attempt.end(heard ? 'success' : 'ignored');
  }
  await again.clock.advance(60_000);
  await again.calls(8, () => ({}));
  expect(again.out()).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('one that is ejected again and again is out for longer each time, and one that was well for long as at first', async () => {
  const { calls, clock, pool } = await poolOf(2, {
    ...none,
    consecutive: 1,
    openFor: 1000,
    maxOpenFor: 60_000,
  });
  const state = (): string => pool.members()[0]!.breaker;
  const well: Answer = () => ({ ms: 0 });
  const fails: Answer = member => ({ ms: 0, fails: member === 0 });
  /** Ejects it, and tells for how long; then it is closed. */
  const eject = async (): Promise<number> => {
    await calls(2, fails);
    expect(state()).toBe('open');
    for (let ms = 0; ; ms += 100) {
      await calls(2, well);
      if (state() === 'closed') return ms;
      await clock.advance(100);
    }
  };
  let before = 0;
  for (let round = 0; round < 6; round++) {
    const out = await eject();
    expect(out).toBeGreaterThan(before);
    before = out;
    await clock.advance(out / 2); // well for half as long as it was out: it flaps
  }
  expect(before).toBeGreaterThan(5000);
  await clock.advance(before); // and half as long before
  expect(await eject()).toBeLessThan(before);
  await clock.advance(2 * before);
  expect(await eject()).toBe(1000);
  pool.close();
});

test('failures of many that run at once put out no more than may be, and the pool heeds as many', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.nat(11), { maxLength: 80 }),
      async (size, share, order) => {
        const { pool, out } = await poolOf(
          size,
          { ...none, consecutive: 2, maxEjected: share },
          { maxRefused: share },
        );
        const running = Array.from({ length: 4 * size }, () => pool.pick(new Call()));
        for (const which of order) running.splice(which % running.length || 0, 1)[0]?.end('failure');
        const most = Math.max(1, Math.floor(size * share));
        expect(out().length).toBeLessThanOrEqual(most);
        // Whom the breakers take out is out: the cap of the pool spares none of them.
        const called = new Set(
          Array.from({ length: 3 * size }, () => {
            if (out().length === size) return '';
            const attempt = pool.pick(new Call());
            attempt.end('ignored');
            return attempt.endpoint.id;
          }),
        );
        for (const member of out()) expect(called).not.toContain(`m00${member}`);
        pool.close();
      },
    ),
    { numRuns: 60 },
  );
});

test('a member whose checks fail counts among those that are out', async () => {
  const check = async ({ id }: { id: string }): Promise<boolean> => id !== 'm000';
  const { calls, out, clock, pool } = await poolOf(
    4,
    { ...none, consecutive: 2, maxEjected: 0.5 },
    { health: healthChecks({ check, jitter: 0, unhealthyThreshold: 1 }) },
  );
  await clock.advance(0);
  await calls(30, member => ({ ms: 0, fails: member > 1 }));
  expect(out()).toHaveLength(1); // and m000: two of four
  pool.close();
});

test('a health check that passes lets the probe of an ejected member go at once, and it is the probe that brings it back', async () => {
  const { calls, out, clock, pool } = await poolOf(
    2,
    { ...none, consecutive: 1, openFor: 1e6 },
    { health: healthChecks({ check: async () => true, jitter: 0, interval: 1000 }) },
  );
  await calls(2, member => ({ ms: 0, fails: member === 1 }));
  await calls(4, () => ({ ms: 0 }));
  expect(out()).toEqual([1]);
  await clock.advance(1000);
  expect(out()).toEqual([1]); // checked, not called
  await calls(2, () => ({ ms: 0 }));
  expect(out()).toEqual([]);
  pool.close();
});
