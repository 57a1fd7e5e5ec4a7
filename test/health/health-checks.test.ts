import {
  type Breaker,
  Call,
  consecutiveFailures,
  type Endpoint,
  type HealthCheck,
  type HealthCheckOptions,
  healthChecks,
  type MakeBreaker,
  type Outcome,
  Pool,
  type PoolOptions,
  roundRobin,
} from 'fairlead/core';
import { scriptedDiscovery, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { type Deferred, deferred, endpoint, endpoints, logbook, testEnv } from '../helpers.ts';

async function poolOf(
  set: number | readonly Endpoint[],
  check: HealthCheck,
  options: Partial<HealthCheckOptions> = {},
  poolOptions: Partial<PoolOptions> = {},
) {
  const env = testEnv();
  const all = typeof set === 'number' ? endpoints(set) : set;
  const source = scriptedDiscovery(all);
  const { observer, lines } = logbook();
  const pool = new Pool({
    discovery: source.discovery,
    balancer: roundRobin(),
    health: healthChecks({ check, jitter: 0, ...options }),
    env,
    observer,
    ...poolOptions,
  });
  await settled();
  const picks = (count: number): Set<string> =>
    new Set(
      Array.from({ length: count }, () => {
        const attempt = pool.pick(new Call());
        attempt.end('success');
        return attempt.endpoint.id;
      }),
    );
  return { ...env, pool, source, lines, picks, all };
}

/** A check that does as it is told, member by member, and remembers when it was asked. */
function patients() {
  const ill = new Set<string>();
  const asked: { readonly id: string; readonly at: number }[] = [];
  let now = (): number => 0;
  const check: HealthCheck = async ({ id }) => {
    asked.push({ id, at: now() });
    if (ill.has(id)) throw new Error(`${id} is ill`);
  };
  return { ill, asked, check, clocked: (clock: { now(): number }) => (now = () => clock.now()) };
}

describe('a member whose checks fail', () => {
  test('gets no calls from the third failure in a row on, and calls again after two passes', async () => {
    const { ill, check } = patients();
    const { clock, picks, lines } = await poolOf(3, check);
    ill.add('m001');
    await clock.advance(10_000); // the first failure; then every second, being about to change
    await clock.advance(1000);
    expect(picks(9).size).toBe(3);
    await clock.advance(1000);
    expect(picks(9)).toEqual(new Set(['m000', 'm002']));
    ill.clear();
    await clock.advance(5000); // unhealthy members are asked every five seconds
    expect(picks(9).size).toBe(2);
    await clock.advance(1000);
    expect(picks(9).size).toBe(3);
    expect(lines.filter(line => line.startsWith('health'))).toEqual(['health m001 ill', 'health m001 well']);
  });

  test('is called all the same in panic, when all are ill', async () => {
    const { clock, picks, pool } = await poolOf(2, () => Promise.reject(new Error('ill')));
    await clock.advance(2000);
    expect(pool.members().map(({ healthy }) => healthy)).toEqual([false, false]);
    expect(picks(4).size).toBe(2);
    expect(pool.explain(new Call())).toMatchObject({ round: 'panic' });
  });

  test('counts among those refused: no more than may be are', async () => {
    const { clock, picks } = await poolOf(4, () => Promise.reject(new Error('ill')), {}, { maxRefused: 0.5 });
    await clock.advance(2000);
    expect(picks(20).size).toBe(2);
  });

  test('gets calls, for too many are refused, only until one of those is well again', async () => {
    const { ill, check } = patients();
    for (const { id } of endpoints(4)) ill.add(id);
    const { clock, picks } = await poolOf(4, check, {}, { maxRefused: 0.5 });
    await clock.advance(2000);
    const spared = picks(20);
    const well = endpoints(4).find(({ id }) => !spared.has(id))!.id;
    ill.delete(well);
    await clock.advance(10_000);
    const called = picks(20);
    expect(called.has(well)).toBe(true);
    expect([...called].filter(id => ill.has(id))).toHaveLength(1);
  });

  test('one pass in between starts the row anew', async () => {
    let n = 0;
    const { clock, lines } = await poolOf(1, async () => {
      if (n++ % 3 !== 2) throw new Error('now and then');
    });
    await clock.advance(300_000);
    expect(n).toBeGreaterThan(20);
    expect(lines.filter(line => line.startsWith('health'))).toEqual([]);
  });
});

test('a pass may close a breaker of the user, which is then counted among the well', async () => {
  class Closable implements Breaker {
    readonly passive = true;
    state: 'closed' | 'open' = 'closed';
    epoch = 0;
    allows = (): boolean => this.state === 'closed';
    begin(): void {}
    end(outcome: Outcome): void {
      if (outcome === 'failure') this.#move('open');
    }
    hint(): void {
      if (this.state === 'open') this.#move('closed');
    }
    #move(to: 'closed' | 'open'): void {
      this.state = to;
      this.epoch++;
    }
  }
  const { clock, pool, lines, picks } = await poolOf(
    2,
    async () => true,
    {},
    {
      breaker: () => new Closable(),
      panic: { below: 1, fail: true },
    },
  );
  pool.pick(new Call()).end('failure');
  expect(() => picks(1)).toThrow('1 of 2 endpoints are refused');
  await clock.advance(10_000);
  expect(picks(4).size).toBe(2);
  const moves = lines.filter(line => line.startsWith('breaker')).map(line => line.replace(/ m00\d/, ''));
  expect(moves).toEqual(['breaker closed open', 'breaker open closed']);
});

