import {
  alwaysClosed,
  type Balancer,
  type Breaker,
  Call,
  type Classifier,
  consecutiveFailures,
  type Endpoint,
  inFlight,
  type Load,
  type LoadReport,
  leastRequest,
  type MakeHealth,
  type Member,
  noLoad,
  type Outcome,
  Pool,
  type PoolOptions,
  p2c,
  peakEwma,
  roundRobin,
  smoothWeighted,
  staticStride,
  weightedRoundRobin,
} from 'fairlead/core';
import { type ScriptedDiscovery, scriptedDiscovery, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import {
  countedSignal,
  deferred,
  endpoint,
  endpoints,
  logbook,
  type TestEnv,
  testEnv,
  watch,
} from './helpers.ts';

const [a, b, c] = [endpoint('a'), endpoint('b'), endpoint('c')];

interface PoolRig extends TestEnv {
  readonly pool: Pool;
  readonly source: ScriptedDiscovery;
  readonly lines: string[];
  /** Gives a set, and waits until it is taken. */
  readonly set: (set: unknown) => Promise<void>;
  /** Who is picked for so many calls, each of which ends at once. */
  readonly picks: (count: number) => string[];
}

async function poolOf(
  set: readonly Endpoint[] | undefined,
  options: Partial<PoolOptions> = {},
  seed = 1,
): Promise<PoolRig> {
  const env = testEnv(seed);
  const source = set === undefined ? scriptedDiscovery() : scriptedDiscovery(set);
  const { observer, lines } = logbook();
  const pool = new Pool({ discovery: source.discovery, balancer: roundRobin(), env, observer, ...options });
  await settled();
  return {
    ...env,
    pool,
    source,
    lines,
    set: async given => {
      source.set(given);
      await settled();
    },
    picks: count =>
      Array.from({ length: count }, () => {
        const attempt = pool.pick(new Call());
        attempt.end('success');
        return attempt.endpoint.id;
      }),
  };
}

const states = (pool: Pool): string[] =>
  pool
    .members()
    .map(
      ({ endpoint: { id }, active, breaker, inFlight }) =>
        `${id} ${active ? breaker : 'drained'} ${inFlight}`,
    );

describe('members', () => {
  test('an update that keeps the address keeps what was learned: breaker, load, calls in flight', async () => {
    const { pool, set, lines } = await poolOf([a, b], {
      balancer: p2c({ load: inFlight() }),
      breaker: consecutiveFailures({ threshold: 1 }),
    });
    const running = pool.pick(new Call());
    const { id } = running.endpoint;
    pool.pick(new Call()).end('failure');
    const before = states(pool);
    await set([{ ...a, weight: 2, zone: 'eu' }, { ...b, metadata: { version: '2' } }, c]);
    expect(states(pool)).toEqual([...before, 'c closed 0']);
    expect(lines.at(-1)).toBe('members +c - ~a,b =3');
    expect(pool.members().map(({ endpoint: { weight, zone } }) => [weight, zone])).toEqual([
      [2, 'eu'],
      [undefined, undefined],
      [undefined, undefined],
    ]);
    expect(pool.members().find(each => each.endpoint.id === id)?.cost).toBe(2);
    running.end('success');
    expect(pool.members().map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
  });

  test.each([
    ['host', { host: 'elsewhere' }],
    ['port', { port: 81 }],
  ])('another %s is another member: it starts afresh, and the old one is gone', async (_, address) => {
    const { pool, set, lines } = await poolOf([a], { breaker: consecutiveFailures({ threshold: 1 }) });
    const running = pool.pick(new Call());
    pool.pick(new Call()).end('failure');
    expect(states(pool)).toEqual(['a open 1']);
    await set([{ ...a, ...address }]);
    expect(states(pool)).toEqual(['a closed 0']);
    expect(lines.at(-1)).toBe('members +a -a ~ =1');
    running.end('success');
    expect(states(pool)).toEqual(['a closed 0']);
  });

  test('adding a member forgives nobody', async () => {
    const { pool, set, picks } = await poolOf([a, b], { breaker: consecutiveFailures({ threshold: 1 }) });
    const sick = pool.pick(new Call());
    sick.end('failure');
    await set([a, b, c]);
    expect(picks(50)).not.toContain(sick.endpoint.id);
  });

  test('a removed member is never picked again; what runs there ends properly', async () => {
    const { pool, set, picks, lines } = await poolOf([a, b]);
    const [first, second] = [pool.pick(new Call()), pool.pick(new Call())];
    const gone = first.endpoint.id === 'a' ? first : second;
    await set([b]);
    expect(picks(50)).toEqual(Array.from({ length: 50 }, () => 'b'));
    gone.end('success');
    expect(lines.at(-1)).toBe('attemptEnd a success');
    expect(gone.member).toMatchObject({ inFlight: 0, active: false });
    await set([a, b]);
    expect(pool.size).toBe(2);
    expect(picks(50)).toContain('a');
  });

  test('weight 0 drains: no new calls, running ones go on, and it comes back with all that was learned', async () => {
    const { pool, set, picks } = await poolOf([a, b], { breaker: consecutiveFailures({ threshold: 3 }) });
    const { member } = [pool.pick(new Call()), pool.pick(new Call())].find(
      ({ endpoint }) => endpoint.id === 'a',
    )!;
    await set([{ ...a, weight: 0 }, b]);
    expect(picks(20)).not.toContain('a');
    expect(pool.size).toBe(2);
    expect(states(pool)[0]).toBe('a drained 1');
    await set([a, b]);
    expect(states(pool)[0]).toBe('a closed 1');
    const again = Array.from({ length: 2 }, () => pool.pick(new Call())).find(
      ({ endpoint }) => endpoint.id === 'a',
    );
    expect(again?.member).toBe(member);
  });

  test('the order of endpoints never matters: the balancer is given them sorted', async () => {
    const given: string[][] = [];
    const spying: Balancer = {
      picker(members) {
        given.push(members.map(({ endpoint: { id } }) => id));
        return () => members[0];
      },
    };
    const { set } = await poolOf([c, a, b], { balancer: spying });
    await set([b, { ...a, weight: 0 }, c]);
    expect(given).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c'],
    ]);
  });

  test('those that stay as they are are no news', async () => {
    const { set, lines } = await poolOf([a, b]);
    await set([{ ...a, zone: 'eu' }, b, c]);
    expect(lines.at(-1)).toBe('members +c - ~a =3');
  });

  test('a balancer is asked for no picker of nobody', async () => {
    const sizes: number[] = [];
    const inner = roundRobin();
    const balancer: Balancer = {
      picker(members, env) {
        sizes.push(members.length);
        return inner.picker(members, env);
      },
    };
    await poolOf([{ ...a, weight: 0 }], { balancer });
    expect(sizes).toEqual([]);
  });

  test('equal sets make no new picker', async () => {
    let made = 0;
    const counting: Balancer = {
      picker(members) {
        made++;
        return () => members[0];
      },
    };
    const { set } = await poolOf([a, b], { balancer: counting });
    await set([b, a]);
    await set([{ ...a }, b]);
    expect(made).toBe(1);
  });
});

