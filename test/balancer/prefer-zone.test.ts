import {
  Acceptance,
  type Balancer,
  Call,
  type Endpoint,
  inFlight,
  type Load,
  leastRequest,
  random,
  ring,
  roundRobin,
} from 'fairlead/core';
import { seededRandom } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PreferZoneOptions, preferZone } from '../../src/balancer/prefer-zone.ts';
import { same } from '../in-loops.ts';
import { type Given, ids, Stage, type Switch, some, someKeys } from './wrapping.ts';

const zone = ({ zone }: Endpoint): string | undefined => zone;
const inZones = (counts: Readonly<Record<string, number>>): Given[] =>
  Object.entries(counts).flatMap(([zone, count]) => some(`${zone}-`, count, { zone }));
const here = (
  given: readonly Given[],
  options: Partial<PreferZoneOptions> = {},
  inner: () => Balancer = random,
) => new Stage(preferZone(inner, { zone: 'a', ...options }), given);

/** Zones of members with weights, some of them ill. */
const zones = fc
  .array(
    fc.array(fc.record({ weight: fc.constantFrom(1, 1, 2, 5, 0.1), ill: fc.boolean() }), {
      minLength: 1,
      maxLength: 8,
    }),
    { minLength: 2, maxLength: 4 },
  )
  .map(all =>
    all.map((members, z) =>
      members.map(({ weight, ill }, i) => ({ id: `${'abcd'[z]}-${i}`, zone: 'abcd'[z]!, weight, ill })),
    ),
  );

test('while all are well no call and no key leaves the zone, however unequal the zones', () => {
  fc.assert(
    fc.property(zones, all => {
      for (const inner of [random, () => ring({ points: 4 })]) {
        const stage = here(all.flat(), { ceiling: 1 }, inner);
        for (const key of [undefined, undefined, ...someKeys(20)]) same(stage.pick(key)?.[0], 'a');
      }
    }),
  );
});

test('whoever is ill, no zone is called for more than its capacity times the ceiling', () => {
  const ceilings = fc.constantFrom(1, 1.1, 1.25, 2);
  fc.assert(
    fc.property(zones, ceilings, (all, ceiling) => {
      const members = all.flat();
      fc.pre(members.some(({ ill }) => !ill));
      const weigh = (of: readonly { readonly weight: number }[]): number =>
        of.reduce((sum, { weight }) => sum + weight, 0);
      const load = new Map<unknown, number>();
      for (const each of all) {
        const stage = here(members, { zone: each[0]!.zone, ceiling });
        stage.out(ids(members.filter(({ ill }) => ill)));
        for (const [name, share] of stage.shares(zone))
          load.set(name, (load.get(name) ?? 0) + (share * weigh(each)) / weigh(members));
      }
      const well = members.filter(({ ill }) => !ill);
      for (const each of all) {
        const able = weigh(each.filter(({ ill }) => !ill)) / weigh(well);
        expect(load.get(each[0]!.zone)).toBeLessThanOrEqual(ceiling * able + 1e-6);
      }
    }),
  );
});

test('the share that stays falls by no more than it must with each member that falls ill, and keys only leave', () => {
  const stage = here(inZones({ a: 10, b: 10, c: 10 }), {}, () => ring({ points: 16 }));
  const keys = someKeys(400);
  let before = stage.places(keys);
  for (let n = 1; n <= 10; n++) {
    stage.out(ids(some('a-', n)));
    // Of what is well it has (10 - n) / (30 - n); a third of the calls begin here.
    const stays = Math.min(1, (1.25 * 3 * (10 - n)) / (30 - n));
    expect(stage.shares(zone).get('a')).toBeCloseTo(stays, 9);
    const after = stage.places(keys);
    for (const [i, to] of after.entries())
      if (before[i]!.startsWith('a') ? to!.startsWith('a') && to !== before[i] : to !== before[i])
        expect([before[i], to]).toEqual([`a-${n - 1}`, expect.stringMatching(/^a/)]);
    before = after;
  }
  expect(before.some(id => id!.startsWith('a'))).toBe(false);
});

test('the calls go where the explanation says', () => {
  const stage = here(inZones({ a: 4, b: 4, c: 8 }));
  stage.out(['a-0', 'a-1', 'b-0']);
  const shares = stage.shares(zone);
  const counts = stage.counts(20_000);
  for (const [name, share] of shares) {
    const got = [...counts]
      .filter(([id]) => id.startsWith(name as string))
      .reduce((sum, [, n]) => sum + n, 0);
    expect(Math.abs(got / 20_000 - share)).toBeLessThan(0.0177); // five standard deviations of at most 0.0035
  }
});

