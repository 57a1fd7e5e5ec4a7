import {
  Acceptance,
  type Balancer,
  Call,
  leastRequest,
  random,
  retry,
  ring,
  roundRobin,
} from 'fairlead/core';
import { seededRandom } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { preferZone } from '../../src/balancer/prefer-zone.ts';
import { priority } from '../../src/balancer/priority.ts';
import type { Attempt } from '../../src/model/member.ts';
import { rig, watch } from '../helpers.ts';
import { type Given, Stage, some, someKeys } from './wrapping.ts';

// The breakers of a stage move by hand only, and here nobody moves them: what is known is known from calls alone.

const group = ({ id }: { readonly id: string }): string => id.charAt(0);
const inZones = (counts: Readonly<Record<string, number>>): Given[] =>
  Object.entries(counts).flatMap(([zone, count]) => some(`${zone}-`, count, { zone }));
const zoned = (
  counts: Readonly<Record<string, number>>,
  inner: () => Balancer = () => leastRequest(),
): Stage => new Stage(preferZone(inner, { zone: 'a', overload: false }), inZones(counts));
/** Levels a and b. */
const levelled = (a: number, b: number, inner: () => Balancer = () => leastRequest()): Stage =>
  new Stage(
    priority(inner),
    [a, b].flatMap((count, i) => some(`${'ab'[i]}-`, count, { priority: i })),
  );
const shareOf = (stage: Stage, name: string): number => stage.shares(group).get(name)!;

const begin = (stage: Stage, id: string): Attempt =>
  stage.member(id).begin({ clock: stage.env.clock, observer: undefined }, stage.now);
const fail = (stage: Stage, id: string): void => {
  begin(stage, id).end('failure');
  stage.now++;
};
/** Calls one after another, each 10 ms long. Answers who was called. */
function run(stage: Stage, calls: number, fails: (id: string) => boolean, keys?: readonly string[]) {
  return Array.from({ length: calls }, (_, i) => {
    const id = stage.pick(keys?.[i % keys.length])!;
    const attempt = begin(stage, id);
    stage.now += 10;
    attempt.end(fails(id) ? 'failure' : 'success');
    return id;
  });
}

test('who failed is asked once more at once, and counts as ill when that fails, before its breaker opens', () => {
  const stage = zoned({ a: 10, b: 10, c: 10 });
  const ill = (id: string): boolean => /^a-[0-4]$/.test(id);
  // Ten find out about everybody, five more about those that failed, after the 100 ms that a count may stand.
  const called = run(stage, 30, ill);
  expect(called.filter(ill)).toHaveLength(10);
  for (let i = 0; i < 5; i++) expect(called.filter(id => id === `a-${i}`)).toHaveLength(2);
  stage.now += 100;
  // 1.25 times its fifth of those that are well, of the third of the calls that begins there.
  expect(shareOf(stage, 'a')).toBeCloseTo(0.75, 9);
  const levels = levelled(10, 10);
  run(levels, 30, ill);
  levels.now += 100;
  expect(shareOf(levels, 'a')).toBeCloseTo(0.7, 9);
});

test('where one call in a hundred fails, whoever it meets, no call leaves the zone or the level', () => {
  for (const stage of [zoned({ a: 10, b: 10 }), levelled(10, 10)]) {
    const chance = seededRandom(3);
    const called = run(stage, 6000, () => chance() < 0.01);
    expect(called.every(id => id.startsWith('a'))).toBe(true);
  }
});

test('one failure is no illness; calls that failed side by side are one failure; a success ends all doubt', () => {
  const stage = zoned({ a: 1, b: 1 });
  const share = (): number => {
    stage.now += 100;
    return shareOf(stage, 'a');
  };
  for (const attempt of Array.from({ length: 5 }, () => begin(stage, 'a-0'))) {
    stage.now++;
    attempt.end('failure');
  }
  expect(share()).toBe(1);
  const late = begin(stage, 'a-0');
  fail(stage, 'a-0');
  expect(share()).toBe(0);
  late.end('ignored');
  expect(share()).toBe(0);
  begin(stage, 'a-0').end('success');
  expect(share()).toBe(1);
  fail(stage, 'a-0');
  expect(share()).toBe(1);
});

test('a breaker that closes ends all doubt', () => {
  const stage = zoned({ a: 1, b: 1 });
  fail(stage, 'a-0');
  fail(stage, 'a-0');
  stage.out(['a-0']);
  expect(shareOf(stage, 'a')).toBe(0);
  const { breaker } = stage.member('a-0');
  breaker.begin = () => Object.assign(breaker, { state: 'closed' });
  begin(stage, 'a-0');
  expect(shareOf(stage, 'a')).toBe(1);
});

test.each([
  ['zone', () => zoned({ a: 2, b: 2 })],
  ['level', () => levelled(2, 2)],
])('a %s that was given up is asked after rests that double, and taken up once it is well', (_, make) => {
  const stage = make();
  const ill = (id: string): boolean => id.startsWith('a');
  run(stage, 20, ill); // known and given up by then
  // Rests of about 1, 1, 2, 4, 8, 16, 30 and 30 seconds in a hundred, for each of two.
  expect(run(stage, 10_000, ill).filter(ill)).toHaveLength(2 * 8);
  const again = run(stage, 3000, () => false);
  expect(again.slice(-100).every(ill)).toBe(true);
});