describe('picking', () => {
  test('in two steps: pick, and report later; only the first report counts', async () => {
    const { pool, lines, clock } = await poolOf([a]);
    const attempt = pool.pick(new Call());
    await clock.advance(30);
    attempt.end('failure', 'reset');
    attempt.end('success');
    expect(attempt).toMatchObject({ outcome: 'failure', elapsed: 30, error: 'reset' });
    expect(lines.slice(1)).toEqual(['attempt a', 'attemptEnd a failure']);
    expect(states(pool)).toEqual(['a closed 0']);
  });

  test.each([[undefined], [null], ['ok'], [true], [0]])(
    '%o is no outcome: an error says so, and the attempt goes on',
    async outcome => {
      const { pool } = await poolOf([a], { breaker: consecutiveFailures() });
      const attempt = pool.pick(new Call());
      for (let i = 0; i < 2; i++)
        expect(() => attempt.end(outcome as never)).toThrow(/outcome is .*; it must be/);
      expect(states(pool)).toEqual(['a closed 1']);
      attempt.end('success');
      expect(states(pool)).toEqual(['a closed 0']);
    },
  );

  test('an open breaker is walked past, probed once, and closed again', async () => {
    const { pool, clock, lines, picks } = await poolOf([a, b], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1000, jitter: 0 }),
    });
    const sick = pool.pick(new Call());
    sick.end('failure');
    const { id } = sick.endpoint;
    expect(picks(10)).not.toContain(id);
    await clock.advance(1000);
    const attempts = Array.from({ length: 6 }, () => pool.pick(new Call()));
    const probes = attempts.filter(({ endpoint }) => endpoint.id === id);
    expect(probes).toHaveLength(1);
    probes[0]!.end('success');
    expect(lines.filter(line => line.startsWith('breaker'))).toEqual([
      `breaker ${id} closed open`,
      `breaker ${id} open half-open`,
      `breaker ${id} half-open closed`,
    ]);
    expect(picks(10)).toContain(id);
  });

  test('a member shown to be well starts afresh: its load forgets the bad time', async () => {
    const forgiven: string[] = [];
    const load = (): Load => ({ ...noLoad, forgive: () => forgiven.push('yes') });
    const { pool, clock } = await poolOf([a], {
      balancer: { ...roundRobin(), load },
      breaker: consecutiveFailures({ threshold: 1, openFor: 1000, jitter: 0 }),
    });
    pool.pick(new Call()).end('failure');
    await clock.advance(1000);
    const probe = pool.pick(new Call());
    expect(forgiven).toEqual([]);
    probe.end('success');
    expect(forgiven).toEqual(['yes']);
  });

  test('when all are refused one is picked all the same, those not tried first, and it is told', async () => {
    const { pool, lines } = await poolOf([a, b, c], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
    });
    for (let i = 0; i < 3; i++) pool.pick(new Call()).end('failure');
    lines.length = 0;
    const call = new Call();
    const tried: Member[] = [];
    for (let i = 0; i < 4; i++) {
      const attempt = pool.pick(call);
      if (i < 3) expect(tried).not.toContain(attempt.member);
      tried.push(attempt.member);
      call.tried = [...tried];
      attempt.end('failure');
    }
    expect(lines.filter(line => line.startsWith('panic'))).toHaveLength(4);
  });

  test.each([
    ['roundRobin', roundRobin],
    ['weightedRoundRobin', weightedRoundRobin],
    ['staticStride', staticStride],
    ['smoothWeighted', smoothWeighted],
  ])('in panic %s goes on in turns: nobody is left out', async (_, balancer) => {
    for (const size of [2, 3, 4]) {
      const { pool } = await poolOf(endpoints(size), {
        balancer: balancer(),
        breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      });
      const called = Array.from({ length: 3 * size }, () => {
        const attempt = pool.pick(new Call());
        attempt.end('failure');
        return attempt.endpoint.id;
      });
      for (const id of called) expect(called.filter(each => each === id)).toHaveLength(3);
    }
  });

  test('without panic it fails at once, and says of how many', async () => {
    const { pool, lines } = await poolOf([a, b], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      panic: false,
    });
    for (let i = 0; i < 2; i++) pool.pick(new Call()).end('failure');
    expect(() => pool.pick(new Call())).toThrow(
      expect.objectContaining({ code: 'NO_AVAILABLE_ENDPOINT', message: 'all 2 endpoints are refused' }),
    );
    expect(lines.filter(line => line.startsWith('panic'))).toEqual([]);
  });

  test('without panic, also for a call that has tried another already', async () => {
    const { pool } = await poolOf([a, b], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      panic: false,
    });
    const call = new Call();
    pool.pick(call).end('failure');
    call.avoid();
    pool.pick(new Call()).end('failure');
    expect(() => pool.pick(call)).toThrow(expect.objectContaining({ code: 'NO_AVAILABLE_ENDPOINT' }));
  });

  const sickened = async (count: number, refused: number, options: Partial<PoolOptions>) => {
    const set = endpoints(count);
    const made = await poolOf(set, {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      ...options,
    });
    const sick = new Set(set.slice(0, refused).map(({ id }) => id));
    const seen = new Set<string>();
    // Until each of the sick ones has been called and, if it may be, refused.
    for (let i = 0; i < 40 * count; i++) {
      const attempt = made.pool.pick(new Call());
      seen.add(attempt.endpoint.id);
      attempt.end(sick.has(attempt.endpoint.id) ? 'failure' : 'success');
    }
    // Picks that prove nothing: a success would let who was refused be probed.
    const picks = (count: number): string[] =>
      Array.from({ length: count }, () => {
        const attempt = made.pool.pick(new Call());
        attempt.end('ignored');
        return attempt.endpoint.id;
      });
    return { ...made, sick, picks };
  };

  test('as many are refused at once as may be, one at the least; the rest are called all the same', async () => {
    for (const [maxRefused, refused] of [
      [1, 8],
      [0.5, 5],
      [0.29, 2],
      [0, 1],
    ] as const) {
      const { pool, picks, sick } = await sickened(10, 8, { maxRefused });
      const called = new Set(picks(100));
      const open = pool.members().filter(({ breaker }) => breaker === 'open');
      expect(open).toHaveLength(8);
      expect(called.size).toBe(10 - refused);
      expect([...sick].filter(id => called.has(id))).toHaveLength(8 - refused);
    }
  });

  test('a member that has recovered makes room for another that is to be refused', async () => {
    const { pool, clock, picks } = await poolOf([a, b, c], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1000, jitter: 0 }),
      maxRefused: 0.34,
    });
    const end = (id: string, outcome: 'success' | 'failure'): void => {
      for (let i = 0; i < 20; i++) {
        const attempt = pool.pick(new Call());
        attempt.end(attempt.endpoint.id === id ? outcome : 'ignored');
        if (attempt.endpoint.id === id) return;
      }
      throw new Error(`${id} is not called`);
    };
    end(a.id, 'failure');
    end(b.id, 'failure');
    expect(new Set(picks(30))).toEqual(new Set([b.id, c.id]));
    await clock.advance(1000);
    end(a.id, 'success');
    end(b.id, 'failure'); // its probe
    expect(new Set(picks(30))).toEqual(new Set([a.id, c.id]));
  });

  test('members that leave or come count anew: who may be refused is a share of those there are', async () => {
    const { pool, source, picks } = await sickened(10, 5, { maxRefused: 0.5 });
    expect(new Set(picks(100)).size).toBe(5);
    source.set(endpoints(6));
    await settled();
    expect(pool.size).toBe(6);
    expect(new Set(picks(100)).size).toBe(3);
  });

  test('with a smaller share available than the panic share, all are called, and it is told; not before', async () => {
    const calm = await sickened(10, 5, { panic: { below: 0.5 } });
    calm.lines.length = 0;
    expect(new Set(calm.picks(100)).size).toBe(5);
    expect(calm.lines.some(line => line.startsWith('panic'))).toBe(false);
    const panicking = await sickened(10, 6, { panic: { below: 0.5 } });
    panicking.lines.length = 0;
    expect(new Set(panicking.picks(100)).size).toBe(10);
    expect(panicking.lines.filter(line => line.startsWith('panic'))).toHaveLength(100);
  });

  test.each([
    ['leastRequest', () => leastRequest()],
    ['p2c', () => p2c()],
    ['p2c with peakEwma', () => p2c({ load: peakEwma() })],
  ])(
    'members called although their breaker refuses are not taken by %s for ones to be probed',
    async (_, make) => {
      for (const options of [{ panic: { below: 0.5 } }, { maxRefused: 0.3 }] as const) {
        const { pool } = await sickened(10, 6, { ...options, balancer: make() });
        let well = 0;
        for (let i = 0; i < 1000; i++) {
          const attempt = pool.pick(new Call());
          const ill = Number(attempt.endpoint.id.slice(1)) < 6;
          if (!ill) well++;
          attempt.end(ill ? 'failure' : 'success');
        }
        // Four of ten, at the least: p2c in calls one at a time sees no difference between them.
        expect(well).toBeGreaterThan(300);
      }
    },
  );

  test('or every call fails at once, if that is asked for', async () => {
    const set = endpoints(4);
    const { pool } = await poolOf(set, {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      panic: { below: 0.7, fail: true },
    });
    pool.pick(new Call()).end('failure'); // three of four: not too few
    pool.pick(new Call()).end('failure');
    expect(() => pool.pick(new Call())).toThrow(
      expect.objectContaining({ code: 'NO_AVAILABLE_ENDPOINT', message: '2 of 4 endpoints are refused' }),
    );
  });

  test('a member isolated by hand gets no call, not even in panic, until it is released', async () => {
    const { pool, set, picks } = await poolOf([a, b], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
    });
    const running = [pool.pick(new Call()), pool.pick(new Call())].find(
      ({ endpoint: { id } }) => id === 'a',
    )!;
    pool.isolate('a');
    expect(pool.members().map(({ isolated }) => isolated)).toEqual([true, false]);
    expect(new Set(picks(10))).toEqual(new Set(['b']));
    pool.pick(new Call()).end('failure'); // b is refused, and called in panic all the same
    expect(new Set(picks(10))).toEqual(new Set(['b']));
    expect(pool.explain(new Call()).members.find(({ id }) => id === 'a')!.why).toBe('isolated by hand');
    running.end('success');
    await set([b]);
    await set([a, b]); // the id stays isolated while discovery does not name it
    expect(new Set(picks(10))).toEqual(new Set(['b']));
    pool.isolate('b');
    expect(() => pool.pick(new Call())).toThrow(
      expect.objectContaining({
        code: 'NO_AVAILABLE_ENDPOINT',
        stack: expect.not.stringContaining('\n'), // such errors come by the thousand
      }),
    );
    pool.release('a');
    expect(new Set(picks(10))).toEqual(new Set(['a']));
    pool.release('b');
    pool.release('nobody');
  });

  test('one isolated before discovery names it is so from the first', async () => {
    const { pool, set, picks } = await poolOf([a, b]);
    pool.isolate('c');
    pool.release('nobody');
    await set([a, b, c]);
    expect(new Set(picks(6))).toEqual(new Set(['a', 'b']));
    pool.release('c');
    expect(new Set(picks(6)).size).toBe(3);
  });

  test('a member that failed and asked to be left alone is, for so long; in panic it is called all the same', async () => {
    const { pool, clock, picks } = await poolOf([a, b], { breaker: false });
    const attempt = pool.pick(new Call());
    const { id } = attempt.endpoint;
    attempt.retryAfter = 2000;
    attempt.end('failure');
    expect(picks(10)).not.toContain(id);
    const { why } = pool.explain(new Call()).members.find(member => member.id === id)!;
    expect(why).toBe('it asked to be left alone for 2000 ms more');
    const other = pool.pick(new Call());
    other.retryAfter = 1000;
    other.end('failure');
    expect(new Set(picks(10)).size).toBe(2); // all ask for it: somebody must be called
    await clock.advance(1000);
    expect(picks(10)).not.toContain(id);
    await clock.advance(1000);
    expect(picks(10)).toContain(id);
  });

  test.each([
    ['a success', 'success', 5000],
    ['no evidence', 'ignored', 5000],
    ['nonsense', 'failure', Number.NaN],
    ['the past', 'failure', -1],
  ] as const)('%s cools nobody down', async (_, outcome, retryAfter) => {
    const { pool, picks } = await poolOf([a, b]);
    const attempt = pool.pick(new Call());
    attempt.retryAfter = retryAfter;
    attempt.end(outcome);
    expect(picks(10)).toContain(attempt.endpoint.id);
  });

  test('nobody is left alone for longer than five minutes', async () => {
    const { pool, clock, picks } = await poolOf([a, b]);
    const attempt = pool.pick(new Call());
    attempt.retryAfter = Number.POSITIVE_INFINITY;
    attempt.end('failure');
    await clock.advance(299_999);
    expect(picks(10)).not.toContain(attempt.endpoint.id);
    await clock.advance(1);
    expect(picks(10)).toContain(attempt.endpoint.id);
  });

  test('a set that changes forgets no breaker: panic lasts until members are well', async () => {
    const { source, picks } = await sickened(10, 6, { panic: { below: 0.5 } });
    source.set([...endpoints(10), endpoint('new')]);
    await settled();
    expect(new Set(picks(200)).size).toBe(11);
    source.set([...endpoints(10), ...['new', 'newer', 'newest'].map(id => endpoint(id))]);
    await settled();
    expect(new Set(picks(200)).size).toBe(7);
  });

  test.each<[string, readonly Endpoint[] | undefined, string]>([
    ['before the first set', undefined, 'discovery gave no set yet'],
    ['from an empty set', [], 'no endpoint'],
    [
      'from drained ones',
      [
        { ...a, weight: 0 },
        { ...b, weight: 0 },
      ],
      'all 2 endpoints are drained',
    ],
  ])('%s: NO_ENDPOINTS, with the reason', async (_, set, message) => {
    const { pool } = await poolOf(set);
    expect(() => pool.pick(new Call())).toThrow(expect.objectContaining({ code: 'NO_ENDPOINTS', message }));
  });

  test('what discovery failed with is the cause', async () => {
    const { pool, source } = await poolOf(undefined);
    source.fail(new Error('registry down'));
    await settled();
    expect(() => pool.pick(new Call())).toThrow(
      expect.objectContaining({ code: 'NO_ENDPOINTS', cause: new Error('registry down') }),
    );
  });
});