test('whoever picks when told of the health of newcomers has one of the new set', async () => {
  const { check } = patients();
  const picked: string[] = [];
  const faults: unknown[] = [];
  let pool: Pool | undefined;
  const made = await poolOf(
    2,
    check,
    { initially: 'unhealthy' },
    {
      observer: {
        health() {
          const attempt = pool?.pick(new Call());
          if (attempt) picked.push(attempt.endpoint.id);
          attempt?.end('ignored');
        },
        fault: fault => faults.push(fault),
      },
    },
  );
  pool = made.pool;
  made.source.set([endpoint('x'), endpoint('y')]);
  await settled();
  expect(picked.length).toBeGreaterThan(0);
  for (const id of picked) expect(['x', 'y']).toContain(id);
  expect(faults).toEqual([]);
});

describe('what counts as a failure of a check', () => {
  test.each<[string, HealthCheck, boolean]>([
    ['a rejection', () => Promise.reject(new Error('no')), false],
    ['false', async () => false, false],
    [
      'a throw',
      () => {
        throw new Error('no');
      },
      false,
    ],
    ['no promise at all', (() => undefined) as never, true],
    ['nothing', async () => undefined, true],
    ['null, 0 or a response', async () => null, true],
    ['silence', () => new Promise(() => {}), false],
  ])('%s: %#', async (_, check, healthy) => {
    const { clock, pool } = await poolOf(1, check);
    await clock.advance(10_000);
    expect(pool.members()[0]!.healthy).toBe(healthy);
  });

  test('a check that is given up on is told by its signal', async () => {
    const reasons: unknown[] = [];
    const { clock } = await poolOf(1, (_, signal) => {
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      return new Promise(() => {});
    });
    await clock.advance(999);
    expect(reasons).toEqual([]);
    await clock.advance(1);
    expect(reasons).toEqual([new Error('no answer within 1000 ms')]);
  });
});