describe('who calls from where', () => {
  test('is as before for ten minutes when servers vanish from discovery', () => {
    const stage = here(inZones({ a: 10, b: 10, c: 10 }));
    stage.now += 3_600_000;
    const left = inZones({ a: 5, b: 10, c: 10 });
    stage.set(left);
    // A third of the calls begin where there is a fifth of the weight.
    expect(stage.shares(zone).get('a')).toBeCloseTo((1.25 * 0.2) / (1 / 3), 9);
    stage.now += 599_999;
    expect(stage.shares(zone).get('a')).toBeCloseTo(0.75, 9);
    stage.now += 100;
    expect(stage.shares(zone).get('a')).toBe(1);
  });

  test('is as before when the whole zone vanishes: those who have to spare take its calls', () => {
    const stage = here(inZones({ a: 10, b: 10, c: 10 }));
    stage.set(inZones({ b: 10, c: 2 }));
    // b: 1.25 × 10/12 - 1/3, c: 1.25 × 2/12 - 1/3, which is less than nothing.
    expect(Object.fromEntries(stage.shares(zone))).toEqual({ b: 1, c: 0 });
    expect(stage.pick()).toMatch(/^b/);
    stage.now += 600_001;
    stage.set(inZones({ b: 10, c: 2 }));
    expect(stage.shares(zone).get('c')).toBeCloseTo(1 / 6, 9);
  });

  test('is forgotten at once with a memory of 0', () => {
    const stage = here(inZones({ a: 10, b: 10 }), { memory: 0 });
    stage.now += 1;
    stage.set(inZones({ a: 1, b: 10 }));
    expect(stage.shares(zone).get('a')).toBe(1);
  });

  test('may be told', () => {
    const share = (origin: number): number | undefined =>
      here(inZones({ a: 1, b: 3 }), { origin })
        .shares(zone)
        .get('a');
    expect(share(0)).toBe(1);
    expect(share(0.25)).toBe(1);
    expect(share(0.5)).toBeCloseTo((1.25 * 0.25) / 0.5, 9);
    expect(share(1)).toBeCloseTo(1.25 * 0.25, 9);
  });
});

test('where nobody is in the own zone, or all are, the balancer sees all members as one set', () => {
  for (const set of [inZones({ b: 2, c: 6 }), inZones({ a: 8 }), some('x', 8)]) {
    const stage = here(set, {}, () => roundRobin());
    expect(new Set(stage.places(someKeys(8)))).toEqual(new Set(ids(set)));
  }
});

test('members without a zone are elsewhere', () => {
  const stage = here([...inZones({ a: 1, b: 1 }), { id: 'nowhere' }]);
  expect(stage.shares().get('nowhere')).toBe(0);
  stage.out(['a-0', 'b-0']);
  expect(stage.pick()).toBe('nowhere');
});

test('a retry leaves a zone whose members have all been tried, for those that have to spare', () => {
  const stage = here(inZones({ a: 1, b: 2, c: 2 }));
  const tried = [stage.member('a-0')];
  expect(Object.fromEntries(stage.shares(zone, { tried, acceptance: Acceptance.untried }))).toEqual({
    a: 0,
    b: expect.closeTo(0.5, 9),
    c: expect.closeTo(0.5, 9),
  });
  const zonesCalled = new Set(someKeys(40).map(() => stage.picked(undefined, tried)?.endpoint.zone));
  expect(zonesCalled).toEqual(new Set(['b', 'c']));
});

test('in panic the breakers do not count', () => {
  const stage = here(inZones({ a: 4, b: 4 }));
  stage.out(ids(some('a-', 4)));
  expect(stage.shares(zone).get('a')).toBe(0);
  expect(stage.shares(zone, { acceptance: Acceptance.any }).get('a')).toBe(1);
  for (let i = 0; i < 20; i++) expect(stage.picked(undefined, [], Acceptance.any)?.endpoint.zone).toBe('a');
});

test('a zone that was given up is called again once a breaker of its waits for that', () => {
  const stage = here(inZones({ a: 2, b: 2 }));
  stage.out(ids(some('a-', 2)));
  for (let i = 0; i < 20; i++) expect(stage.pick()).toMatch(/^b/);
  (stage.member('a-1').breaker as Switch).due = true;
  stage.now += 100;
  expect(stage.pick()).toBe('a-1');
  for (let i = 0; i < 20; i++) expect(stage.pick()).toMatch(/^b/);
});

