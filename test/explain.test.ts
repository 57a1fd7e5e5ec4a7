import {
  type Balancer,
  Call,
  consecutiveFailures,
  type Explanation,
  inFlight,
  leastRequest,
  type MakeHealth,
  maglev,
  Pool,
  type PoolOptions,
  p2c,
  random,
  rendezvous,
  ring,
  roundRobin,
  weightedRoundRobin,
} from 'fairlead/core';
import { type EndpointLike, scriptedDiscovery, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { endpoint, testEnv } from './helpers.ts';

async function poolOf(set: readonly EndpointLike[], options: Partial<PoolOptions> = {}) {
  const env = testEnv();
  const endpoints = set.map(like => (typeof like === 'string' ? endpoint(like) : endpoint(like.id, like)));
  const source = scriptedDiscovery(endpoints);
  const pool = new Pool({ discovery: source.discovery, balancer: roundRobin(), env, ...options });
  await settled();
  return { pool, source, ...env };
}

/** The explanation as a table: id, order, share in percent, why. */
const table = ({ members }: Explanation): string[] =>
  members.map(
    ({ id, order, share, why }) =>
      `${id} ${order ?? '-'} ${share === undefined ? '?' : Math.round(100 * share)} ${why}`,
  );

describe('an explanation', () => {
  test('names every member, drained and refused ones too, and says why each would or would not be chosen', async () => {
    const { pool } = await poolOf(['a', 'b', 'c', { id: 'd', weight: 0 }], {
      balancer: weightedRoundRobin(),
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
    });
    const sick = pool.pick(new Call());
    sick.end('failure');
    const call = new Call();
    const tried = pool.pick(call);
    call.avoid();
    tried.end('ignored');
    const explanation = pool.explain(call);
    const left = ['a', 'b', 'c'].find(id => id !== sick.endpoint.id && id !== tried.endpoint.id);
    expect(explanation.round).toBe('untried');
    expect(table(explanation)).toEqual([
      `${left} 1 100 its turn is next`,
      ...['a', 'b', 'c', 'd']
        .filter(id => id !== left)
        .map(id =>
          id === 'd'
            ? 'd - 0 drained: its weight is 0'
            : id === sick.endpoint.id
              ? `${id} - 0 its breaker is open`
              : `${id} - 0 tried already by this call`,
        ),
    ]);
  });

  test('says how much the pick must settle for: untried, available, panic, or none', async () => {
    for (const panic of [true, false]) {
      const { pool } = await poolOf(['a', 'b'], {
        breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
        panic,
      });
      const rounds = [pool.explain(new Call()).round];
      const call = new Call();
      for (let i = 0; i < 2; i++) {
        pool.pick(call).end('ignored');
        call.avoid();
      }
      rounds.push(pool.explain(call).round);
      for (let i = 0; i < 2; i++) pool.pick(new Call()).end('failure');
      rounds.push(pool.explain(new Call()).round);
      expect(rounds).toEqual(['untried', 'available', panic ? 'panic' : 'none']);
    }
  });

  test('is plain data, which prints as it is', async () => {
    const { pool } = await poolOf(['a', 'b'], { balancer: leastRequest() });
    const explanation = pool.explain(new Call({ key: 'k' }));
    expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
    expect(Object.keys(explanation.members[0]!)).toEqual([
      'id',
      'address',
      'weight',
      'breaker',
      'inFlight',
      'cost',
      'accepted',
      'order',
      'share',
      'why',
    ]);
  });

  test('says for each reason why a member would not be called', async () => {
    let ill!: () => void;
    const health: MakeHealth = (_, report) => ({
      set: members => {
        ill = () => report(members[2]!, false);
      },
      close() {},
    });
    const ids = ['busy', 'cool', 'ill', 'out', 'well'];
    const set = ids.map((id, i) => ({ id: `${i}-${id}` }));
    const { pool, clock } = await poolOf([...set, { id: '5-drained', weight: 0 }], {
      maxInFlight: 1,
      balancer: weightedRoundRobin(),
      health,
    });
    await clock.advance(5000);
    pool.isolate('3-out');
    ill();
    for (let n = 0; n < 3; n++) {
      const attempt = pool.pick(new Call());
      if (attempt.endpoint.id === '0-busy') continue;
      if (attempt.endpoint.id === '1-cool') attempt.retryAfter = 500;
      attempt.end(attempt.endpoint.id === '1-cool' ? 'failure' : 'success');
    }
    const explanation = pool.explain(new Call());
    expect(explanation.members.map(({ id, accepted, address, why }) => [id, accepted, address, why])).toEqual(
      [
        ['4-well', true, '4-well.test:80', 'its turn is next'],
        ['0-busy', false, '0-busy.test:80', 'it has its 1 attempts in flight'],
        ['1-cool', false, '1-cool.test:80', 'it asked to be left alone for 500 ms more'],
        ['2-ill', false, '2-ill.test:80', 'its health checks fail'],
        ['3-out', false, '3-out.test:80', 'isolated by hand'],
        ['5-drained', false, '5-drained.test:80', 'drained: its weight is 0'],
      ],
    );
    pool.pick(new Call());
    expect(pool.explain(new Call()).round).toBe('panic');
  });

  test('of none, tells no order: nobody would be called', async () => {
    const { pool } = await poolOf(['a', 'b', { id: 'c', weight: 0 }], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      balancer: weightedRoundRobin(),
      panic: false,
    });
    for (let n = 0; n < 2; n++) pool.pick(new Call()).end('failure');
    const { round, members } = pool.explain(new Call());
    expect(round).toBe('none');
    expect(members.map(({ order, share, accepted }) => [order, share, accepted])).toEqual(
      Array(3).fill([undefined, 0, false]),
    );
  });

  test('of a set that is drained, none', async () => {
    const { pool } = await poolOf([{ id: 'a', weight: 0 }]);
    expect(pool.explain(new Call())).toMatchObject({ round: 'none', members: [{ accepted: false }] });
  });

  test('with too few available it is panic, though there are some; with just enough it is not', async () => {
    const { pool } = await poolOf(['a', 'b', 'c', 'd'], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      panic: { below: 0.5 },
    });
    const rounds: string[] = [];
    for (let n = 0; n < 3; n++) {
      pool.pick(new Call()).end('failure');
      rounds.push(pool.explain(new Call()).round);
    }
    expect(rounds).toEqual(['untried', 'untried', 'panic']);
  });

  test('those that the balancer names come in its order, the others after them', async () => {
    const balancer: Balancer = {
      picker: ([a, b, c, d]) =>
        Object.assign(() => a, {
          explain: () => [d!, c!, b!].map(member => ({ member })),
        }),
    };
    const { pool } = await poolOf(['a', 'b', 'c', 'd'], { balancer });
    const { members } = pool.explain(new Call());
    expect(members.map(({ id }) => id)).toEqual(['d', 'c', 'b', 'a']);
    expect(members[3]).toMatchObject({ order: undefined, share: 0, why: 'not asked' });
  });

  test('a member tried already is no reason to speak of its breaker, which would allow a probe', async () => {
    const { pool, clock } = await poolOf(['a', 'b'], {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1000, jitter: 0 }),
    });
    const call = new Call();
    const tried = pool.pick(call);
    tried.end('failure');
    call.avoid();
    await clock.advance(1000);
    expect(pool.explain(call).members.find(({ id }) => id === tried.endpoint.id)).toMatchObject({
      breaker: 'open',
      why: 'tried already by this call',
    });
  });

  test('nor is one whose breaker throws, where too few are well for breakers to be believed', async () => {
    const allows = (): never => {
      throw new Error('no');
    };
    const { pool } = await poolOf(['a', 'b'], {
      breaker: () => ({ state: 'open', epoch: 0, allows, begin() {}, end() {} }),
      panic: { below: 1 },
    });
    const call = new Call();
    const tried = pool.pick(call);
    tried.end('success');
    call.avoid();
    expect(pool.explain(call).members.find(({ id }) => id === tried.endpoint.id)).toMatchObject({
      accepted: false,
      why: 'tried already by this call',
    });
  });

  test('before the first set there is nobody to name', async () => {
    const pool = new Pool({
      discovery: scriptedDiscovery().discovery,
      balancer: roundRobin(),
      env: testEnv(),
    });
    expect(pool.explain(new Call())).toEqual({ key: undefined, round: 'none', members: [] });
    pool.close();
  });

  test('a balancer of the user that does not explain, or throws, leaves the rest as it is', async () => {
    const silent: Balancer = { picker: members => () => members[0] };
    const throwing: Balancer = {
      picker: members =>
        Object.assign(() => members[0], {
          explain: () => {
            throw new Error('no');
          },
        }),
    };
    for (const balancer of [silent, throwing]) {
      const { pool } = await poolOf(['a', 'b'], { balancer });
      expect(table(pool.explain(new Call()))).toEqual(['a - ? available', 'b - ? available']);
      expect(pool.pick(new Call()).endpoint.id).toBe('a');
    }
  });

  test('a breaker or load that throws is shown as not heard', async () => {
    const { pool } = await poolOf(['a'], {
      balancer: {
        ...roundRobin(),
        load: () => ({
          begin() {},
          end() {},
          cost() {
            throw new Error('no');
          },
        }),
      },
      breaker: () => ({
        state: 'closed',
        epoch: 0,
        allows() {
          throw new Error('no');
        },
        begin() {},
        end() {},
      }),
    });
    const explanation = pool.explain(new Call());
    expect(explanation.round).toBe('untried');
    expect(explanation.members[0]).toMatchObject({ accepted: true, cost: Number.NaN });
  });
});