describe('with what calls teach', () => {
  test('checks that pass close no open breaker, but let it probe at once', async () => {
    const { check } = patients();
    const { clock, pool, picks, lines } = await poolOf(
      2,
      check,
      { interval: 1000 },
      {
        breaker: consecutiveFailures({ threshold: 1, openFor: 60_000, jitter: 0 }),
      },
    );
    const sick = pool.pick(new Call());
    sick.end('failure');
    const { id } = sick.endpoint;
    expect(picks(6)).not.toContain(id);
    await clock.advance(1000);
    expect(pool.members().find(member => member.endpoint.id === id)!.breaker).toBe('open');
    const attempts = [pool.pick(new Call()), pool.pick(new Call())];
    const probe = attempts.find(attempt => attempt.endpoint.id === id)!;
    const [second] = [pool.pick(new Call()), pool.pick(new Call())].filter(a => a.endpoint.id === id);
    expect(second).toBeUndefined(); // one probe, as ever
    probe.end('failure'); // a member that answers checks and no calls
    expect(picks(6)).not.toContain(id);
    expect(lines.filter(line => line.startsWith('health'))).toEqual([]);
  });

  test('a member with a closed breaker and failing checks is out, and so is the other way round', async () => {
    const { ill, check } = patients();
    const { clock, pool, picks } = await poolOf(
      3,
      check,
      { interval: 1000 },
      {
        breaker: consecutiveFailures({ threshold: 1, openFor: 60_000 }),
      },
    );
    ill.add('m000');
    await clock.advance(4000);
    let failed: string | undefined;
    while (failed === undefined) {
      const attempt = pool.pick(new Call());
      attempt.end('failure');
      failed = attempt.endpoint.id;
    }
    expect(picks(9)).toEqual(new Set(['m001', 'm002'].filter(id => id !== failed)));
  });
});

describe('how often', () => {
  test('each member is checked at once, and then in its interval', async () => {
    const { asked, check, clocked } = patients();
    const { clock } = await poolOf(2, check);
    clocked(clock);
    await clock.advance(25_000);
    expect(asked.map(({ id }) => id).sort()).toEqual(['m000', 'm000', 'm000', 'm001', 'm001', 'm001']);
  });

  test('intervals are jittered, so that many clients do not ask in step', async () => {
    const { asked, check, clocked } = patients();
    const { clock } = await poolOf(20, check, { jitter: 0.1, perSecond: 1000 });
    clocked(clock);
    await clock.advance(11_100);
    const times = asked.slice(20).map(({ at }) => at);
    expect(new Set(times).size).toBe(20);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(9000);
    expect(Math.max(...times)).toBeLessThanOrEqual(11_000);
  });

  test('the number of checks a second is bounded, however large the set', async () => {
    const { asked, check, clocked } = patients();
    const { clock } = await poolOf(1000, check, { interval: 1000, perSecond: 20 });
    clocked(clock);
    await clock.advance(100_000);
    // All once, and then each every 50 s.
    expect(asked.length).toBeGreaterThan(1900);
    expect(asked.length).toBeLessThanOrEqual(2020);
    const seconds = asked.map(({ at }) => Math.floor(at / 1000));
    for (let second = 0; second < 100; second++)
      expect(seconds.filter(each => each === second).length).toBeLessThanOrEqual(40);
  });

  test('in any second, whatever comes and goes', async () => {
    const { asked, check, clocked } = patients();
    const { clock, source } = await poolOf(50, check, { perSecond: 20, jitter: 0.1, concurrency: 50 });
    clocked(clock);
    for (let turn = 0; turn < 100; turn++) {
      source.set(Array.from({ length: 50 }, (_, i) => endpoint(`t${turn}-${String(i).padStart(2, '0')}`)));
      await clock.advance(97);
    }
    expect(asked.length).toBeGreaterThan(180);
    asked.forEach(({ at }, i) => {
      if (i >= 20) expect(at - asked[i - 20]!.at).toBeGreaterThanOrEqual(1000);
    });
    await clock.advance(20_000);
    // Of those that have left none is asked any more.
    expect(asked.slice(-40).every(({ id }) => id.startsWith('t99-'))).toBe(true);
  });

  test('less than one a second is kept as well, and no bound is none', async () => {
    for (const [perSecond, expected] of [
      [0.25, 5],
      [Number.POSITIVE_INFINITY, 40],
    ] as const) {
      const { asked, check, clocked } = patients();
      const { clock } = await poolOf(40, check, { perSecond, concurrency: 40 });
      clocked(clock);
      await clock.advance(perSecond < 1 ? 16_000 : 0);
      expect(asked).toHaveLength(expected);
    }
  });

  test('in a large set, one that is about to change need not wait for its turn', async () => {
    const { asked, ill, check, clocked } = patients();
    const { clock, lines } = await poolOf(1000, check, { perSecond: 20 });
    clocked(clock);
    await clock.advance(50_000);
    ill.add('m500');
    await clock.advance(50_000);
    const times = asked.filter(({ id }) => id === 'm500').map(({ at }) => at);
    expect(times[3]! - times[1]!).toBeLessThan(4000); // twice a second later, and a little
    expect(lines).toContain('health m500 ill');
  });

  test('and so is the number at the same time', async () => {
    let running = 0;
    let most = 0;
    const ends: Deferred<void>[] = [];
    const { clock } = await poolOf(
      30,
      async () => {
        most = Math.max(most, ++running);
        const end = deferred();
        ends.push(end);
        await end.promise;
        running--;
      },
      { concurrency: 4, perSecond: 1000 },
    );
    for (let i = 0; i < 30; i++) {
      ends[i]!.resolve();
      await settled();
    }
    expect([most, ends.length]).toEqual([4, 30]);
    await clock.advance(0);
  });
});

