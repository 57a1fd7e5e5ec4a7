import { Acceptance, Call, type Endpoint, leastRequest, ring, roundRobin } from 'fairlead/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DrainOptions, drain } from '../../src/balancer/drain.ts';
import { ids, Stage, some, someKeys } from './wrapping.ts';

const DRAINING = { metadata: { draining: 'true' } };
const mixed = (live: number, draining: number) => [...some('m', live), ...some('d', draining, DRAINING)];

test('members that drain get no calls, by their metadata or by what is asked', () => {
  const byPort = { draining: ({ port }: Endpoint) => port === 81 };
  for (const stage of [
    new Stage(drain(roundRobin), mixed(3, 2)),
    new Stage(drain(roundRobin, byPort), [...some('m', 3), ...some('d', 2, { port: 81 })]),
  ])
    expect([...stage.counts(9)]).toEqual([
      ['d0', 0],
      ['d1', 0],
      ['m0', 3],
      ['m1', 3],
      ['m2', 3],
    ]);
});

test('metadata that says anything else drains nobody', () => {
  const stage = new Stage(drain(roundRobin), [
    { id: 'a', metadata: { draining: 'false' } },
    { id: 'b', metadata: {} },
    { id: 'c', metadata: { draining: 'TRUE' } },
  ]);
  expect([...stage.counts(3).values()]).toEqual([1, 1, 1]);
});