describe('the shares an explanation tells are those of the calls that follow', () => {
  const weights = [5, 3, 2, 1];
  test.each<[string, () => Balancer]>([
    ['roundRobin', roundRobin],
    ['weightedRoundRobin', weightedRoundRobin],
    ['random', random],
    ['p2c', () => p2c({ load: inFlight() })],
    ['leastRequest, looking at all', () => leastRequest({ load: inFlight() })],
    ['ring', ring],
    ['maglev', maglev],
    ['rendezvous', rendezvous],
    ['leastRequest, drawing three', () => leastRequest({ load: inFlight(), scan: 0, choices: 3 })],
  ])('%s', async (_, make) => {
    const { pool } = await poolOf(
      weights.map((weight, i) => ({ id: `m${i}`, weight })),
      { balancer: make() },
    );
    // Some have calls in flight, which stay: costs differ, and do not change.
    const busy = Array.from({ length: 7 }, () => pool.pick(new Call()));
    const { members } = pool.explain(new Call({ key: 'any' }));
    const counts = new Map<string, number>();
    const CALLS = 20_000;
    for (let i = 0; i < CALLS; i++) {
      const attempt = pool.pick(new Call({ key: `key ${i}` }));
      attempt.end('success');
      counts.set(attempt.endpoint.id, (counts.get(attempt.endpoint.id) ?? 0) + 1);
    }
    for (const { id, share } of members) {
      // One standard deviation of a share is 0.0035 at most.
      expect(Math.abs((counts.get(id) ?? 0) / CALLS - share!)).toBeLessThan(0.02);
    }
    for (const attempt of busy) attempt.end('success');
  });
});