describe('when the set changes', () => {
  test('those that left are not asked again, newcomers are, the others keep their count', async () => {
    const { ill, asked, check } = patients();
    const { clock, source, picks, pool } = await poolOf(2, check);
    ill.add('m000');
    await clock.advance(11_000); // two failures
    source.set([endpoint('m000'), endpoint('new')]);
    await settled();
    asked.length = 0;
    await clock.advance(1000);
    expect(picks(4)).toEqual(new Set(['new']));
    await clock.advance(20_000);
    expect(asked.filter(({ id }) => id === 'm001')).toEqual([]);
    expect(asked.filter(({ id }) => id === 'new').length).toBeGreaterThan(0);
    pool.close();
    expect(clock.pending).toBe(0);
  });

  test('one that left while it waited for its turn is not asked, and what a check says of it is void', async () => {
    const asked: string[] = [];
    const ends = new Map<string, Deferred<void>>();
    const { source, lines } = await poolOf(
      3,
      ({ id }) => {
        asked.push(id);
        const end = deferred();
        ends.set(id, end);
        return end.promise;
      },
      { concurrency: 1, unhealthyThreshold: 1 },
    );
    source.set(endpoints(1).concat(endpoint('z')));
    await settled();
    ends.get('m000')!.resolve();
    await settled();
    expect(asked).toEqual(['m000', 'z']);
    source.set(endpoints(1));
    await settled();
    ends.get('z')!.reject(new Error('gone'));
    await settled();
    expect(lines.filter(line => line.startsWith('health'))).toEqual([]);
  });
});

