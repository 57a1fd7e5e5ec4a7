import {
  Call,
  consecutiveFailures,
  type MakeBreaker,
  type Outcome,
  type Pool,
  type PoolOptions,
} from 'fairlead/core';
import { describe, expect, test } from 'vitest';
import { rig } from './helpers.ts';

const FOR_LONG = 1_000_000;

/** A pool whose breakers open at the first failure, for long. */
async function poolOf(size: number, options: Partial<PoolOptions> = {}) {
  const breaker = consecutiveFailures({ threshold: 1, openFor: FOR_LONG, jitter: 0 });
  const { client, clock, lines, source } = rig(size, { breaker, ...options });
  await client.ready();
  const { pool } = client;
  /** Makes a call that ends so. Answers who had it. */
  const call = (outcome: Outcome): string => {
    const attempt = pool.pick(new Call());
    attempt.end(outcome);
    return attempt.endpoint.id;
  };
  /** Everybody fails until all are refused. */
  const outage = (): void => {
    for (let i = 0; i < size; i++) call('failure');
    expect(states(pool)).toEqual(Array(size).fill('open'));
  };
  return { pool, clock, lines, source, call, outage };
}

const states = (pool: Pool): string[] => pool.members().map(({ breaker }) => breaker);

describe('a call made although its member is refused', () => {
  test('that succeeds lets the member be probed at once, and so be well after two calls', async () => {
    const { pool, call, outage, lines } = await poolOf(1);
    outage();
    call('success');
    expect(states(pool)).toEqual(['open']);
    lines.length = 0;
    call('success');
    expect(lines).toContain('breaker m000 open half-open');
    expect(lines.some(line => line.startsWith('panic'))).toBe(false);
    expect(states(pool)).toEqual(['closed']);
  });

  test.each(['failure', 'ignored'] as const)('that ends in %s changes nothing', async outcome => {
    const { clock, call, outage, lines, pool } = await poolOf(1);
    outage();
    await clock.advance(FOR_LONG - 1);
    call(outcome);
    lines.length = 0;
    call(outcome);
    expect(lines).toContain('panic m000');
    expect(states(pool)).toEqual(['open']);
    await clock.advance(1);
    call('success'); // its time has not grown either
    expect(states(pool)).toEqual(['closed']);
  });

  test('that began before the breaker opened, and succeeds late, teaches nothing', async () => {
    const { pool, call, lines } = await poolOf(1);
    const early = pool.pick(new Call());
    call('failure');
    early.end('success');
    lines.length = 0;
    call('failure');
    expect(lines).toContain('panic m000');
  });

  test('for there would be too many refused, counts as much as one in panic', async () => {
    const { pool, call, outage } = await poolOf(3, { maxRefused: 0.34 });
    outage();
    for (let i = 0; i < 12; i++) call('success');
    expect(states(pool)).toEqual(['closed', 'closed', 'closed']);
  });
});

describe('the first to be well after all were refused', () => {
  test('has all others probed by the next calls, one each', async () => {
    const { pool, call, outage, lines, clock } = await poolOf(4, { panic: false });
    outage();
    await clock.advance(FOR_LONG - 1);
    expect(() => pool.pick(new Call())).toThrow('all 4 endpoints are refused');
    await clock.advance(1);
    const probe = pool.pick(new Call());
    await clock.advance(1);
    probe.end('success');
    lines.length = 0;
    const probes = Array.from({ length: 8 }, () => pool.pick(new Call()));
    const others = states(pool).filter(state => state === 'half-open');
    expect(others).toHaveLength(3);
    for (const { endpoint, member } of probes) {
      if (member.breaker.state === 'closed') continue;
      expect(probes.filter(each => each.endpoint.id === endpoint.id)).toHaveLength(1);
    }
    for (const attempt of probes) attempt.end('success');
    expect(states(pool)).toEqual(Array(4).fill('closed'));
    expect(new Set(Array.from({ length: 8 }, () => call('success'))).size).toBe(4);
  });

  test('while not all were, the others keep their time', async () => {
    const { pool, call, clock } = await poolOf(3);
    call('failure');
    await clock.advance(FOR_LONG / 2);
    call('failure');
    await clock.advance(FOR_LONG / 2);
    for (let i = 0; i < 12; i++) call('success');
    expect(states(pool).sort()).toEqual(['closed', 'closed', 'open']);
  });

  test('and again after the next outage; who is still ill then costs one call each time', async () => {
    const { pool, outage, clock, lines } = await poolOf(3, { panic: false });
    outage();
    await clock.advance(FOR_LONG);
    lines.length = 0;
    for (let i = 0; i < 30; i++) {
      const attempt = pool.pick(new Call());
      attempt.end(attempt.endpoint.id === 'm001' ? 'success' : 'failure');
    }
    // Two probes of their own that were due, or one of those and one for the recovery: two at the most each.
    for (const id of ['m000', 'm002']) {
      const attempts = lines.filter(line => line === `attempt ${id}`).length;
      expect(attempts).toBeGreaterThanOrEqual(1);
      expect(attempts).toBeLessThanOrEqual(2);
    }
    expect(states(pool)).toEqual(['open', 'closed', 'open']);
  });

  test('by breakers of the user that throw when hinted: it is reported, and harms nobody', async () => {
    const inner = consecutiveFailures({ threshold: 1, openFor: FOR_LONG, jitter: 0 });
    const breaker: MakeBreaker = env =>
      Object.assign(inner(env), {
        hint: () => {
          throw new Error('hint');
        },
      });
    const { call, outage, lines, pool, clock } = await poolOf(2, { breaker });
    outage();
    call('success');
    expect(lines).toContain('fault breaker hint');
    await clock.advance(FOR_LONG);
    call('success');
    call('success');
    expect(states(pool)).toEqual(['closed', 'closed']);
  });
});
