import {
  Acceptance,
  type Balancer,
  Call,
  consecutiveFailures,
  random,
  ring,
  roundRobin,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { priority } from '../../src/balancer/priority.ts';
import { endpoint, rig } from '../helpers.ts';
import { ids, Stage, type Switch, some, someKeys } from './wrapping.ts';

const level = ({ priority = 0 }: { readonly priority?: number }): number => priority;
const levels = (...sizes: number[]) => sizes.flatMap((size, i) => some(`p${i}-`, size, { priority: i }));

/** A hundred members in each level, so many of them well. */
function withWell(...well: number[]): Stage {
  const stage = new Stage(
    priority(() => random()),
    levels(...well.map(() => 100)),
  );
  stage.out(well.flatMap((count, i) => ids(some(`p${i}-`, 100)).slice(count)));
  return stage;
}

// The tables of Envoy's manual, "Priority levels"; Envoy rounds to whole percents.
test.each([
  [
    [100, 100],
    [100, 0],
  ],
  [
    [72, 100],
    [100, 0],
  ],
  [
    [71, 100],
    [99, 1],
  ],
  [
    [50, 100],
    [70, 30],
  ],
  [
    [25, 100],
    [35, 65],
  ],
  [
    [0, 100],
    [0, 100],
  ],
  [
    [100, 100, 100],
    [100, 0, 0],
  ],
  [
    [72, 72, 100],
    [100, 0, 0],
  ],
  [
    [71, 71, 100],
    [99, 1, 0],
  ],
  [
    [50, 50, 100],
    [70, 30, 0],
  ],
  [
    [50, 100, 100],
    [70, 30, 0],
  ],
  [
    [25, 100, 100],
    [35, 65, 0],
  ],
  [
    [25, 25, 100],
    [35, 35, 30],
  ],
  [
    [25, 25, 20],
    [36, 36, 28],
  ],
])('with %j percent well, the levels get %j percent of the calls', (well, percents) => {
  const shares = withWell(...well).shares(level);
  for (const [i, percent] of percents.entries())
    expect(Math.abs(100 * shares.get(i)! - percent)).toBeLessThan(0.75);
});

test('calls spill when less than 71.4 % are well, not before, and by as much as is lacking', () => {
  for (let well = 0; well <= 7; well++) {
    const stage = new Stage(
      priority(() => random()),
      levels(7, 7),
    );
    stage.out(ids(some('p0-', 7)).slice(well));
    expect(stage.shares(level).get(0)).toBeCloseTo(Math.min(1, (1.4 * well) / 7), 12);
  }
});

test('the calls go where the explanation says', () => {
  const stage = withWell(40, 100);
  const counts = [...stage.counts(20_000)].filter(([id]) => id.startsWith('p0'));
  const share = counts.reduce((sum, [, count]) => sum + count, 0) / 20_000;
  // 0.56 with a standard deviation of 0.0035.
  expect(Math.abs(share - 0.56)).toBeLessThan(0.0175);
});

test('health is counted by weight', () => {
  const stage = new Stage(
    priority(() => random(), { overprovisioning: 1 }),
    [{ id: 'heavy', weight: 3 }, { id: 'light' }, { id: 'spare', priority: 1 }],
  );
  stage.out(['heavy']);
  expect(stage.shares(level).get(0)).toBeCloseTo(0.25, 12);
  stage.out(['light']);
  expect(stage.shares(level).get(0)).toBeCloseTo(0.75, 12);
});

test('where nobody is well, in panic too, levels are called by weight', () => {
  const stage = withWell(0, 0);
  stage.out(stage.of.map(({ endpoint }) => endpoint.id));
  const shares = stage.shares(level, { acceptance: Acceptance.any });
  expect([...shares.values()]).toEqual([expect.closeTo(0.5), expect.closeTo(0.5)]);
  // Little is left: in panic that does not count, for the breakers are not believed.
  stage.out(stage.of.slice(10).map(({ endpoint }) => endpoint.id));
  expect(stage.shares(level, { acceptance: Acceptance.any }).get(1)).toBeCloseTo(0.5);
  expect(stage.shares(level).get(1)).toBe(0);
});

test('numbers may have gaps: only their order counts', () => {
  const stage = new Stage(
    priority(() => random()),
    [
      { id: 'last', priority: 1e15 },
      { id: 'first', priority: 3 },
      { id: 'second', priority: 70 },
    ],
  );
  expect(stage.pick()).toBe('first');
  stage.out(['first']);
  expect(stage.pick()).toBe('second');
  stage.out(['first', 'second']);
  expect(stage.pick()).toBe('last');
  expect(stage.notes()[0]).toMatch(/^last: priority 1000000000000000: /);
});

test('a retry leaves a level whose members have all been tried', () => {
  const stage = new Stage(priority(roundRobin), levels(2, 2));
  const tried = [stage.member('p0-0'), stage.member('p0-1')];
  for (let i = 0; i < 4; i++) {
    expect(stage.pick(undefined, tried.slice(0, 1))).toBe('p0-1');
    expect(stage.pick(undefined, tried)).toMatch(/^p1/);
  }
});

test('as a level falls ill keys leave it and never move back or sideways', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(ids(some('p0-', 12)), { minLength: 12 }), order => {
      const stage = new Stage(
        priority(() => ring({ points: 16 })),
        levels(12, 3),
      );
      const keys = someKeys(60);
      let before = stage.places(keys);
      for (let n = 1; n <= order.length; n++) {
        const out = order.slice(0, n);
        stage.out(out);
        const after = stage.places(keys);
        for (const [i, to] of after.entries()) {
          const from = before[i]!;
          if (to === from) continue;
          // The owner fell ill, or the level cannot take it any more; never from the next level to another there.
          expect(from).toMatch(/^p0/);
          if (to!.startsWith('p0')) expect(out).toContain(from);
        }
        before = after;
      }
      expect(before.every(id => id!.startsWith('p1'))).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('a breaker that the pool has seen move is noticed at once', () => {
  const stage = new Stage(
    priority(() => random()),
    levels(4, 4),
  );
  stage.pick();
  for (const id of ['p0-0', 'p0-1', 'p0-2']) (stage.member(id).breaker as Switch).state = 'open';
  expect(stage.shares(level).get(0)).toBe(1);
  stage.of[0]!.vitals.moves++;
  expect(stage.shares(level).get(0)).toBeCloseTo(0.35, 9);
});

test('a breaker that moves by itself is noticed within 100 ms', () => {
  const stage = new Stage(priority(roundRobin), levels(1, 1));
  expect(stage.pick()).toBe('p0-0');
  const breaker = stage.member('p0-0').breaker as Switch;
  stage.out(['p0-0']);
  expect(stage.pick()).toBe('p1-0');
  breaker.state = 'closed';
  expect(stage.pick()).toBe('p1-0');
  stage.now += 100;
  expect(stage.pick()).toBe('p0-0');
});

describe('a level that was given up', () => {
  test('is called again soon after it is well', () => {
    const stage = new Stage(priority(roundRobin), levels(2, 2));
    stage.out(['p0-0', 'p0-1']);
    expect(stage.counts(10).get('p0-0')).toBe(0);
    (stage.member('p0-1').breaker as Switch).due = true;
    stage.now += 100;
    expect([stage.pick(), stage.pick(), stage.pick()]).toEqual([
      'p0-1', // to find out
      expect.stringMatching(/^p1/),
      expect.stringMatching(/^p1/),
    ]);
  });

  test('is not called by a call that has failed before', () => {
    const stage = new Stage(priority(roundRobin), levels(1, 2));
    stage.out(['p0-0']);
    (stage.member('p0-0').breaker as Switch).due = true;
    stage.now += 100;
    expect(stage.pick(undefined, [stage.member('p1-0')])).toBe('p1-1');
    expect(stage.pick()).toBe('p0-0');
  });

  test('is not called in panic to find out', () => {
    const stage = new Stage(priority(roundRobin), levels(1, 2));
    stage.out(['p0-0']);
    (stage.member('p0-0').breaker as Switch).due = true;
    stage.now += 100;
    for (let i = 0; i < 4; i++)
      expect(stage.picked(undefined, [], Acceptance.any)!.endpoint.id).toMatch(/^p1/);
  });

  test('takes its calls back, with real breakers', async () => {
    const set = [0, 0, 1, 1].map((priority, i) => endpoint(`m${i}`, { priority }));
    const { client, clock } = rig(set, {
      balancer: priority(roundRobin),
      breaker: consecutiveFailures({ threshold: 2, openFor: 1000 }),
    });
    await client.ready();
    let ill = true;
    const calls = { ill: 0, of: 0 };
    const call = async (): Promise<string> => {
      let who = '';
      await client
        .run(async ({ id }) => {
          who = id;
          if (ill && id < 'm2') {
            calls.ill++;
            throw new Error('ill');
          }
        })
        .catch(() => {});
      calls.of++;
      await clock.advance(10);
      return who;
    };
    for (let i = 0; i < 1000; i++) await call();
    // Two each to open, then a probe each per open time, which doubles: at most 4 in ten seconds.
    expect(calls.ill).toBeLessThanOrEqual(2 * (2 + 4));
    ill = false;
    for (let i = 0; i < 2000; i++) await call();
    for (let i = 0; i < 20; i++) expect(await call()).toMatch(/m[01]/);
    await settled();
    void client.close();
  });
});

describe('the balancers of the levels', () => {
  function counting(): { made: Balancer[]; closed: Balancer[]; inner: () => Balancer } {
    const made: Balancer[] = [];
    const closed: Balancer[] = [];
    const inner = (): Balancer => {
      const balancer: Balancer = { ...roundRobin(), close: () => void closed.push(balancer) };
      made.push(balancer);
      return balancer;
    };
    return { made, closed, inner };
  }

  test('are kept from set to set, and for a quarter of an hour when their level is gone', () => {
    const { made, closed, inner } = counting();
    const stage = new Stage(priority(inner), levels(1, 1));
    stage.set(levels(2));
    stage.now += 14 * 60_000;
    stage.set(levels(2, 3));
    expect(made).toHaveLength(2);
    stage.set(levels(2));
    stage.now += 14 * 60_000;
    stage.set(levels(2));
    expect(closed).toEqual([]);
    stage.now += 2 * 60_000;
    stage.set(levels(3));
    expect(closed).toEqual([made[1]]);
    stage.set(levels(3, 1));
    expect(made).toHaveLength(3);
  });

  test('are all closed with it, even if one throws', () => {
    const { made, closed, inner } = counting();
    const stage = new Stage(
      priority(() => {
        const balancer = inner();
        if (made.length !== 1) return balancer;
        return {
          ...balancer,
          close() {
            balancer.close!();
            throw new Error('no');
          },
        };
      }),
      levels(1, 1, 1),
    );
    expect(() => stage.balancer.close!()).toThrow('no');
    expect(closed).toHaveLength(3);
  });

  test('give the members their loads, and it tells whether they go by keys', () => {
    expect(priority(roundRobin).load).toBeUndefined();
    expect(priority(roundRobin).keyed).toBeUndefined();
    expect(priority(() => ring()).keyed).toBe(true);
    const load = { begin() {}, end() {}, cost: () => 7 };
    expect(
      priority(() => ({ ...roundRobin(), load: () => load })).load!(new Stage(roundRobin(), []).env),
    ).toBe(load);
  });

  test('that throw for a set refuse it, and the last good one stands', async () => {
    const { client, source, lines } = rig(2, {
      balancer: priority(() => {
        const balancer = roundRobin();
        return {
          ...balancer,
          picker(members, env) {
            if (members.length > 2) throw new Error('too many');
            return balancer.picker(members, env);
          },
        };
      }),
    });
    await client.ready();
    source.set(['a', 'b', 'c'].map(id => endpoint(id)));
    await settled();
    expect(client.pool.size).toBe(2);
    expect(lines).toContain('fault balancer too many');
    expect(client.pool.pick(new Call()).endpoint.id).toMatch(/^m/);
    void client.close();
  });
});