describe('to find out about who failed is not for', () => {
  const doubted = (inner?: () => Balancer): Stage => {
    const stage = zoned({ a: 3, b: 3 }, inner);
    run(stage, 20, () => false);
    fail(stage, 'a-0');
    stage.now += 100;
    return stage;
  };
  const asked = (stage: Stage, call: Call, acceptance: Acceptance = Acceptance.available): boolean => {
    call.acceptance = acceptance;
    return stage.picker(call, stage.now)?.endpoint.id === 'a-0';
  };

  test('calls that must not be repeated, unless it has failed twice', () => {
    const stage = doubted();
    expect(asked(stage, new Call({ repeatable: false }))).toBe(false);
    stage.now += 100;
    expect(asked(stage, new Call({ repeatable: 'unsent' }))).toBe(true);
    fail(stage, 'a-0');
    stage.now += 998;
    expect(asked(stage, new Call())).toBe(false);
    stage.now += 100;
    expect(asked(stage, new Call({ repeatable: false }))).toBe(true);
  });

  test('calls that have failed before, or that are made in panic', () => {
    const stage = doubted();
    const again = new Call();
    again.tried = [stage.member('a-1')];
    expect(asked(stage, again, Acceptance.untried)).toBe(false);
    expect(asked(stage, new Call(), Acceptance.any)).toBe(false);
    expect(asked(stage, new Call())).toBe(true);
  });

  test('a second call while one is there', () => {
    const stage = doubted();
    const first = begin(stage, stage.pick()!);
    expect(first.member.endpoint.id).toBe('a-0');
    for (let i = 0; i < 5; i++) {
      expect(asked(stage, new Call())).toBe(false);
      stage.now += 100;
    }
    first.end('ignored'); // it told nothing
    stage.now += 100;
    expect(asked(stage, new Call())).toBe(true);
  });

  test('anybody while it asks to be left alone, or is out', () => {
    const stage = doubted();
    stage.member('a-0').coolUntil = stage.now + 5000;
    for (let i = 0; i < 49; i++) {
      expect(asked(stage, new Call())).toBe(false);
      stage.now += 100;
    }
    stage.now += 100;
    expect(asked(stage, new Call())).toBe(true);
    stage.out(['a-0']);
    expect(asked(stage, new Call())).toBe(false);
  });

  test('keys that are at home elsewhere, as long as the zone gets calls at all', () => {
    const keys = someKeys(60);
    const stage = zoned({ a: 3, b: 3 }, () => ring());
    const before = stage.places(keys);
    fail(stage, 'a-0');
    stage.now += 100;
    expect(stage.places(keys)).toEqual(before);
    for (let i = 0; i < 2; i++) for (const id of ['a-0', 'a-1', 'a-2']) fail(stage, id);
    stage.now += 100;
    expect(new Set(stage.places(keys).map(id => id!.charAt(0)))).toEqual(new Set('b'));
    stage.now += 2000;
    expect(stage.pick(keys[0])).toMatch(/^a/);
  });
});

test('whoever was ill, and however long, all calls come home once everybody is well', () => {
  const inners: readonly (() => Balancer)[] = [
    () => leastRequest(),
    roundRobin,
    random,
    () => ring({ points: 8 }),
  ];
  const phases = fc.array(fc.record({ ill: fc.array(fc.nat(5)), calls: fc.integer({ min: 1, max: 300 }) }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(fc.constantFrom(...inners), fc.boolean(), phases, (inner, byZone, past) => {
      const stage = byZone ? zoned({ a: 3, b: 3 }, inner) : levelled(3, 3, inner);
      const keys = someKeys(100);
      const numbers = new Map(stage.of.map(({ endpoint }, i) => [endpoint.id, i]));
      for (const { ill, calls } of past) run(stage, calls, id => ill.includes(numbers.get(id)!), keys);
      // Nobody has been failing for longer than that, and so nobody rests for longer, but for a second at the least.
      const longest = Math.max(
        1000,
        past.reduce((ms, { calls }) => ms + 10 * calls, 0),
      );
      run(stage, longest / 10 + 50, () => false, keys);
      expect(shareOf(stage, 'a')).toBe(1);
    }),
    { numRuns: 30 },
  );
});

describe('all of the own zone, or of the first level, are down, and nobody knows yet', () => {
  test.each([
    ['preferZone', preferZone(leastRequest, { zone: 'a' })],
    ['preferZone, round robin', preferZone(roundRobin, { zone: 'a' })],
    ['preferZone, by keys', preferZone(ring, { zone: 'a' })],
    ['priority', priority(leastRequest)],
    ['priority, by keys', priority(ring)],
  ])('%s: no call of three attempts fails, for the third is made elsewhere', async (_, balancer) => {
    const set = ['a', 'b'].flatMap((zone, priority) =>
      [1, 2, 3, 4, 5].map(i => ({ id: `${zone}${i}`, host: 'localhost', port: i, zone, priority })),
    );
    const { client, clock } = rig(set, { balancer, policies: [retry()] });
    await clock.advance(0);
    const task = async ({ id }: { readonly id: string }): Promise<string> => {
      if (id.startsWith('a')) throw new Error(`${id} is down`);
      return id;
    };
    for (let i = 0; i < 100; i++) {
      const call = watch(client.run(task, { key: `key ${i}` }));
      await clock.advance(20);
      expect(call.value).toMatch(/^b/);
    }
    await client.close();
  });
});
