import { type Balancer, Call, fixed, inFlight, leastRequest, Pool, ring, roundRobin } from 'fairlead/core';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drain } from '../../src/balancer/drain.ts';
import type { Inner } from '../../src/balancer/inner.ts';
import { preferZone } from '../../src/balancer/prefer-zone.ts';
import { priority } from '../../src/balancer/priority.ts';
import { slowStart } from '../../src/balancer/slow-start.ts';
import { subset } from '../../src/balancer/subset.ts';
import { endpoint, testEnv } from '../helpers.ts';
import { type Given, Stage, someKeys } from './wrapping.ts';

type Wrap = (inner: Inner) => Balancer;

const WRAPPERS: readonly (readonly [string, Wrap])[] = [
  ['priority', inner => priority(inner)],
  ['preferZone', inner => preferZone(inner, { zone: 'a' })],
  ['subset', inner => subset(inner, { size: 4, seed: 1 })],
  ['slowStart', inner => slowStart(inner)],
  ['drain', inner => drain(inner, { grace: 1000 })],
  [
    'all of them',
    inner =>
      drain(() =>
        slowStart(() => preferZone(() => priority(() => subset(inner, { size: 3, seed: 1 })), { zone: 'a' })),
      ),
  ],
];

const one = fc.record({
  n: fc.nat(30),
  zone: fc.constantFrom('a', 'b', undefined),
  priority: fc.constantFrom(0, 1),
  draining: fc.constantFrom('true', 'false', 'false'),
});
const sets = fc.uniqueArray(one, { minLength: 2, maxLength: 12, selector: ({ n }) => n }).map(all =>
  all.map(
    ({ n, zone, priority, draining }): Given => ({
      id: `m${n}`,
      priority,
      metadata: { draining },
      ...(zone && { zone }),
    }),
  ),
);