describe('checks that are no good', () => {
  test('never settling, they hold up nobody for longer than their time', async () => {
    const asked: string[] = [];
    const { clock, pool } = await poolOf(
      3,
      ({ id }) => {
        asked.push(id);
        return new Promise(() => {});
      },
      { concurrency: 1 },
    );
    expect(asked).toEqual(['m000']);
    await clock.advance(3000);
    // Every other turn is of those that have failed and are soon asked again.
    expect(asked).toEqual(['m000', 'm001', 'm000', 'm002']);
    await clock.advance(60_000);
    expect(pool.members().map(({ healthy }) => healthy)).toEqual([false, false, false]);
  });

  test('of one that has left while it was checked: it is aborted, and its place is free at once', async () => {
    const signals = new Map<string, AbortSignal>();
    const { source } = await poolOf(
      2,
      ({ id }, signal) => {
        signals.set(id, signal);
        return new Promise(() => {});
      },
      { concurrency: 1 },
    );
    source.set([endpoint('m001')]);
    await settled();
    expect(signals.get('m000')!.aborted).toBe(true);
    expect(signals.get('m001')!.aborted).toBe(false);
  });

  test('an observer that closes the pool when it is told leaves no timer', async () => {
    for (const initially of ['healthy', 'unhealthy'] as const) {
      let asked = 0;
      const { clock, pool } = await poolOf(
        3,
        async () => {
          asked++;
          return false;
        },
        { initially, unhealthyThreshold: 1 },
        { observer: { health: () => pool?.close() } },
      );
      pool.close();
      await clock.advance(100_000);
      expect(clock.pending).toBe(0);
      expect(asked).toBeLessThanOrEqual(3);
    }
  });
});

describe('newcomers that count as unhealthy at first', () => {
  const initially = 'unhealthy';

  test('get calls once a check has passed, and not before, while there are others', async () => {
    const { ill, check } = patients();
    const { clock, picks, source, all } = await poolOf(2, check, { initially });
    expect(picks(4).size).toBe(2);
    ill.add('new');
    source.set([...all, endpoint('new')]);
    await settled();
    expect(picks(6)).not.toContain('new');
    await clock.advance(20_000);
    expect(picks(6)).not.toContain('new');
    ill.clear();
    await clock.advance(5000); // no longer fresh: two passes
    expect(picks(6)).not.toContain('new');
    await clock.advance(1000);
    expect(picks(6)).toContain('new');
  });

  test('where all are new, calls go on in panic; or fail, until the first check has passed', async () => {
    for (const panic of [true, false]) {
      const ends: Deferred<void>[] = [];
      const check: HealthCheck = () => {
        const end = deferred();
        ends.push(end);
        return end.promise;
      };
      const { pool, picks } = await poolOf(2, check, { initially }, { panic });
      if (panic) expect(picks(4).size).toBe(2);
      else expect(() => pool.pick(new Call())).toThrow('all 2 endpoints are refused');
      ends[0]!.resolve();
      await settled();
      expect(picks(4)).toEqual(new Set(['m000']));
    }
  });
});

test('closing stops all checks, aborts those that run, and leaves no timer', async () => {
  const signals: AbortSignal[] = [];
  const { clock, pool } = await poolOf(5, (_, signal) => {
    signals.push(signal);
    return new Promise(() => {});
  });
  pool.close();
  await settled();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true, true, true]);
  expect(clock.pending).toBe(0);
  await clock.advance(100_000);
  expect(signals).toHaveLength(5);
});

test('a monitor of the user that throws is reported, and harms nobody', async () => {
  const { lines, picks } = await poolOf(
    2,
    async () => {},
    {},
    {
      health: () => ({
        set() {
          throw new Error('set');
        },
        close() {
          throw new Error('close');
        },
      }),
    },
  );
  expect(picks(4).size).toBe(2);
  expect(lines).toContain('fault health set');
});

test('a check that passes is news to a breaker only while that is open', async () => {
  let state: 'closed' | 'open' = 'closed';
  let hints = 0;
  const breaker: MakeBreaker = () => ({
    ...{ epoch: 0, allows: () => true, begin() {}, end() {} },
    get state() {
      return state;
    },
    hint: () => void hints++,
  });
  let well = true;
  const { clock } = await poolOf(1, async () => well, { interval: 1000, edgeInterval: 1000 }, { breaker });
  await clock.advance(3000);
  expect(hints).toBe(0);
  state = 'open';
  await clock.advance(2000);
  expect(hints).toBe(2);
  well = false;
  await clock.advance(2000);
  expect(hints).toBe(2);
});
