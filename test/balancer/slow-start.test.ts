import {
  Acceptance,
  type Balancer,
  Call,
  consecutiveFailures,
  inFlight,
  leastRequest,
  p2c,
  random,
  ring,
  roundRobin,
  weightedRoundRobin,
} from 'fairlead/core';
import { seededRandom } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type SlowStartOptions, slowStart } from '../../src/balancer/slow-start.ts';
import { endpoint, rig } from '../helpers.ts';
import { same } from '../in-loops.ts';
import { Stage, some, someKeys } from './wrapping.ts';

const WINDOW = 30_000;

/** So many warm members, and some that have just come. */
function joined(
  inner: () => Balancer,
  old: number,
  fresh: number,
  options?: SlowStartOptions,
  seed = 1,
): Stage {
  const stage = new Stage(slowStart(inner, options), []);
  (stage.env as { random: () => number }).random = seededRandom(seed);
  stage.set(some('old', old));
  for (let i = 0; i < 20; i++) stage.pick();
  stage.set([...some('old', old), ...some('new', fresh)]);
  return stage;
}

/** The share of the new ones in the calls of the next second, at one a millisecond. */
function second(stage: Stage, key?: (i: number) => string): number {
  let calls = 0;
  for (let i = 0; i < 1000; i++) {
    if (stage.pick(key?.(i))!.startsWith('new')) calls++;
    stage.now++;
  }
  return calls / 1000;
}

const KEYLESS: readonly (readonly [string, () => Balancer])[] = [
  ['roundRobin', roundRobin],
  ['weightedRoundRobin', weightedRoundRobin],
  ['random', random],
  ['p2c', () => p2c({ load: inFlight() })],
  ['leastRequest', () => leastRequest({ load: inFlight() })],
  ['one that wants the newcomer only', () => newestFirst()],
];

/** Picks the first by id that the call accepts: `new0` before all `old`. */
const newestFirst = (): Balancer => ({
  picker: members => (call, now) => members.find(member => call.accepts(member, now)),
});

describe.each(KEYLESS)('with %s', (_, inner) => {
  test('a newcomer never gets more in a second than its part of its share, and at last all of it', () => {
    const stage = joined(inner, 9, 1);
    for (let t = 0; t < 40; t++) {
      const share = second(stage);
      const part = Math.min(1, Math.max(0.1, ((t + 1) * 1000) / WINDOW));
      // Two calls of a thousand may have been saved up.
      if (t < 29) expect(share).toBeLessThanOrEqual(part / (9 + part) + 0.002);
      else if (t > 30 && inner !== KEYLESS.at(-1)![1]) expect(Math.abs(share - 0.1)).toBeLessThan(0.05);
    }
  });
});

test('a newcomer gets what it may have, where the balancer wants to give it', () => {
  for (const inner of [roundRobin, newestFirst]) {
    const stage = joined(inner, 9, 1);
    for (let t = 0; t < 29; t++) {
      const part = Math.max(0.1, (t * 1000) / WINDOW);
      expect(second(stage)).toBeGreaterThanOrEqual(part / (9 + part) - 0.003);
    }
  }
});

test('what a newcomer could have had and did not want is not saved up', () => {
  let wanted = 'old0';
  const choosy = (): Balancer => ({
    picker: members => (call, now) =>
      members.find(each => each.endpoint.id === wanted && call.accepts(each, now)) ??
      members.find(each => call.accepts(each, now)),
  });
  const stage = joined(choosy, 9, 1);
  stage.counts(10_000);
  wanted = 'new0';
  expect(stage.counts(80).get('new0')).toBeLessThanOrEqual(3); // two saved up, and less than one in 80
});

test('the part grows as asked', () => {
  const after = (ms: number, options: SlowStartOptions): number => {
    const stage = joined(random, 9, 1, { window: 1000, ...options });
    stage.now += ms;
    stage.pick();
    const share = stage.shares().get('new0')!;
    return (share * 9) / (1 - share);
  };
  expect(after(0, {})).toBeCloseTo(0.1, 9);
  expect(after(0, { minShare: 0.25 })).toBeCloseTo(0.25, 9);
  expect(after(100, { minShare: 0 })).toBeCloseTo(0.1, 9);
  expect(after(500, {})).toBeCloseTo(0.5, 9);
  expect(after(250, { aggression: 2 })).toBeCloseTo(0.5, 9);
  expect(after(500, { aggression: 0.5 })).toBeCloseTo(0.25, 9);
  expect(after(1000, {})).toBeCloseTo(1, 9);
  expect(after(0, { window: 0 })).toBeCloseTo(1, 9);
});

test('weights count', () => {
  const stage = new Stage(slowStart(weightedRoundRobin), []);
  stage.set([{ id: 'a', weight: 2 }]);
  stage.set([
    { id: 'a', weight: 2 },
    { id: 'b', weight: 4 },
    { id: 'c', weight: 2 },
    { id: 'd', weight: 8 },
  ]);
  stage.set(some('e', 1, { weight: 3 }).concat([{ id: 'a', weight: 2 }]));
  stage.now += 40_000;
  stage.pick();
  stage.set([
    { id: 'a', weight: 2 },
    { id: 'e0', weight: 3 },
    { id: 'z', weight: 2.5 },
  ]);
  stage.now += 12_000;
  const counts = stage.counts(6000);
  // 0.4 × 2.5 = 1 beside 5.
  expect(counts.get('z')! / 6000).toBeCloseTo(1 / 6, 2);
  expect(counts.get('e0')! / counts.get('a')!).toBeCloseTo(1.5, 1);
});