describe('waiting for the first set', () => {
  test('calls wait for it, and go on when it comes', async () => {
    const { pool, set, clock } = await poolOf(undefined);
    const fate = watch(pool.run(async ({ id }) => id, new Call()));
    await clock.advance(5000);
    expect(fate.state).toBe('pending');
    await set([a]);
    expect(fate.value).toBe('a');
    expect(clock.pending).toBe(0);
  });

  test('not for longer than readyTimeout, and the next call waits anew', async () => {
    const { pool, clock, set } = await poolOf(undefined, { readyTimeout: 500 });
    const [call, ready] = [watch(pool.run(async () => 1, new Call())), watch(pool.ready())];
    await clock.advance(499);
    expect([call.state, ready.state]).toEqual(['pending', 'pending']);
    await clock.advance(1);
    for (const { value } of [call, ready]) {
      expect(value).toMatchObject({ code: 'NO_ENDPOINTS', message: 'discovery gave no set within 500 ms' });
    }
    expect(clock.pending).toBe(0);
    const next = watch(pool.run(async () => 1, new Call()));
    await set([a]);
    expect(next.value).toBe(1);
  });

  test('nor after the caller has gone, who hears of it at once', async () => {
    const { pool, clock } = await poolOf(undefined);
    const controller = new AbortController();
    const call = watch(pool.run(async () => 1, new Call({ signal: controller.signal })));
    const ready = watch(pool.ready(controller.signal));
    controller.abort('enough');
    await settled();
    expect([call.value, ready.value]).toEqual(['enough', 'enough']);
    expect(clock.pending).toBe(0);
  });

  test('a caller who goes in the very moment it comes has no task run', async () => {
    const { pool, source } = await poolOf(undefined);
    for (let delay = 0; delay < 30; delay++) {
      const { pool, source } = await poolOf(undefined);
      const controller = new AbortController();
      let runs = 0;
      const fate = watch(pool.run(async () => ++runs, new Call({ signal: controller.signal })));
      source.set([a]);
      for (let i = 0; i < delay; i++) await undefined;
      const before = runs;
      controller.abort('enough');
      await settled();
      if (before === 0) expect([delay, runs, fate.value]).toEqual([delay, 0, 'enough']);
    }
    expect([pool.size, source.starts]).toEqual([0, 1]);
  });

  test('a source that ends without a set will never give one: nobody waits', async () => {
    const { pool, source, clock } = await poolOf(undefined);
    const fate = watch(pool.run(async () => 1, new Call()));
    source.end();
    await settled();
    expect(fate.value).toMatchObject({
      code: 'NO_ENDPOINTS',
      message: 'discovery gave no set and ended',
    });
    expect(clock.pending).toBe(0);
  });
});

