import { consecutiveFailures, createClient, leastRequest, type Policy, retry, timeout } from 'fairlead/core';
import { type SimulationReport, simulate } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { gradient } from '../../src/policy/gradient.ts';
import { type LimitOptions, limit } from '../../src/policy/limit.ts';
import { throttle } from '../../src/policy/throttle.ts';

// Four servers, two workers each, 10 ms a call: 800 calls a second, which is 2 in flight for each of the four clients.
// Callers give up after 200 ms, of which servers hear nothing: they work on, for nobody.
const CAPACITY = 800;
const TIME = 200;

/** Seconds of calls: as many as would be half of what the servers can do, then twice that, then half again. */
const HALF = 0.5;
const TWICE = 2;
const CALM_UNTIL = 1000;
const STORM_UNTIL = 4000;
const END = 7000;

interface Servers {
  /** How many calls may wait at a server. */
  readonly queue?: number;
  /** Calls a second while it storms, as a share of what the servers can do. */
  readonly storm?: number;
}

const run = (
  policies: () => readonly Policy[],
  { queue, storm = TWICE }: Servers = {},
): Promise<SimulationReport> =>
  simulate({
    clients: 4,
    servers: 4,
    server: { concurrency: 2, ...(queue !== undefined && { queue }) },
    rate: now => CAPACITY * (now >= CALM_UNTIL && now < STORM_UNTIL ? storm : HALF),
    duration: END,
    client: ({ env, discovery }) =>
      createClient({
        env,
        discovery,
        balancer: leastRequest(),
        breaker: consecutiveFailures(),
        policies: policies(),
      }),
  });

/** The share of what the servers could have done that was done in time, in the seconds from `from` to `until`. */
const goodput = ({ timeline }: SimulationReport, from = CALM_UNTIL, until = STORM_UNTIL): number => {
  const slots = timeline.filter(({ at }) => at >= from && at < until);
  const done = slots.reduce((sum, { calls, failures }) => sum + calls - failures, 0);
  return done / ((CAPACITY * (until - from)) / 1000);
};

/** How many calls of a second succeeded, as a share. */
const succeeded = ({ timeline }: SimulationReport, second: number): number =>
  1 - timeline[second]!.failures / timeline[second]!.calls;

describe('twice as many calls as the service can do', () => {
  test('without a limit the lines at the servers grow until every answer comes too late, also long after', async () => {
    const report = await run(() => [retry(), timeout(TIME)]);
    // In the first tenth or two of a second answers are still in time; 0.2 s of 3 s are 7 %.
    expect(goodput(report)).toBeLessThan(0.2);
    // The line is 3 s long by then, and shrinks by half a second a second.
    expect(succeeded(report, 6)).toBeLessThan(0.1);
  });

  const LIMITS: readonly [string, LimitOptions][] = [
    ['four in flight a client', { concurrency: 4 }],
    ['four, and 10 waiting, first come first served', { concurrency: 4, queue: 10 }],
    ['four, and 10 waiting, last come first', { concurrency: 4, queue: 10, order: 'lifo' }],
    ['a limit that finds itself', { concurrency: gradient() }],
  ];
  // 2400 calls could be done in the time: one standard deviation is 2 %. The seed is fixed.
  test.each(LIMITS)(
    '%s: nine tenths of what can be done is done, and the rest is refused',
    async (_, options) => {
      for (const policies of [
        () => [limit(options), retry(), timeout(TIME)],
        () => [retry(), limit(options), timeout(TIME)],
      ]) {
        const report = await run(policies);
        expect(goodput(report)).toBeGreaterThan(0.9);
        expect(Object.keys(report.errors)).toEqual(['OVERLOADED']);
        // Half of the capacity is 1.05 in flight a client: of so few Erlang's formula B refuses 1.8 %, give or take 0.7 %.
        expect(succeeded(report, 6)).toBeGreaterThan(0.96);
        expect(report.pendingTimers).toBe(0);
      }
    },
  );

  test('last come, first served has half the latency of first come, first served', async () => {
    const [fifo, lifo] = await Promise.all(
      (['fifo', 'lifo'] as const).map(order =>
        run(() => [limit({ concurrency: 4, queue: 10, order }), retry(), timeout(TIME)]),
      ),
    );
    const median = ({ timeline }: SimulationReport): number => timeline[2]!.latency.p50;
    expect(median(lifo!)).toBeLessThan(median(fifo!) / 2);
    expect(goodput(lifo!)).toBeGreaterThan(0.95 * goodput(fifo!));
  });
});

describe('four times as many, at servers that refuse by themselves what they have no room for', () => {
  const servers = { queue: 4, storm: 4 };
  const attempts = ({ timeline }: SimulationReport): number =>
    timeline.slice(2, 4).reduce((sum, slot) => sum + slot.attempts, 0) / (2 * CAPACITY);

  test('throttled, they are asked for far less, and do all they can', async () => {
    const bare = await run(() => [retry(), timeout(TIME)], servers);
    const throttled = await run(() => [throttle(), retry(), timeout(TIME)], servers);
    expect(attempts(bare)).toBeGreaterThan(4.5);
    // Twice the accepts, and a fifth more by retries.
    expect(attempts(throttled)).toBeLessThan(2.6);
    expect(goodput(throttled)).toBeGreaterThan(0.9);
    expect(throttled.errors['THROTTLED']).toBeGreaterThan(0);
    // It goes on refusing for the 2 s it looks back.
    expect(succeeded(throttled, 6)).toBeGreaterThan(0.98);
  });
});