test('members of the first set do not warm up', () => {
  const stage = new Stage(slowStart(roundRobin), some('m', 3));
  expect([...stage.counts(9).values()]).toEqual([3, 3, 3]);
  expect(stage.notes().join()).not.toContain('warming');
});

test('how far a member has warmed up lasts when the set changes, and is told', () => {
  const stage = joined(roundRobin, 8, 1);
  stage.now += 10_000;
  stage.set([...some('old', 9), ...some('new', 1)]);
  stage.pick();
  expect(stage.notes()).toContain('new0: warming: 33 %');
  expect(stage.notes()).toContain('old8: warming: 10 %');
});

describe('members found well again', () => {
  test('warm up, too', () => {
    const stage = new Stage(slowStart(roundRobin), some('m', 4));
    stage.pick();
    stage.out(['m1']);
    stage.pick();
    stage.out([]);
    const counts = stage.counts(3100);
    expect(counts.get('m1')! / 3100).toBeCloseTo(0.1 / 3.1, 2);
    stage.now += WINDOW;
    expect(stage.counts(400).get('m1')).toBe(100);
  });

  test('warm up each time anew', () => {
    const stage = new Stage(slowStart(roundRobin), some('m', 4));
    stage.pick();
    for (let i = 0; i < 3; i++) {
      stage.out(['m1']);
      stage.pick();
      stage.out([]);
      expect(stage.counts(310).get('m1')).toBeLessThanOrEqual(12);
      for (let i = 0; i < 4; i++) {
        stage.now += WINDOW / 4;
        stage.pick();
      }
      expect(stage.counts(400).get('m1')).toBe(100);
    }
  });

  test('do not, if so asked', () => {
    const stage = new Stage(slowStart(roundRobin, { recovered: false }), some('m', 4));
    stage.pick();
    stage.out(['m1']);
    stage.pick();
    stage.out([]);
    expect(stage.counts(400).get('m1')).toBe(100);
  });

  test('whose health checks pass again warm up', () => {
    const stage = new Stage(slowStart(roundRobin), some('m', 4));
    stage.member('m1').unhealthy = true;
    stage.pick();
    stage.member('m1').unhealthy = false;
    stage.now += 100;
    expect(stage.counts(310).get('m1')).toBeLessThan(20);
  });

  test('warm up with real breakers, and get the probes that these allow', async () => {
    const { client, clock } = rig(
      [0, 1, 2, 3].map(i => endpoint(`m${i}`)),
      {
        balancer: slowStart(roundRobin),
        breaker: consecutiveFailures({ threshold: 1, openFor: 100 }),
      },
    );
    await client.ready();
    let ill = true;
    const call = async (): Promise<number> => {
      let mine = 0;
      await client
        .run(async ({ id }) => {
          if (id !== 'm0') return;
          mine = 1;
          if (ill) throw new Error('ill');
        })
        .catch(() => {});
      await clock.advance(1);
      return mine;
    };
    for (let i = 0; i < 50; i++) await call();
    ill = false;
    for (let i = 0; i < 150; i++) await call();
    expect(client.pool.members()[0]!.breaker).toBe('closed');
    let calls = 0;
    for (let i = 0; i < 1000; i++) calls += await call();
    expect(calls).toBeGreaterThan(25);
    expect(calls).toBeLessThan(40); // 0.1 to 0.14 of its share beside three
    void client.close();
  });
});