describe('running', () => {
  const judging = (more: Partial<Classifier>): Classifier => ({
    value: value => (value as Outcome) ?? 'success',
    error: () => 'failure',
    ...more,
  });

  test('what a member tells of itself reaches its load', async () => {
    const told: LoadReport[] = [];
    const load = (): Load => ({ ...noLoad, report: report => told.push(report) });
    const asked: unknown[] = [];
    const classifier = judging({
      report(value) {
        asked.push(value);
        return value === 'success' ? { cpuUtilization: 0.5 } : undefined;
      },
    });
    const { pool, lines } = await poolOf([a], { balancer: { ...roundRobin(), load }, classifier });
    await pool.run(async () => 'success', new Call());
    await pool.run(async () => 'failure', new Call());
    await pool.run(async () => undefined, new Call());
    expect(asked).toEqual(['success', 'failure']);
    expect(told).toEqual([{ cpuUtilization: 0.5 }]);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
  });

  test('where loads take no reports nobody asks for them; a classifier need not know any', async () => {
    const load = (): Load => ({ ...noLoad, report() {} });
    const boom = (): never => {
      throw new Error('boom');
    };
    for (const [balancer, report, faults] of [
      [roundRobin(), boom, []],
      [{ ...roundRobin(), load }, undefined, []],
      [{ ...roundRobin(), load }, boom, ['fault classifier boom']],
    ] as const) {
      const { pool, lines } = await poolOf([a], { balancer, classifier: judging(report ? { report } : {}) });
      await pool.run(async () => 'success', new Call());
      expect(lines.filter(line => line.startsWith('fault'))).toEqual(faults);
    }
  });

  test('only what failed is asked for how long to leave its member alone', async () => {
    const asked: unknown[] = [];
    const classifier = judging({
      retryAfter(result) {
        asked.push(result);
        throw new Error('boom');
      },
    });
    const { pool, lines } = await poolOf([a], { classifier });
    for (const value of ['success', 'failure', 'ignored']) await pool.run(async () => value, new Call());
    expect(asked).toEqual(['failure']);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual(['fault classifier boom']);
  });

  test('the attempts of a call are those that did not succeed; an outcome that is no evidence is no fault', async () => {
    const { pool, lines } = await poolOf([a], { classifier: judging({}) });
    const call = new Call();
    for (const value of ['failure', 'success', 'ignored']) await pool.run(async () => value, call);
    expect(call.attempts.map(({ outcome, value }) => [outcome, value])).toEqual([
      ['failure', 'failure'],
      ['ignored', 'ignored'],
    ]);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
  });

  test('a classifier that throws when asked what kind of failure it was is at fault', async () => {
    const classifier = judging({
      kind() {
        throw new Error('boom');
      },
    });
    const { pool, lines } = await poolOf([a], { classifier });
    await expect(pool.run(() => Promise.reject(new Error('no')), new Call())).rejects.toThrow('no');
    expect(lines.filter(line => line.startsWith('fault'))).toEqual(['fault classifier boom']);
  });

  test('many calls under one signal have one listener there, and each hears of its abort', async () => {
    const { pool } = await poolOf([a]);
    const { signal, abort, listeners } = countedSignal();
    const fates = Array.from({ length: 20 }, () =>
      watch(pool.run(() => new Promise(() => {}), new Call({ signal }))),
    );
    expect(listeners()).toBe(1);
    abort('enough');
    await settled();
    expect(fates.every(({ value }) => value === 'enough')).toBe(true);
    expect(listeners()).toBe(0);
  });

  test('a value that comes too late and cannot be let go of is a fault of the classifier', async () => {
    const classifier = judging({
      discard() {
        throw new Error('boom');
      },
    });
    const { pool, lines } = await poolOf([a], { classifier });
    const controller = new AbortController();
    const { promise, resolve } = deferred<string>();
    const fate = watch(pool.run(() => promise, new Call({ signal: controller.signal })));
    controller.abort('enough');
    resolve('success');
    await settled();
    expect(fate.value).toBe('enough');
    expect(lines.at(-1)).toBe('fault classifier boom');
  });
});