const NONSENSE: readonly (readonly [string, () => unknown])[] = [
  [
    'throws',
    () => {
      throw new Error('no');
    },
  ],
  ['answers a promise', () => Promise.resolve(true)],
  ['answers a promise that rejects', () => Promise.reject(new Error('no'))],
  ['answers a text', () => 'true'],
  ['answers a number', () => 1],
  ['answers nothing', () => undefined],
];
test.each(NONSENSE)('a function that %s for a member says that it does not drain', async (_, answer) => {
  const draining = ({ id }: Endpoint) => (id === 'c' ? true : answer()) as boolean;
  const stage = new Stage(drain(roundRobin, { draining }), [{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
  expect([...stage.counts(4).values()]).toEqual([2, 2, 0]);
  await Promise.resolve(); // a rejection that nobody handles would fail the run
});

test('if all drain, nobody does', () => {
  const stage = new Stage(drain(roundRobin), mixed(0, 4));
  expect([...stage.counts(8).values()]).toEqual([2, 2, 2, 2]);
});

test('draining members are called when all others are refused or tried, before panic', () => {
  const stage = new Stage(drain(roundRobin), mixed(2, 2));
  expect(stage.pick(undefined, [stage.member('m0'), stage.member('m1')])).toMatch(/^d/);
  expect(stage.pick(undefined, [stage.member('m0'), stage.member('d0')])).toBe('m1');
  stage.out(['m0', 'm1']);
  expect(new Set([stage.pick(), stage.pick()])).toEqual(new Set(['d0', 'd1']));
  expect(stage.notes()[0]).toMatch(/^d\d: draining, but nobody else is acceptable$/);
  // In panic those that stay come first again: their breakers are not believed.
  for (let i = 0; i < 4; i++)
    expect(stage.picked(undefined, [], Acceptance.untriedInPanic)?.endpoint.id).toMatch(/^m/);
});

test('with a balancer that goes by keys only the keys of draining members move, as if these were gone', () => {
  fc.assert(
    fc.property(fc.subarray(ids(some('m', 6)), { maxLength: 5 }), gone => {
      const stage = new Stage(
        drain(() => ring({ points: 16 })),
        some('m', 6),
      );
      const keys = someKeys(60);
      const before = stage.places(keys);
      stage.set(some('m', 6).map(each => (gone.includes(each.id) ? { ...each, ...DRAINING } : each)));
      const after = stage.places(keys);
      after.forEach((to, i) => {
        if (gone.includes(before[i]!)) expect(gone).not.toContain(to);
        else expect(to).toBe(before[i]);
      });
      const without = new Stage(
        ring({ points: 16 }),
        some('m', 6).filter(({ id }) => !gone.includes(id)),
      );
      expect(after).toEqual(without.places(keys));
    }),
    { numRuns: 30 },
  );
});

describe('during its grace', () => {
  const keys = someKeys(200);
  const graced = (options: DrainOptions = { grace: 1000 }) => {
    const stage = new Stage(
      drain(() => ring({ points: 16 }), options),
      some('m', 4),
    );
    const before = stage.places(keys);
    const drained = some('m', 4).map(each => (each.id === 'm1' ? { ...each, ...DRAINING } : each));
    stage.now = 50;
    stage.set(drained);
    return { stage, before, drained };
  };

  test('a draining member keeps its keys, and then loses them', () => {
    const { stage, before } = graced();
    expect(stage.places(keys)).toEqual(before);
    stage.now = 1049;
    expect(stage.places(keys)).toEqual(before);
    stage.now = 1050;
    const after = stage.places(keys);
    expect(after).not.toContain('m1');
    after.forEach((to, i) => {
      if (before[i] !== 'm1') expect(to).toBe(before[i]);
    });
  });

  test('it gets no other calls: it stands in for nobody, and those without a key go elsewhere', () => {
    const { stage, before } = graced();
    stage.out(['m0']);
    stage.now = 60;
    keys.forEach((key, i) => {
      if (before[i] !== 'm1') expect(stage.pick(key)).not.toBe('m1');
    });
    expect(stage.counts(100).get('m1')).toBe(0);
  });

  test('it is left by a retry, and when its breaker opens', () => {
    const { stage, before } = graced();
    const key = keys[before.indexOf('m1')]!;
    expect(stage.pick(key)).toBe('m1');
    expect(stage.pick(key, [stage.member('m1')])).toMatch(/^m[023]$/);
    stage.out(['m1']);
    stage.now = 60;
    expect(stage.pick(key)).toMatch(/^m[023]$/);
  });

  test('it is not prolonged by sets that say so again, but begins anew after it was taken back', () => {
    const { stage, before, drained } = graced();
    stage.now = 900;
    stage.set(drained);
    stage.now = 1050;
    expect(stage.places(keys)).not.toContain('m1');
    stage.set(some('m', 4));
    expect(stage.places(keys)).toEqual(before);
    stage.set(drained);
    stage.now = 2049;
    expect(stage.places(keys)).toEqual(before);
  });

  test('a call’s round and condition are the same afterwards, even if the balancer throws', () => {
    const { stage } = graced();
    const call = new Call({ key: 'any' });
    call.acceptance = Acceptance.available;
    const filter = () => true;
    call.filter = filter;
    stage.picker(call, stage.now);
    expect([call.acceptance, call.filter]).toEqual([Acceptance.available, filter]);
    const throwing = new Stage(
      drain(
        () => ({
          keyed: true,
          picker: () => () => {
            throw new Error('no');
          },
        }),
        { grace: 1000 },
      ),
      mixed(1, 1),
    );
    expect(() => throwing.picker(call, 0)).toThrow('no');
    expect([call.acceptance, call.filter]).toEqual([Acceptance.available, filter]);
  });

  test('is nothing to balancers that do not go by keys', () => {
    const stage = new Stage(
      drain(() => leastRequest(), { grace: 1000 }),
      mixed(2, 1),
    );
    expect(stage.counts(100, i => `key ${i}`).get('d0')).toBe(0);
  });

  test('the explanation says so', () => {
    const { stage, before } = graced();
    const [mine, other] = [keys[before.indexOf('m1')]!, keys[before.indexOf('m0')]!];
    expect(stage.notes(mine)[0]).toBe('m1: draining: keeps its keys for 1000 ms');
    expect(stage.notes(other)[0]).toBe('m0: the owner');
    expect(stage.notes(other).at(-1)).toBe('m1: draining: keeps its keys for 1000 ms');
    stage.now = 1050;
    expect(stage.notes(mine).at(-1)).toBe('m1: draining');
    expect(stage.shares().get('m1')).toBe(0);
  });
});