describe('a zone that is told by a function', () => {
  test('is taken up within 100 ms once it is known, and given up when it changes', () => {
    let own: string | undefined;
    const stage = here(inZones({ a: 4, b: 4 }), { zone: () => own }, roundRobin);
    const called = (): Set<string> => new Set(someKeys(16).map(() => stage.pick()!.charAt(0)));
    expect(called()).toEqual(new Set('ab'));
    own = 'b';
    expect(called()).toEqual(new Set('ab'));
    stage.now += 100;
    expect(called()).toEqual(new Set('b'));
    own = 'a';
    stage.now += 100;
    expect(called()).toEqual(new Set('a'));
  });

  const NONSENSE: readonly (readonly [string, () => unknown])[] = [
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['answers a promise that rejects', () => Promise.reject(new Error('no'))],
    ['answers a number', () => Number.NaN],
    ['answers an empty string', () => ''],
    ['answers null', () => null],
    ['answers a zone that nobody is in', () => 'nowhere'],
  ];
  test.each(NONSENSE)('and %s is not known: all members are one set', async (_, tell) => {
    const stage = here(inZones({ a: 2, b: 2 }), { zone: tell as () => string }, roundRobin);
    for (let i = 0; i < 3; i++) {
      expect(new Set(someKeys(4).map(() => stage.pick()))).toHaveLength(4);
      stage.now += 100;
    }
    await Promise.resolve(); // a rejection that nobody handles would fail the run
  });

  test('is kept as it was if the balancer refuses the new arrangement', () => {
    let own = 'a';
    let refuse = false;
    const stage = here(inZones({ a: 2, b: 2 }), { zone: () => own }, () => {
      const balancer = roundRobin();
      return {
        ...balancer,
        picker(members, env) {
          if (refuse) throw new Error('no');
          return balancer.picker(members, env);
        },
      };
    });
    own = 'b';
    refuse = true;
    stage.now += 100;
    expect(stage.pick()).toMatch(/^a/);
    refuse = false;
    stage.now += 100;
    expect(stage.pick()).toMatch(/^b/);
  });
});