describe('what tells whether members are well', () => {
  const monitored = async (breaker: Partial<Breaker> = {}) => {
    let report!: Parameters<MakeHealth>[1];
    let known: readonly Member[] = [];
    const health: MakeHealth = (_, tell) => {
      report = tell;
      return {
        set: members => {
          known = members;
        },
        close() {
          throw new Error('open');
        },
      };
    };
    const made = await poolOf([a, b], { health, breaker: () => ({ ...alwaysClosed, ...breaker }) });
    return { ...made, report: (...args: Parameters<typeof report>) => report(...args), first: known[0]! };
  };
  const told = (lines: readonly string[]): string[] => lines.filter(line => /^health|^fault/.test(line));

  test('is not heard of a member that has left', async () => {
    const { set, lines, report, first } = await monitored();
    await set([b]);
    report(first, false);
    expect(told(lines)).toEqual([]);
    expect(first.unhealthy).toBe(false);
  });

  test('gives a breaker a hint when a member is well, and only then', async () => {
    let hints = 0;
    const { report, first } = await monitored({ hint: () => void hints++ });
    report(first, false);
    expect(hints).toBe(0);
    report(first, true);
    expect(hints).toBe(1);
  });

  test.each<[string, Partial<Breaker>, string[]]>([
    ['takes no hints', {}, []],
    [
      'throws at one',
      {
        hint() {
          throw new Error('boom');
        },
      },
      ['fault breaker boom'],
    ],
  ])('goes on with a breaker that %s', async (_, breaker, faults) => {
    const { lines, report, first } = await monitored(breaker);
    report(first, false);
    report(first, true);
    expect(told(lines)).toEqual(['health a ill', ...faults, 'health a well']);
  });

  test('and fails to close is a fault, as a balancer that does', async () => {
    const { pool, lines } = await monitored();
    pool.close();
    expect(told(lines)).toEqual(['fault health open']);
    const close = (): never => {
      throw new Error('mine');
    };
    const other = await poolOf([a], { balancer: { ...roundRobin(), close } });
    other.pool.close();
    expect(told(other.lines)).toEqual(['fault balancer mine']);
  });
});