describe.each(WRAPPERS)('%s round a ring', (name, wrap) => {
  test('moves keys to a member that comes, and between no others', () => {
    fc.assert(
      fc.property(sets, given => {
        // Calls that leave a zone because all there drain go to the others by their capacity, so they may move with it.
        const [last, ...rest] =
          name === 'all of them' ? given.map(each => ({ ...each, metadata: {} })) : given;
        const stage = new Stage(
          wrap(() => ring({ points: 8 })),
          rest,
        );
        const keys = someKeys(40);
        const before = stage.places(keys);
        stage.set([...rest, last!]);
        stage.now += 60_000; // whoever is new has warmed up
        const after = stage.places(keys);
        // A level, a zone, or those who stay among draining ones may have come into being with it, or a subset be left
        // by one: then keys go from there, to it.
        after.forEach((to, i) => {
          if (to !== before[i]) {
            const left = stage.shares().get(before[i]!) === 0;
            expect(to === last!.id || left).toBe(true);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  test('places a key by the set alone, whatever came before', () => {
    fc.assert(
      fc.property(sets, sets, (one, other) => {
        const keys = someKeys(30);
        const stage = new Stage(
          wrap(() => ring({ points: 8 })),
          one,
        );
        stage.places(keys);
        stage.set(other);
        stage.now += 700_000; // nothing is new any more, and no zone's past is remembered
        stage.set(other);
        const afresh = new Stage(
          wrap(() => ring({ points: 8 })),
          other,
        );
        afresh.now = stage.now; // no grace there, either
        expect(stage.places(keys)).toEqual(afresh.places(keys));
      }),
      { numRuns: 40 },
    );
  });
});

describe.each(WRAPPERS)('%s', (_, wrap) => {
  test('heeds a condition that a balancer round it adds, and leaves it as it was', () => {
    fc.assert(
      fc.property(sets, fc.nat(12), (set, n) => {
        for (const inner of [
          roundRobin,
          () => leastRequest({ load: inFlight() }),
          () => ring({ points: 4 }),
        ]) {
          const stage = new Stage(wrap(inner), set);
          const allowed = stage.of[n % stage.of.length]!;
          const call = new Call({ key: 'any' });
          call.acceptance = 1;
          const filter = (member: unknown): boolean => member === allowed;
          call.filter = filter;
          expect(stage.picker(call, 0)).toBe(allowed);
          expect(call.filter).toBe(filter);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('lets go of the condition if the balancer within throws', () => {
    const stage = new Stage(
      wrap(() => ({
        picker: () => () => {
          throw new Error('no');
        },
      })),
      [{ id: 'x' }, { id: 'y', zone: 'a', priority: 1, metadata: { draining: 'true' } }],
    );
    const call = new Call();
    expect(() => stage.picker(call, 0)).toThrow('no');
    expect(call.filter).toBeUndefined();
  });

  test('does not explain what the balancer within does not', () => {
    const silent = (): Balancer => ({
      picker: members => (call, now) => members.find(each => call.accepts(each, now)),
    });
    const stage = new Stage(wrap(silent), [{ id: 'x' }, { id: 'y', zone: 'a', priority: 1 }]);
    expect(stage.picker.explain).toBeUndefined();
    expect(stage.pick()).toBeDefined();
  });

  test('closes all that it has made, gives out their loads, and says if they go by keys', () => {
    let open = 0;
    const load = { begin() {}, end() {}, cost: () => 1 };
    const stage = new Stage(
      wrap(() => {
        open++;
        const inner = roundRobin();
        return { ...inner, keyed: true, load: () => load, close: () => void open-- };
      }),
      [{ id: 'x' }, { id: 'y', zone: 'a' }, { id: 'z', priority: 1 }],
    );
    stage.pick();
    expect(stage.balancer.keyed).toBe(true);
    expect(stage.balancer.load!(stage.env)).toBe(load);
    stage.balancer.close!();
    expect(open).toBe(0);
  });

  test('serves a pool, which explains itself in plain data', async () => {
    const pool = new Pool({
      discovery: fixed([
        endpoint('x', { zone: 'a' }),
        endpoint('y', { zone: 'b', priority: 1 }),
        endpoint('z', { metadata: { draining: 'true' } }),
      ]),
      balancer: wrap(() => leastRequest()),
      env: testEnv(),
    });
    await settled();
    const explanation = pool.explain(new Call());
    expect(JSON.parse(JSON.stringify(explanation)).members).toHaveLength(3);
    const picked = pool.pick(new Call()).endpoint.id;
    expect(explanation.members.find(({ id }) => id === picked)!.share).toBeGreaterThan(0);
    pool.close();
  });
});

const NO_FUNCTIONS = [undefined, null, 5, 'x', {}, roundRobin()];
const NO_NUMBERS = [Number.NaN, null, '1', {}, true];
const BAD: readonly (readonly [string, (value: never) => unknown, readonly unknown[]])[] = [
  ['priority inner', inner => priority(inner), NO_FUNCTIONS],
  ['priority inner picker', made => priority(() => made), [undefined, null, 5, {}, roundRobin]],
  ['priority inner load', load => priority(() => ({ ...roundRobin(), load })), [null, 5, {}]],
  [
    'priority overprovisioning',
    o => priority(roundRobin, { overprovisioning: o }),
    [...NO_NUMBERS, 0.9, Infinity],
  ],
  ['preferZone inner', inner => preferZone(inner, { zone: 'a' }), NO_FUNCTIONS],
  ['preferZone zone', zone => preferZone(roundRobin, { zone }), [undefined, null, '', 5, {}]],
  ['preferZone zone', options => preferZone(roundRobin, options), [{}]],
  ['preferZone options', options => preferZone(roundRobin, options), [undefined, null, 'a']],
  [
    'preferZone ceiling',
    ceiling => preferZone(roundRobin, { zone: 'a', ceiling }),
    [...NO_NUMBERS, 0.9, Infinity],
  ],
  ['preferZone origin', origin => preferZone(roundRobin, { zone: 'a', origin }), [...NO_NUMBERS, -0.1, 1.1]],
  ['preferZone overload', overload => preferZone(roundRobin, { zone: 'a', overload }), [...NO_NUMBERS, 0.9]],
  ['preferZone memory', memory => preferZone(roundRobin, { zone: 'a', memory }), [...NO_NUMBERS, -1]],
  ['subset inner', inner => subset(inner), NO_FUNCTIONS],
  ['subset size', size => subset(roundRobin, { size }), [...NO_NUMBERS, 0, -1, 2.5]],
  ['subset seed', seed => subset(roundRobin, { seed }), [...NO_NUMBERS, -1, 0.5, 2 ** 32]],
  ['subset client', client => subset(roundRobin, { client }), [null, 5, '1 of 3']],
  [
    'subset client of',
    of => subset(roundRobin, { client: { index: 0, of } }),
    [...NO_NUMBERS, 0, 1.5, Infinity],
  ],
  [
    'subset client index',
    index => subset(roundRobin, { client: { index, of: 3 } }),
    [...NO_NUMBERS, -1, 3, 0.5],
  ],
  ['slowStart inner', inner => slowStart(inner), NO_FUNCTIONS],
  ['slowStart window', window => slowStart(roundRobin, { window }), [...NO_NUMBERS, -1]],
  ['slowStart minShare', minShare => slowStart(roundRobin, { minShare }), [...NO_NUMBERS, -0.1, 1.1]],
  ['slowStart aggression', aggression => slowStart(roundRobin, { aggression }), [...NO_NUMBERS, 0, -1]],
  ['slowStart recovered', recovered => slowStart(roundRobin, { recovered }), [null, 0, 'yes']],
  ['drain inner', inner => drain(inner), NO_FUNCTIONS],
  ['drain draining', draining => drain(roundRobin, { draining }), [null, 5, 'x', true]],
  ['drain grace', grace => drain(roundRobin, { grace }), [...NO_NUMBERS, -1]],
];

test.each(BAD)('%s is checked when given, by an error that names it', (name, give, values) => {
  for (const value of values) {
    let error: unknown;
    try {
      give(value as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(
      typeof value === 'number' && !/inner|zone$|client$|draining|recovered/.test(name)
        ? RangeError
        : TypeError,
    );
    expect((error as Error).message).toContain(`${name} is `);
  }
});