describe('overload', () => {
  const begin = (stage: Stage, id: string, count: number): void => {
    for (let i = 0; i < count; i++)
      stage.member(id).begin({ clock: stage.env.clock, observer: undefined }, stage.now);
  };
  const beginAll = (stage: Stage, zone: 'a' | 'b', count: number): void => {
    for (const i of [0, 1]) begin(stage, `${zone}-${i}`, count);
  };
  /** Calls that are asked for and not begun, one each 100 ms. Answers how many leave the zone. */
  const pass = (stage: Stage, seconds: number): number => {
    let left = 0;
    for (let i = 0; i < 10 * seconds; i++) {
      if (!stage.pick()!.startsWith('a')) left++;
      stage.now += 100;
    }
    return left;
  };
  const byInFlight = (): Balancer => leastRequest({ load: inFlight() });
  /** Two members in each zone; it is known what is usual: so many in flight at each of the own ones. */
  const busy = (usual: number, options: Partial<PreferZoneOptions> = {}, inner = byInFlight): Stage => {
    const stage = here(inZones({ a: 2, b: 2 }), options, inner);
    beginAll(stage, 'a', usual);
    pass(stage, 70);
    return stage;
  };

  test('sends calls away that cost more than three times the usual, and than three times what one elsewhere costs', () => {
    const stage = busy(1);
    beginAll(stage, 'a', 4);
    expect(pass(stage, 20)).toBeLessThanOrEqual(4); // 6 is three times 2, not more; four find out
    beginAll(stage, 'a', 2);
    pass(stage, 3);
    expect(Object.fromEntries(stage.shares(zone))).toEqual({ a: 0, b: 1 });
    expect(pass(stage, 2)).toBe(20);
    beginAll(stage, 'b', 2);
    expect(Object.fromEntries(stage.shares(zone))).toEqual({ a: 1, b: 0 });
    expect(pass(stage, 2)).toBeLessThanOrEqual(1); // 8 is less than three times 3
  });

  test('is not what is usual: a busy client stays in its zone though all others are idle', () => {
    const stage = busy(20);
    expect(pass(stage, 100)).toBe(20); // those that find out, one in five seconds
    expect(stage.shares(zone).get('b')).toBe(0);
  });

  test('is not one call that costs much', () => {
    const stage = busy(1);
    beginAll(stage, 'a', 50);
    expect([1, 2, 3].map(() => stage.pick()!.charAt(0))).not.toContain('b');
    const other = busy(20);
    const costs = other.of.map(({ load }) => load.cost(0));
    for (const { load } of other.of) load.cost = () => 1e9;
    other.pick();
    other.of.forEach(({ load }, i) => {
      load.cost = () => costs[i]!;
    });
    expect([1, 2, 3].map(() => other.pick()!.charAt(0))).not.toContain('b');
  });

  test('from the very first is found out by what calls cost elsewhere, one by one', () => {
    const costs = { a: 100, b: 10 };
    // A member of which nothing is known costs 0; cost is per call in flight.
    const load = (zone: 'a' | 'b') => ({ cost: (count: number) => costs[zone] * (count + 1) });
    const stage = here(inZones({ a: 2, b: 2 }), {}, byInFlight);
    for (const { endpoint, load: its } of stage.of) {
      const member = stage.member(endpoint.id);
      Object.assign(its, { cost: () => load(endpoint.zone as 'a').cost(member.inFlight) });
    }
    beginAll(stage, 'a', 1);
    expect(pass(stage, 34)).toBeLessThanOrEqual(8);
    pass(stage, 10);
    expect(pass(stage, 10)).toBe(100);
    // Twice three times is the bound.
    costs.a = 59;
    pass(stage, 10);
    expect(pass(stage, 10)).toBeLessThanOrEqual(2);
  });

  test('sends nobody to a member that is ill', () => {
    const stage = busy(1);
    beginAll(stage, 'a', 50);
    for (const id of ['b-0', 'b-1']) {
      const breaker = stage.member(id).breaker as Switch;
      breaker.state = 'half-open';
      breaker.due = true;
    }
    // Each 100 ms one finds out if they are well again; of several calls at once only the first.
    for (let i = 0; i < 100; i++) {
      stage.pick();
      expect(stage.pick()).toMatch(/^a/);
      stage.now += 100;
    }
  });

  test('is nothing to balancers that go by keys, to those without a load, and when it is turned off', () => {
    const stages = [
      busy(1, { overload: false }),
      busy(1, {}, () => ring({ boundedLoad: 1.5 })),
      busy(1, {}, roundRobin),
    ];
    for (const stage of stages) {
      beginAll(stage, 'a', 50);
      for (let i = 0; i < 100; i++) {
        expect(stage.pick(`key ${i}`)).toMatch(/^a/);
        stage.now += 1000;
      }
    }
  });

  test('is nothing to an idle member', () => {
    const stage = here(inZones({ a: 2, b: 2 }), {}, byInFlight);
    expect(pass(stage, 100)).toBe(0);
  });

  test('does not go by costs that are no numbers or say nothing, and forgets a dear start', () => {
    let cost = 0;
    const load = (): Load => ({ begin() {}, end() {}, cost: () => cost });
    const stage = here(inZones({ a: 1, b: 1 }), {}, () => leastRequest({ load }));
    begin(stage, 'a-0', 1);
    stage.member('b-0').load.cost = () => 5;
    for (const [each, seconds] of [
      [0, 10],
      [1e9, 1],
      [Number.NaN, 10],
      [Number.POSITIVE_INFINITY, 10],
      [10, 80],
    ] as const) {
      cost = each;
      pass(stage, seconds);
    }
    cost = 29;
    expect(pass(stage, 20)).toBeLessThanOrEqual(4);
    cost = 40; // what is usual has come to 10.3 in the meantime
    pass(stage, 10);
    expect(pass(stage, 10)).toBe(100);
  });

  test('is at last taken for usual, after many minutes', () => {
    const stage = busy(1);
    beginAll(stage, 'a', 9);
    let minutes = 0;
    while (minutes < 60 && pass(stage, 60) > 100) minutes++;
    // From 2 it doubles every ten minutes, to a third of 11: log2(11 / 6) of ten minutes.
    expect(minutes).toBeGreaterThanOrEqual(8);
    expect(minutes).toBeLessThanOrEqual(9);
  });

  test('finds out at times of its own, so that many clients do not do so at once', () => {
    const firsts = Array.from({ length: 20 }, (_, seed) => {
      const stage = here(inZones({ a: 2, b: 2 }), {}, byInFlight);
      (stage.env as { random: () => number }).random = seededRandom(seed);
      stage.set(inZones({ a: 2, b: 2 }));
      beginAll(stage, 'a', 1);
      while (stage.pick()!.startsWith('a')) stage.now += 100;
      return stage.now;
    });
    expect(Math.max(...firsts)).toBeLessThanOrEqual(5000);
    expect(new Set(firsts.map(at => Math.floor(at / 1000))).size).toBeGreaterThanOrEqual(4);
  });
});

test('explaining a keyed call names where it would go first', () => {
  const stage = here(inZones({ a: 4, b: 4 }), {}, () => ring());
  stage.out(['a-0', 'a-1', 'a-2']);
  let away = 0;
  for (const key of someKeys(50)) {
    const call = new Call({ key });
    call.acceptance = Acceptance.available;
    const [first] = stage.picker.explain!(call, stage.now).filter(({ member }) =>
      call.accepts(member, stage.now),
    );
    expect(first!.member.endpoint.id).toBe(stage.pick(key));
    if (first!.member.endpoint.zone === 'b') {
      away++;
      expect(first!.note).toMatch(/^another zone: /);
    }
  }
  expect(away).toBeGreaterThan(0);
});