describe('closing', () => {
  test('refuses picks, calls and waits; what runs goes on; nothing is left', async () => {
    const { pool, clock, source } = await poolOf([a]);
    const { promise, resolve } = deferred<string>();
    const fate = watch(pool.run(() => promise, new Call()));
    pool.close();
    pool.close();
    await settled();
    expect([source.running, clock.pending]).toEqual([0, 0]);
    const closed = { code: 'CLOSED' };
    expect(() => pool.pick(new Call())).toThrow(expect.objectContaining(closed));
    await expect(pool.run(async () => 1, new Call())).rejects.toMatchObject(closed);
    await expect(pool.ready()).rejects.toMatchObject(closed);
    resolve('done');
    await settled();
    expect(fate.value).toBe('done');
    expect(states(pool)).toEqual(['a closed 0']);
  });

  test('ends the wait of those who wait for the first set', async () => {
    const { pool, clock } = await poolOf(undefined);
    const fates = [watch(pool.run(async () => 1, new Call())), watch(pool.ready())];
    pool.close();
    await settled();
    for (const { value } of fates) expect(value).toMatchObject({ code: 'CLOSED' });
    expect(clock.pending).toBe(0);
  });

  test('a set that comes afterwards is not taken', async () => {
    const { pool, set, lines } = await poolOf([a]);
    pool.close();
    await set([a, b]);
    expect(pool.size).toBe(1);
    expect(lines).toEqual(['members +a - ~ =1']);
  });
});