describe('when many warm up at once', () => {
  test('nobody warm gets more than 1.5 times its share, and nobody starves', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 30 }), (old, fresh) => {
        const stage = joined(roundRobin, old, fresh, { minShare: 0 });
        const calls = 40 * (old + fresh);
        const fair = calls / (old + fresh);
        for (const [id, count] of stage.counts(calls)) {
          if (id.startsWith('old')) {
            // Each newcomer may have to wait for its first call, which the warm ones get.
            expect(count).toBeLessThanOrEqual(1.5 * fair + fresh / old + 2);
          }
          // Where they are so few that the warm can do without, they begin with nothing.
          else if (fresh > old) expect(count).toBeGreaterThan(0);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('all at once are as warm as each other', () => {
    const stage = joined(roundRobin, 1, 0);
    stage.set(some('new', 4));
    expect([...stage.counts(8).values()]).toEqual([2, 2, 2, 2]);
    // And stay so, whoever comes back.
    stage.set([...some('new', 4), ...some('newer', 1)]);
    stage.counts(10);
    expect(stage.notes().filter(note => note.includes('warming'))).toHaveLength(1);
  });

  test('those left when nobody warm is well count as warm', () => {
    const stage = joined(roundRobin, 1, 2);
    stage.out(['old0']);
    expect([...stage.counts(10).values()].sort()).toEqual([0, 5, 5]);
    stage.out([]);
    expect(stage.counts(100).get('old0')).toBeLessThan(10);
  });

  test('the clients do not make their first calls in the same moment', () => {
    const firsts = Array.from({ length: 500 }, (_, seed) => {
      const stage = joined(newestFirst, 9, 1, undefined, seed);
      let calls = 0;
      while (stage.pick() !== 'new0') calls++;
      return calls;
    });
    // A call in 91 is due; with a random part of it saved up at first they come at any time up to then.
    for (let from = 0; from < 90; from += 10) {
      const share = firsts.filter(calls => calls >= from && calls < from + 10).length / 500;
      // 0.11, with a standard deviation of 0.014.
      expect(Math.abs(share - 0.11)).toBeLessThan(0.07);
    }
  });
});

describe('with balancers that go by keys', () => {
  test('a newcomer has that part of its keys, each key moves to it once, and no other key moves', () => {
    const stage = joined(() => ring(), 9, 1);
    const keys = someKeys(2000);
    stage.set(some('old', 9));
    const old = stage.places(keys);
    const fresh = new Stage(
      slowStart(() => ring()),
      [...some('old', 9), ...some('new', 1)],
    ).places(keys);
    stage.set([...some('old', 9), ...some('new', 1)]);
    const mine = keys.filter((_, i) => fresh[i] === 'new0');
    let moved = new Set<string>();
    stage.now = 0;
    for (let t = 0; t <= WINDOW; t += 1000) {
      stage.now = t;
      const places = stage.places(keys);
      const now = new Set(keys.filter((_, i) => places[i] === 'new0'));
      for (const key of moved) same(now.has(key), true);
      keys.forEach((key, i) => {
        if (!now.has(key)) same(places[i], old[i]);
        else same(fresh[i], 'new0');
      });
      const part = Math.min(1, Math.max(0.1, t / WINDOW));
      // Of some 200 keys one standard deviation is 0.035 at most.
      expect(Math.abs(now.size / mine.length - part)).toBeLessThan(0.15);
      moved = now;
    }
    expect(moved).toEqual(new Set(mine));
  });

  test('newcomers have parts of their keys that have nothing to do with each other', () => {
    const inOrder = (): Balancer => ({
      keyed: true,
      picker: members => (call, now) => members.find(member => call.accepts(member, now)),
    });
    const stage = joined(inOrder, 8, 2);
    stage.now += 15_000;
    const counts = stage.counts(4000, i => `key ${i}`);
    // Half of all, then half of the others; one standard deviation is 32 at most.
    expect(Math.abs(counts.get('new0')! - 2000)).toBeLessThan(160);
    expect(Math.abs(counts.get('new1')! - 1000)).toBeLessThan(160);
  });

  test('a newcomer keeps its keys when others leave that came with it', () => {
    const stage = joined(() => ring(), 4, 8);
    const keys = someKeys(500);
    const before = stage.places(keys);
    expect(stage.notes('any')).toContain('new0: warming: 50 %');
    stage.set([...some('old', 4), ...some('new', 2)]);
    const after = stage.places(keys);
    before.forEach((id, i) => {
      if (id === 'new0' || id === 'new1') expect(after[i]).toBe(id);
    });
  });

  test('the explanation goes in the order of the walk, but for those the key is not for', () => {
    const stage = joined(() => ring(), 3, 2);
    const stands = new Set<string>();
    for (const key of someKeys(100)) {
      stage.pick(key);
      const call = new Call({ key });
      call.acceptance = Acceptance.available;
      const told = stage.picker.explain!(call, stage.now);
      expect(told[0]!.member.endpoint.id).toBe(stage.pick(key));
      expect(told.reduce((sum, { share = 0 }) => sum + share, 0)).toBeCloseTo(1, 9);
      stands.add(told.at(-1)!.note!);
    }
    expect(stands).toContain('warming: 17 %'); // more than 10 %, so that three of five get no more than 1.5 times their share
  });

  test('calls without a key are shared out likewise', () => {
    const stage = joined(() => ring(), 9, 1);
    const all = new Stage(ring(), [...some('old', 9), ...some('new', 1)]).shares().get('new0')!;
    const calls = stage.counts(20_000).get('new0')! / 20_000;
    expect(Math.abs(calls - all * 0.1)).toBeLessThan(0.005);
  });
});

test('a retry takes whoever is left, warming or not', () => {
  const stage = joined(roundRobin, 1, 1);
  for (let i = 0; i < 10; i++) expect(stage.pick(undefined, [stage.member('old0')])).toBe('new0');
});

test('a breaker whose state cannot be told counts as closed', () => {
  const stage = new Stage(slowStart(roundRobin), some('m', 3));
  const throwing = { state: undefined, allows: () => true };
  Object.defineProperty(throwing, 'state', {
    get() {
      throw new Error('no');
    },
  });
  Object.defineProperty(stage.member('m0'), 'breaker', { value: throwing });
  stage.now += 1000;
  expect([...stage.counts(9).values()]).toEqual([3, 3, 3]);
});