describe('a balancer that misbehaves', () => {
  const failingOn = (ids: string): Balancer => {
    const inner = roundRobin();
    return {
      picker(members, env) {
        if (members.map(({ endpoint: { id } }) => id).join('') === ids) throw new Error('I refuse');
        return inner.picker(members, env);
      },
    };
  };

  test('one that throws on a set leaves the last good one in place entirely, weights and all', async () => {
    const { pool, set, picks, lines } = await poolOf([a, b], { balancer: failingOn('abc') });
    const before = pool.members();
    await set([{ ...a, weight: 7 }, { ...b, zone: 'eu' }, c]);
    expect(pool.members()).toEqual(before);
    expect(lines.slice(1)).toEqual(['fault balancer I refuse', 'discoveryError I refuse']);
    expect(new Set(picks(4))).toEqual(new Set(['a', 'b']));
    await set([{ ...a, weight: 7 }]);
    expect(lines.at(-1)).toBe('members + -b ~a =1');
  });

  test('one that throws on the first set: calls wait for a better one', async () => {
    const { pool, set, clock } = await poolOf([a], { balancer: failingOn('a'), readyTimeout: 1000 });
    const fate = watch(pool.run(async ({ id }) => id, new Call()));
    await clock.advance(999);
    expect(fate.state).toBe('pending');
    await set([b]);
    expect(fate.value).toBe('b');
  });

  test('one that answers no picker is as one that throws', async () => {
    const { lines, pool } = await poolOf([a], { balancer: { picker: (() => 5) as never } });
    expect(lines[0]).toMatch(/^fault balancer picker is 5; it must be a function/);
    expect(pool.size).toBe(0);
  });

  test.each<[string, (removed: () => Member | undefined) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('lost');
      },
    ],
    ['answers nonsense', () => 'a'],
    ['answers null', () => null],
    ['answers a member that was removed', removed => removed()],
  ])(
    'a picker that %s: any available member that was not tried is picked, and it is told',
    async (_, answer) => {
      let removed: Member | undefined;
      const balancer: Balancer = {
        picker(members) {
          removed ??= members[0];
          return (() => answer(() => removed)) as never;
        },
      };
      const { pool, set, lines } = await poolOf([a, b, c, endpoint('d')], {
        balancer,
        breaker: consecutiveFailures({ threshold: 1 }),
      });
      await set([b, c, endpoint('d')]);
      const sick = pool.pick(new Call());
      sick.end('failure');
      for (let i = 0; i < 20; i++) {
        const call = new Call();
        const first = pool.pick(call);
        call.tried = [first.member];
        const second = pool.pick(call);
        expect([sick.member, removed]).not.toContain(first.member);
        expect([sick.member, removed, first.member]).not.toContain(second.member);
        for (const attempt of [first, second]) attempt.end('success');
      }
      expect(lines.some(line => line.startsWith('fault balancer'))).toBe(true);
    },
  );
});

describe('loads and breakers that misbehave', () => {
  const boom = (): never => {
    throw new Error('boom');
  };

  test.each(['begin', 'end', 'cost', 'forgive'] as const)(
    'a load whose `%s` throws breaks no call',
    async method => {
      const load = (): Load => ({ ...noLoad, [method]: boom });
      const { pool, lines, clock } = await poolOf([a, b], {
        balancer: p2c({ load }),
        breaker: consecutiveFailures({ threshold: 1, openFor: 1000, jitter: 0 }),
      });
      // Where costs throw, chance picks: with as many calls both have had theirs.
      for (let n = 0; n < 40; n++) {
        const outcome = n < 2 ? 'failure' : 'success';
        const attempt = pool.pick(new Call());
        await clock.advance(1500);
        attempt.end(outcome);
      }
      expect(states(pool)).toEqual(['a closed 0', 'b closed 0']);
      expect(lines.some(line => /^fault (load|balancer) boom$/.test(line))).toBe(true);
      expect(pool.members()).toHaveLength(2);
    },
  );

  test('a load whose cost throws is at fault when members are looked at, too', async () => {
    const { pool, lines } = await poolOf([a], {
      balancer: { ...roundRobin(), load: () => ({ ...noLoad, cost: boom }) },
    });
    expect(pool.members()[0]!.cost).toBeNaN();
    expect(lines.at(-1)).toBe('fault load boom');
  });

  test('where balancer and breaker throw, somebody is picked all the same, those not tried first', async () => {
    const { pool, lines } = await poolOf([a, b], {
      balancer: { picker: () => boom },
      breaker: () => ({ state: 'closed', epoch: 0, allows: boom, begin() {}, end() {} }),
    });
    for (let n = 0; n < 10; n++) {
      const call = new Call();
      const first = pool.pick(call);
      call.avoid();
      const second = pool.pick(call);
      call.avoid();
      expect([first.endpoint.id, second.endpoint.id].sort()).toEqual(['a', 'b']);
      expect(['a', 'b']).toContain(pool.pick(call).endpoint.id);
    }
    expect(lines.filter(line => line.startsWith('panic'))).toEqual([]);
  });

  test.each(['allows', 'begin', 'end'] as const)(
    'a breaker whose `%s` throws breaks no call, and retries still go elsewhere',
    async method => {
      const breaker = (): Breaker => ({
        state: 'closed',
        epoch: 0,
        allows: () => true,
        begin() {},
        end() {},
        [method]: boom,
      });
      const { pool, lines } = await poolOf([a, b, c], { breaker });
      for (let i = 0; i < 10; i++) {
        const call = new Call();
        const tried: Member[] = [];
        for (let n = 0; n < 3; n++) {
          const attempt = pool.pick(call);
          attempt.end('failure');
          tried.push(attempt.member);
          call.tried = [...tried];
        }
        expect(new Set(tried).size).toBe(3);
      }
      expect(lines.some(line => /^fault (breaker|balancer) boom$/.test(line))).toBe(true);
      expect(states(pool)).toEqual(['a closed 0', 'b closed 0', 'c closed 0']);
    },
  );

  test.each<[string, Partial<PoolOptions>, RegExp]>([
    [
      'breaker: consecutiveFailures instead of consecutiveFailures()',
      { breaker: consecutiveFailures as never },
      /consecutiveFailures must be called where it is given: consecutiveFailures\(\), not consecutiveFailures$/,
    ],
    ['a breaker that is nothing', { breaker: (() => undefined) as never }, /breaker/],
    ['a breaker of the wrong shape', { breaker: (() => ({ allows: true })) as never }, /breaker/],
    ['load: inFlight instead of inFlight()', { balancer: p2c({ load: inFlight as never }) }, /load/],
    ['a load of the wrong shape', { balancer: p2c({ load: () => ({ cost: 5 }) as never }) }, /load/],
    ['a breaker that cannot be made', { breaker: boom }, /boom/],
  ])('%s: the set is refused, and the error names it', async (_, options, message) => {
    const { pool, lines } = await poolOf([a], options);
    expect(lines.at(-1)).toMatch(/^discoveryError /);
    expect(lines.at(-1)).toMatch(message);
    expect(() => pool.pick(new Call())).toThrow(
      expect.objectContaining({
        code: 'NO_ENDPOINTS',
        cause: expect.objectContaining({ message: expect.stringMatching(message) }),
      }),
    );
  });
});

test('a hundred thousand members join and leave in a moment, and one that stays is the same', async () => {
  const many = Array.from({ length: 100_000 }, (_, i) => endpoint(`e${i}`));
  const { pool, set } = await poolOf(many);
  const kept = pool.pick(new Call());
  await set([kept.endpoint, ...endpoints(10)]);
  expect(pool.size).toBe(11);
  expect(pool.members().find(({ endpoint: { id } }) => id === kept.endpoint.id)?.inFlight).toBe(1);
});
