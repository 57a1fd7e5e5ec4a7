import * as root from 'fairlead';
import {
  alwaysClosed,
  anyError,
  anyOf,
  type Balancer,
  consecutiveFailures,
  createClient,
  createLoadRecorder,
  createRegistry,
  createRing,
  type Discovery,
  drain,
  type Env,
  failureRate,
  fixed,
  gradient,
  type HealthChange,
  healthChecks,
  hedge,
  leastRequest,
  limit,
  merge,
  outliers,
  Pool,
  p2c,
  peakEwma,
  poll,
  preferZone,
  prequal,
  priority,
  random,
  retry,
  retryBudget,
  ring,
  roundRobin,
  serviceBreaker,
  slowStart,
  smoothWeighted,
  subset,
  systemEnv,
  throttle,
  timeout,
  utilizationRoundRobin,
  weightedRoundRobin,
  xxh32,
} from 'fairlead/core';
import {
  envoyMaglev,
  envoyRing,
  grpcRing,
  haproxyRing,
  libmemcachedRing,
  nginxRing,
  twemproxyRing,
} from 'fairlead/dialects';
import { dns } from 'fairlead/dns';
import { tcpCheck } from 'fairlead/tcp';
import { settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { HashRing } from '../src/balancer/hash-ring.ts';
import { jump } from '../src/balancer/jump.ts';
import { jumpHash } from '../src/balancer/jump-hash.ts';
import { maglev } from '../src/balancer/maglev.ts';
import { createMaglev } from '../src/balancer/maglev-table.ts';
import { createRendezvous, rendezvous } from '../src/balancer/rendezvous.ts';
import { shown } from '../src/base/errors.ts';
import { anyCall, endpoint, endpoints, member, rig, testEnv, watch } from './helpers.ts';

const NO_NUMBERS = [null, '5', true, {}, [], Number.NaN];
const NO_FUNCTIONS = [null, 'f', 5, {}, true];

const discovery = fixed([endpoint('a')]);
const balancer = roundRobin();

/** What an option is called in the error, how it is given, and what it must not be. */
const OPTIONS: readonly (readonly [string, (value: never) => unknown, readonly unknown[]])[] = [
  ['ring points', points => ring({ points }), [...NO_NUMBERS, 0, -1, 1.5, Infinity, 2 ** 23 + 1]],
  ['ring hash', hash => ring({ hash }), NO_FUNCTIONS],
  ['ring points', points => createRing([], { points }), [0, '160']],
  ['ring member id', id => createRing([{ id }]), [null, undefined, '', 5, {}]],
  ['ring member id', id => createRing().add(id), [null, undefined, '', 5, {}]],
  ['ring weight of "a"', weight => createRing([{ id: 'a', weight }]), [...NO_NUMBERS, 0, -1, Infinity]],
  ['ring weight of "a"', weight => createRing().add('a', weight), [...NO_NUMBERS, 0, -1, Infinity]],
  ['ring getN', n => createRing(['a']).getN('key', n), [...NO_NUMBERS, -1]],
  ['ring boundedLoad', boundedLoad => ring({ boundedLoad }), [...NO_NUMBERS, 1, 0, -2, Infinity]],
  ['ring overflow', overflow => ring({ overflow }), [null, 'leap', 5, true]],
  ['maglev size', size => maglev({ size }), [...NO_NUMBERS, 0, 1, -7, 7.5, 65_536, 257 * 257, 5_000_081]],
  ['maglev size', size => createMaglev(['a'], { size }), [65_536, '65537']],
  ['maglev hash', hash => maglev({ hash }), NO_FUNCTIONS],
  ['maglev boundedLoad', boundedLoad => maglev({ boundedLoad }), [...NO_NUMBERS, 1, Infinity]],
  ['maglev member id', id => createMaglev([{ id }]), [null, undefined, '', 5, {}]],
  ['maglev weight of "a"', weight => createMaglev([{ id: 'a', weight }]), [...NO_NUMBERS, 0, -1, Infinity]],
  ['maglev getN', n => createMaglev(['a']).getN('key', n), [...NO_NUMBERS, -1]],
  ['key', key => createMaglev(['a']).get(key), [null, undefined, 5, {}]],
  ['rendezvous hash', hash => rendezvous({ hash }), [...NO_FUNCTIONS.slice(1)]],
  ['rendezvous hash', hash => createRendezvous([], { hash }), NO_FUNCTIONS],
  ['rendezvous boundedLoad', boundedLoad => rendezvous({ boundedLoad }), [...NO_NUMBERS, 1, Infinity]],
  ['rendezvous member id', id => createRendezvous([{ id }]), [null, undefined, '', 5, {}]],
  ['rendezvous weight of "a"', weight => createRendezvous([{ id: 'a', weight }]), [...NO_NUMBERS, 0, -1]],
  ['rendezvous getN', n => createRendezvous(['a']).getN('key', n), [...NO_NUMBERS, -1]],
  ['key', key => createRendezvous(['a']).getN(key, 2), [null, undefined, 5, {}]],
  ['jump shard', shard => jump({ shard }), NO_FUNCTIONS],
  ['jump replicas', replicas => jump({ replicas }), NO_FUNCTIONS],
  ['jump replicas', made => jump({ replicas: () => made }), [null, undefined, 5, {}]],
  ['jump hash', hash => jump({ hash }), NO_FUNCTIONS],
  ['jumpHash shards', shards => jumpHash('key', shards), [...NO_NUMBERS, 0, -1, 1.5, 2 ** 31]],
  ['jumpHash key', key => jumpHash(key, 5), [null, undefined, {}, -1, 1.5, 2 ** 53, Number.NaN]],
  ['leastRequest scan', scan => leastRequest({ scan }), [...NO_NUMBERS, -1]],
  ['leastRequest choices', choices => leastRequest({ choices }), [...NO_NUMBERS, 1, 2.5, 1001]],
  ['leastRequest load', load => leastRequest({ load }), NO_FUNCTIONS],
  ['p2c load', load => p2c({ load }), NO_FUNCTIONS],
  ['peakEwma decay', decay => peakEwma({ decay }), [...NO_NUMBERS, 0, -1]],
  ['peakEwma failurePenalty', failurePenalty => peakEwma({ failurePenalty }), [...NO_NUMBERS, 0.9, -1]],
  ['peakEwma failureHalfLife', failureHalfLife => peakEwma({ failureHalfLife }), [...NO_NUMBERS, 0, -1]],
  ['outliers consecutive', consecutive => outliers({ consecutive }), [...NO_NUMBERS, 0]],
  ['outliers failureShare', failureShare => outliers({ failureShare }), [...NO_NUMBERS, 0, -1]],
  ['outliers deviations', deviations => outliers({ deviations }), [...NO_NUMBERS, -1]],
  ['outliers worseBy', worseBy => outliers({ worseBy }), [...NO_NUMBERS, -0.1, 1.1]],
  ['outliers slowness', slowness => outliers({ slowness }), [...NO_NUMBERS, 0.5]],
  ['outliers slowerBy', slowerBy => outliers({ slowerBy }), [...NO_NUMBERS, -1]],
  ['outliers interval', interval => outliers({ interval }), [...NO_NUMBERS, 0, Infinity]],
  ['outliers minCalls', minCalls => outliers({ minCalls }), [...NO_NUMBERS, 0, 1.5]],
  ['outliers minMembers', minMembers => outliers({ minMembers }), [...NO_NUMBERS, 1, 2.5]],
  ['outliers maxEjected', maxEjected => outliers({ maxEjected }), [...NO_NUMBERS, -0.1, 1.1]],
  ['outliers openFor', openFor => outliers({ openFor }), [...NO_NUMBERS, 0]],
  ['healthChecks options', given => healthChecks(given), [null, undefined, 5]],
  ...(['unhealthyThreshold', 'healthyThreshold', 'concurrency'] as const).map(
    name =>
      [
        `healthChecks ${name}`,
        (value: never) => healthChecks({ check: async () => {}, [name]: value }),
        [1.5, Infinity],
      ] as const,
  ),
  ['healthChecks check', check => healthChecks({ check }), [...NO_FUNCTIONS, undefined]],
  [
    'healthChecks initially',
    initially => healthChecks({ check: async () => {}, initially }),
    [null, 'ill', 5],
  ],
  ...(
    [
      'interval',
      'unhealthyInterval',
      'edgeInterval',
      'timeout',
      'unhealthyThreshold',
      'healthyThreshold',
      'concurrency',
      'perSecond',
    ] as const
  ).map(
    name =>
      [
        `healthChecks ${name}`,
        (value: never) => healthChecks({ check: async () => {}, [name]: value }),
        [...NO_NUMBERS, 0, -1],
      ] as const,
  ),
  [
    'healthChecks jitter',
    jitter => healthChecks({ check: async () => {}, jitter }),
    [...NO_NUMBERS, -0.1, 1.1],
  ],
  ['health', health => createClient({ discovery, balancer, health }), NO_FUNCTIONS],
  ['hedge delay', delay => hedge({ delay }), [...NO_NUMBERS, -1]],
  ['hedge percentile', percentile => hedge({ percentile }), [...NO_NUMBERS, -0.1, 1.1]],
  ['hedge attempts', attempts => hedge({ attempts }), [...NO_NUMBERS, 1, 2.5, 101]],
  ['hedge ratio', ratio => hedge({ ratio }), [...NO_NUMBERS, -0.1]],
  ['hedge budget.deposit', budget => hedge({ budget }), [null, {}, true, 5]],
  ['hedge budget.withdraw', withdraw => hedge({ budget: { deposit() {}, withdraw } }), NO_FUNCTIONS],
  ['consecutiveFailures failingFor', failingFor => consecutiveFailures({ failingFor }), [...NO_NUMBERS, -1]],
  [
    'consecutiveFailures threshold',
    threshold => consecutiveFailures({ threshold }),
    [...NO_NUMBERS, 0, 1.5, Infinity],
  ],
  ['consecutiveFailures openFor', openFor => consecutiveFailures({ openFor }), [...NO_NUMBERS, 0, -1]],
  ['consecutiveFailures maxOpenFor', maxOpenFor => consecutiveFailures({ maxOpenFor }), [...NO_NUMBERS, 999]],
  ['consecutiveFailures probes', probes => consecutiveFailures({ probes }), [...NO_NUMBERS, 0, 1.5, 1001]],
  ['consecutiveFailures jitter', jitter => consecutiveFailures({ jitter }), [...NO_NUMBERS, -0.1, 1.1]],
  ['failureRate threshold', threshold => failureRate({ threshold }), [...NO_NUMBERS, 0, 1.1, -1]],
  ['failureRate window', window => failureRate({ window }), [...NO_NUMBERS, 0, -1, Infinity]],
  ['failureRate minCalls', minCalls => failureRate({ minCalls }), [...NO_NUMBERS, 0, 1.5, Infinity]],
  ['failureRate slowerThan', slowerThan => failureRate({ slowerThan }), [...NO_NUMBERS, -1]],
  ['failureRate lastCalls', lastCalls => failureRate({ lastCalls }), [...NO_NUMBERS, 0, 1.5, 1e6 + 1]],
  ['failureRate lastCalls', lastCalls => failureRate({ lastCalls, window: 1000 }), [100]],
  ['failureRate minCalls', minCalls => failureRate({ minCalls, lastCalls: 10 }), [...NO_NUMBERS, 0, 11]],
  [
    'failureRate slowThreshold',
    slowThreshold => failureRate({ slowThreshold, slowerThan: 100 }),
    [...NO_NUMBERS, 0, 1.1, -1],
  ],
  ['failureRate slowThreshold', slowThreshold => failureRate({ slowThreshold }), [0.5]],
  ['failureRate counts', counts => failureRate({ counts }), [null, 'connect']],
  ['failureRate counts', kind => failureRate({ counts: ['connect', kind] }), [null, undefined, 'refused', 5]],
  ['outliers counts', counts => outliers({ counts }), [null, {}, 'timeout']],
  ['consecutiveFailures counts', counts => consecutiveFailures({ counts }), [null, true]],
  ['anyOf breaker', breaker => anyOf(consecutiveFailures(), breaker), [...NO_FUNCTIONS, undefined]],
  ['serviceBreaker', breaker => serviceBreaker(breaker), [...NO_FUNCTIONS, undefined]],
  [
    'serviceBreaker allows',
    allows => {
      const policies = [serviceBreaker(() => ({ ...alwaysClosed, allows }))];
      return createClient({ discovery, balancer, policies });
    },
    [...NO_FUNCTIONS, undefined],
  ],
  ['restore.member', restore => createClient({ discovery, balancer, restore }), [null, 5, {}]],
  [
    'restore',
    restore => root.createClient({ discovery, restore }),
    [
      ...[
        null,
        5,
        'saved',
        [],
        {},
        { isolated: [], breakers: [] },
        { isolated: [5], breakers: [], service: [] },
      ],
      { isolated: [], breakers: {}, service: [] },
      { savedAt: 'now', isolated: [], breakers: [], service: [] },
      { savedAt: null, isolated: [], breakers: [], service: [] },
    ],
  ],
  [
    'env.clock.wall',
    wall => createClient({ discovery, balancer, env: { ...systemEnv, clock: { ...systemEnv.clock, wall } } }),
    NO_FUNCTIONS,
  ],
  ['id', id => createClient({ discovery, balancer }).pool.isolate(id), [null, undefined, 5, {}]],
  ['failureRate openFor', openFor => failureRate({ openFor }), [0, '1']],
  ['retry attempts', attempts => retry({ attempts }), [...NO_NUMBERS, 0, 0.5, -1]],
  ['retry backoff', backoff => retry({ backoff }), NO_FUNCTIONS],
  ['retry budget', budget => retry({ budget }), [null, 0, 5, true, {}, { deposit() {} }, { withdraw() {} }]],
  ['retryBudget ratio', ratio => retryBudget({ ratio }), [...NO_NUMBERS, -0.1, 1001, Infinity]],
  ['retryBudget minPerSecond', minPerSecond => retryBudget({ minPerSecond }), [...NO_NUMBERS, -1, Infinity]],
  ['retryBudget window', window => retryBudget({ window }), [...NO_NUMBERS, 0, -1, Infinity]],
  ['timeout', timeout, [...NO_NUMBERS, undefined, 0, -1]],
  ['endpoints', fixed, [null, undefined, 'a:80', {}, 5]],
  [
    'endpoint',
    each => fixed([each]),
    ['', 'a', 'a:', ':80', 'a:b', 'a:80:81', '::1:80', 'http://a:80', 'a:80/x'],
  ],
  ['poll list', poll, [...NO_FUNCTIONS, undefined]],
  ['poll interval', interval => poll(async () => [], { interval }), [...NO_NUMBERS, 0, -1]],
  ['poll timeout', timeout => poll(async () => [], { timeout }), [...NO_NUMBERS, 0, -1]],
  ['merge sources', merge, [null, undefined, discovery, {}]],
  ['merge source 1', source => merge([discovery, source]), [...NO_FUNCTIONS, undefined]],
  ['follow emptyAfter', emptyAfter => merge([], { emptyAfter }), [...NO_NUMBERS, -1]],
  ['registry ttl', ttl => createRegistry({ ttl }), [...NO_NUMBERS, 0, -1]],
  ['env.clock.now', env => createRegistry({ env }), [null, 5, {}, { clock: {} }]],
  ['service', service => createRegistry().register(service, endpoint('a')), [null, undefined, '', 5, {}]],
  [
    'discovery',
    discovery => createClient({ discovery, balancer }),
    [...NO_FUNCTIONS, undefined, [endpoint('a')]],
  ],
  [
    'balancer',
    balancer => createClient({ discovery, balancer }),
    [...NO_FUNCTIONS, undefined, roundRobin, { picker: 5 }],
  ],
  ['balancer.load', load => createClient({ discovery, balancer: { ...balancer, load } }), NO_FUNCTIONS],
  ['breaker', breaker => createClient({ discovery, balancer, breaker }), NO_FUNCTIONS],
  [
    'classifier.value',
    classifier => createClient({ discovery, balancer, classifier }),
    [null, 5, {}, { error() {} }],
  ],
  [
    'classifier.error',
    error => createClient({ discovery, balancer, classifier: { ...anyError, error } }),
    NO_FUNCTIONS,
  ],
  ['panic', panic => createClient({ discovery, balancer, panic }), [null, 0, 'no']],
  [
    'panic below',
    below => createClient({ discovery, balancer, panic: { below } }),
    [...NO_NUMBERS, -0.1, 1.1],
  ],
  ['panic fail', fail => createClient({ discovery, balancer, panic: { fail } }), [null, 0, 'no']],
  ['maxRefused', maxRefused => createClient({ discovery, balancer, maxRefused }), [...NO_NUMBERS, -0.1, 1.1]],
  ['readyTimeout', readyTimeout => createClient({ discovery, balancer, readyTimeout }), [...NO_NUMBERS, -1]],
  ['observer', observer => createClient({ discovery, balancer, observer }), [5, 'all', true]],
  ['env.clock.now', env => createClient({ discovery, balancer, env }), [null, 5, {}, { clock: {} }]],
  [
    'env.clock.after',
    clock => createClient({ discovery, balancer, env: { ...systemEnv, clock } }),
    [{ now: () => 0 }],
  ],
  [
    'env.random',
    random => createClient({ discovery, balancer, env: { ...systemEnv, random } }),
    NO_FUNCTIONS,
  ],
  ['policies', policies => createClient({ discovery, balancer, policies }), [null, 5, {}, retry()]],
  [
    'policy',
    policy => createClient({ discovery, balancer, policies: [policy] }),
    [...NO_FUNCTIONS, undefined],
  ],
  ['repeatable', repeatable => createClient({ discovery, balancer, repeatable }), [null, 'yes', 1, {}]],
  [
    'follow emptyAfter',
    emptyAfter => createClient({ discovery, balancer, follow: { emptyAfter } }),
    [...NO_NUMBERS, -1],
  ],
  [
    'follow restartAfter',
    restartAfter => createClient({ discovery, balancer, follow: { restartAfter } }),
    [...NO_NUMBERS, 0],
  ],
  [
    'follow maxRestartAfter',
    maxRestartAfter => createClient({ discovery, balancer, follow: { maxRestartAfter } }),
    [...NO_NUMBERS, 99],
  ],
  ['timeout', timeout => root.createClient({ discovery, timeout }), [...NO_NUMBERS, 0, -1]],
  [
    'attemptTimeout',
    attemptTimeout => root.createClient({ discovery, attemptTimeout }),
    [...NO_NUMBERS, 0, -1],
  ],
  ['policies', policies => root.createClient({ discovery, policies }), [null, 5, {}]],
  ['balancer', balancer => root.createClient({ discovery, balancer }), [null, 5, roundRobin]],
  ['breaker', breaker => root.createClient({ discovery, breaker }), NO_FUNCTIONS],
];

describe('a bad option is refused when given, by an error that names it and its value', () => {
  for (const [name, give, values] of OPTIONS) {
    test(`${name}: ${values.map(shown).join(', ')}`, () => {
      for (const value of values) {
        let error: unknown;
        try {
          give(value as never);
        } catch (thrown) {
          error = thrown;
        }
        expect(
          error instanceof RangeError || error instanceof TypeError,
          `${name} ${String(value)}: ${error}`,
        ).toBe(true);
        const { message } = error as Error;
        expect(message.slice(0, name.length)).toBe(name);
        expect(message.slice(name.length)).toMatch(/^(\.[a-z.]+)? is .*; it must be /);
        if (!message.includes('.')) expect(message).toContain(` is ${shown(value)};`);
      }
    });
  }

  test('a client that is refused has not begun to follow anything', async () => {
    let starts = 0;
    const counting: Discovery = () => {
      starts++;
      return discovery(testEnv(), new AbortController().signal, () => {});
    };
    const options = [
      { readyTimeout: -1 },
      { policies: [5] },
      { env: {} },
      { follow: { emptyAfter: -1 } },
      { breaker: 5 },
    ];
    for (const option of options) {
      expect(() => createClient({ discovery: counting, balancer, ...(option as object) })).toThrow();
      expect(() => root.createClient({ discovery: counting, ...(option as object) })).toThrow();
    }
    await settled();
    expect(starts).toBe(0);
  });
});

const BALANCERS: readonly (readonly [string, () => Balancer])[] = [
  ['roundRobin', roundRobin],
  ['weightedRoundRobin', weightedRoundRobin],
  ['random', random],
  ['p2c', p2c],
  ['leastRequest', leastRequest],
  ['ring of 4 points each', () => ring({ points: 4 })],
  ['maglev of 655 373 slots', () => maglev({ size: 655_373 })],
];

/** Shared by those that need no load. */
const MANY = Array.from({ length: 100_001 }, (_, i) => member(`e${i}`));

describe.each(BALANCERS)('%s', (name, make) => {
  test('a hundred thousand members are shared out, and one more is taken in', () => {
    const made = make();
    const load = made.load?.(testEnv());
    const env = testEnv();
    const members = load ? MANY.map(({ endpoint: { id } }) => member(id, { load: made.load!(env) })) : MANY;
    for (const set of [members.slice(1), members]) {
      const pick = made.picker(set, env);
      const picked = new Set(Array.from({ length: 2000 }, (_, i) => pick(anyCall(`key ${i}`), 0)));
      expect(picked).not.toContain(undefined);
      // With equal chances, 2000 picks of 100 000 meet the same one about twenty times.
      expect(picked.size).toBeGreaterThan(1000);
    }
  });

  if (name.startsWith('ring')) return; // what it does is told below
  test('weights of any size that a number can have make no share wrong', () => {
    const env = testEnv();
    const made = make();
    const members = [Number.MAX_VALUE, Number.MIN_VALUE, 1, Number.MAX_VALUE].map((weight, i) =>
      member(`e${i}`, { weight, ...(made.load ? { load: made.load(testEnv()) } : {}) }),
    );
    const pick = made.picker(members, env);
    const counts = members.map(() => 0);
    for (let i = 0; i < 2000; i++) counts[members.indexOf(pick(anyCall(), 0)!)]!++;
    expect(counts.reduce((sum, count) => sum + count)).toBe(2000);
    // Half of the picks each; five standard deviations are 112. roundRobin heeds no weights.
    if (name !== 'roundRobin') for (const i of [0, 3]) expect(Math.abs(counts[i]! - 1000)).toBeLessThan(112);
  });
});

describe('a ring that would be too large', () => {
  const some = Array.from({ length: 500 }, (_, i) => `key ${i}`);

  test('for a weight that is a mistake has fewer points for all, and works', async () => {
    const { client, source } = rig(2, { balancer: ring() });
    await client.ready();
    source.set([endpoint('a'), endpoint('b', { weight: 1e9 })]);
    await settled();
    expect(client.pool.size).toBe(2);
    const called = await Promise.all(some.map(key => client.run(async ({ id }) => id, { key })));
    expect(new Set(called)).toEqual(new Set(['b']));
  });

  /** As many points as fit here are enough to see the rule by. */
  const MOST = 10_000;
  const ringOf = (weights: Record<string, number>, points = 160): HashRing => {
    const made = new HashRing({ points }, MOST);
    made.update(Object.entries(weights).map(([id, weight]) => ({ id, weight })));
    return made;
  };

  test.each([
    ['65535 and 1, as DNS may say', 65_535, 1],
    ['most of what a number can be', Number.MAX_VALUE, Number.MAX_VALUE / 3],
    ['that are merely large', 150, 50],
  ])('for weights of %s halves the points until they fit, and keeps the shares', (_, a, b) => {
    const made = ringOf({ a, b });
    expect(made.table.count).toBeLessThanOrEqual(MOST);
    expect(made.table.count).toBeGreaterThan(MOST / 2);
    // 2500 points for the least of them that has a share to speak of: a standard deviation of 2 %.
    expect(Math.abs(made.distribution().get('a')! - 1 / (1 + b / a))).toBeLessThan(0.03);
  });

  test('leaves a point to each, and refuses a set only if there are more members than points', () => {
    const many = Object.fromEntries(Array.from({ length: MOST }, (_, i) => [`m${i}`, 1]));
    expect(ringOf(many).table.count).toBe(MOST);
    expect(() => ringOf({ ...many, another: 1 })).toThrow(
      `a ring of ${MOST + 1} members is too large; ${MOST} is the most`,
    );
  });

  test('is the same whichever way it came about, and whole again when the weight is mended', () => {
    const owners = (made: HashRing): (string | undefined)[] => some.map(key => made.idAt(made.find(key)));
    const whole = ringOf({ a: 1, b: 1, c: 1 }, 1000);
    expect(whole.table.count).toBe(3000);
    const large = ringOf({ a: 1, b: 1, c: 14 }, 1000);
    expect(large.table.count).toBe(8000);
    const edited = ringOf({ a: 1, b: 1.0001 }, 1000);
    edited.put({ id: 'b', weight: 1 });
    edited.put({ id: 'c', weight: 14 });
    expect(owners(edited)).toEqual(owners(large));
    edited.put({ id: 'c', weight: 1 });
    expect(edited.table.count).toBe(3000);
    expect(owners(edited)).toEqual(owners(whole));
    edited.put({ id: 'd', weight: 30 });
    expect(edited.drop('d')).toBe(true);
    expect(owners(edited)).toEqual(owners(whole));
  });

  test('moves no key between members that stay while the number of halvings stays', () => {
    const owners = (made: HashRing): (string | undefined)[] => some.map(key => made.idAt(made.find(key)));
    const before = owners(ringOf({ a: 1, b: 1, c: 14 }, 1000));
    const after = owners(ringOf({ a: 1, b: 1, c: 14, d: 2 }, 1000));
    expect(after).toContain('d');
    after.forEach((owner, i) => {
      if (owner !== 'd') expect(owner).toBe(before[i]);
    });
  });
});

test('a maglev table with fewer slots than members refuses the set with advice, and the last good one stands', async () => {
  const { client, source, lines } = rig(5, { balancer: maglev({ size: 7 }) });
  await client.ready();
  source.set(endpoints(8));
  await settled();
  expect(lines.at(-1)).toBe(
    'discoveryError a maglev table of 7 slots is too small for 8 members; raise `size`',
  );
  expect(client.pool.size).toBe(5);
  expect(await client.run(async () => 1, { key: 'k' })).toBe(1);
});

describe('a hash of the user', () => {
  test('that throws for a member refuses the set, and harms nothing that was there', async () => {
    let broken = false;
    const hash = (key: string, seed?: number): number => {
      if (broken && key === 'bad') throw new Error('no hash');
      return xxh32(key, seed);
    };
    const { client, source, lines } = rig(endpoints(40), { balancer: ring({ hash }) });
    await client.ready();
    const owners = async (): Promise<string[]> => {
      const all = [];
      for (let i = 0; i < 100; i++) all.push(await client.run(async ({ id }) => id, { key: `key ${i}` }));
      return all;
    };
    const before = await owners();
    broken = true;
    for (const set of [
      [...endpoints(40), endpoint('bad')],
      [endpoint('x'), endpoint('bad')],
    ]) {
      source.set(set);
      await settled();
      expect(lines.at(-1)).toBe('discoveryError no hash');
    }
    expect(await owners()).toEqual(before);
    broken = false;
    source.set([...endpoints(40), endpoint('bad')]);
    await settled();
    expect(client.pool.size).toBe(41);
    source.set(endpoints(40));
    await settled();
    expect(await owners()).toEqual(before);
  });

  test('that throws for a key sends the call anywhere, and it is told', async () => {
    const hash = (key: string, seed?: number): number => {
      if (key === 'bad') throw new Error('no hash');
      return xxh32(key, seed);
    };
    const { client, lines } = rig(4, { balancer: ring({ hash }) });
    expect(await client.run(async () => 1, { key: 'bad' })).toBe(1);
    expect(lines).toContain('fault balancer no hash');
  });

  test('that does not answer the same twice is found out when a member leaves, not by hanging', () => {
    const { random: chance } = testEnv();
    const made = createRing(['a', 'b', 'c'], { hash: () => chance() * 2 ** 32 });
    expect(() => made.remove('b')).toThrow('ring hash must answer the same for the same key');
  });

  test('that answers no whole number, or the same for all, still makes a table, and places keys', () => {
    for (const hash of [() => Number.NaN, () => 'x' as never, () => -1.5, () => 7, () => Infinity]) {
      for (const make of [createMaglev, createRendezvous]) {
        const made = make(['a', 'b', 'c'], { hash });
        expect(made.getN('key', 3).sort()).toEqual(['a', 'b', 'c']);
        expect(made.get('key')).toBe(made.get('other'));
      }
      const pick = maglev({ hash }).picker([member('a'), member('b')], testEnv());
      expect(pick(anyCall('key'), 0)).toBe(pick(anyCall('other'), 0));
    }
  });

  test.each([
    ['maglev', () => maglev],
    ['rendezvous', () => rendezvous],
  ])('that throws refuses the set, or sends the call anywhere: %s', async (_, make) => {
    let broken = '';
    const hash = (key: string, seed?: number): number => {
      if (key === broken) throw new Error('no hash');
      return xxh32(key, seed);
    };
    const { client, source, lines } = rig(endpoints(4), { balancer: make()({ hash }) });
    await client.ready();
    broken = 'bad';
    expect(await client.run(async () => 1, { key: 'bad' })).toBe(1);
    expect(lines).toContain('fault balancer no hash');
    source.set([...endpoints(4), endpoint('bad')]);
    await settled();
    expect(lines.at(-1)).toBe('discoveryError no hash');
    expect(client.pool.size).toBe(4);
    broken = '';
    source.set([...endpoints(3), endpoint('bad')]);
    await settled();
    expect(client.pool.size).toBe(4);
  });

  test('that answers no whole number, or the same for all, still makes a ring', () => {
    for (const hash of [() => Number.NaN, () => 'x' as never, () => -1.5, () => 7, () => Infinity]) {
      const made = createRing(['a', 'b'], { hash });
      expect(['a', 'b']).toContain(made.get('key'));
      expect(made.remove('a')).toBe(true);
      expect(made.get('key')).toBe('b');
    }
  });
});

describe('discovery that misbehaves', () => {
  const sources: readonly (readonly [string, Discovery])[] = [
    [
      'never answers',
      async function* () {
        await new Promise(() => {});
      },
    ],
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
    ['is no stream', (() => 5) as never],
    [
      'sends nonsense',
      async function* () {
        yield 'nonsense' as never;
        await new Promise(() => {});
      },
    ],
    [
      'has only bad endpoints',
      async function* () {
        yield [{ id: 'a', host: 'a', port: 0 }];
      },
    ],
    ['sends nothing but drained ones', fixed([endpoint('a', { weight: 0 })])],
    ['ends at once', async function* () {}],
  ];

  test.each(sources)(
    'one that %s: calls end with NO_ENDPOINTS in time, and nothing is left after close',
    async (_, source) => {
      const { client, clock } = rig(0, {
        discovery: source,
        readyTimeout: 1000,
        policies: [retry(), timeout(5000)],
      });
      const fate = watch(client.run(async () => 1));
      await clock.advance(1000);
      expect(fate.value).toMatchObject({ code: 'NO_ENDPOINTS' });
      await client.close();
      await settled();
      expect(clock.pending).toBe(0);
    },
  );
});

test.each(BALANCERS)('%s picks all the same where chance answers 1, which it should not', async (_, make) => {
  const env: Env = { ...testEnv(), random: () => 1 };
  const { client } = rig(3, { balancer: make(), env });
  for (let i = 0; i < 5; i++) expect(await client.run(async () => 1)).toBe(1);
});

describe('what was to be called, and was not', () => {
  test('a check in the place of what asks it is refused when given', () => {
    const check = async () => true;
    expect(() => createClient({ discovery, balancer, health: check as never })).toThrow(
      'what health makes is [object Promise]; it must be a monitor',
    );
  });

  test.each<[string, PolicyFactory]>([
    ['retry', retry],
    ['hedge', hedge],
    ['throttle', throttle],
    ['limit', limit],
    ['serviceBreaker', serviceBreaker],
  ])('a policy, wherever it is among the others: %s', (name, factory) => {
    const message = `${name} must be called where it is given: ${name}(), not ${name}`;
    for (const policies of [[factory], [retry(), factory], [timeout(1000), factory, retry()]])
      expect(() => rig(1, { policies: policies as never })).toThrow(new TypeError(message));
  });

  test('a policy of one number', () => {
    expect(() => rig(1, { policies: [retry(), timeout as never] })).toThrow(
      'timeout is a function; it must be a number above 0',
    );
  });

  test('a policy of the user: the call fails, and says what is wrong', async () => {
    const mine = () => (next: unknown) => next;
    const { client, clock } = rig(1, { policies: [mine as never] });
    const call = watch(client.run(async () => 1));
    await clock.advance(0);
    expect(call.value).toMatchObject({
      name: 'TypeError',
      message: 'what a policy answers a call is a function; it must be a promise',
    });
    await client.close();
  });

  test.each<[string, unknown]>([
    ['consecutiveFailures', consecutiveFailures],
    ['failureRate', failureRate],
    ['outliers', outliers],
  ])('a breaker: %s', async (name, breaker) => {
    const message = `${name} must be called where it is given: ${name}(), not ${name}`;
    for (const given of [breaker, anyOf(breaker as never)]) {
      const { client, lines } = rig(1, { breaker: given as never });
      await settled();
      expect(lines).toContain(`discoveryError ${message}`);
      await client.close();
    }
    expect(() => rig(1, { policies: [serviceBreaker(breaker as never)] })).toThrow(message);
  });

  test('health checks, and a gradient', async () => {
    expect(() => rig(1, { health: healthChecks as never })).toThrow(
      'healthChecks must be called where it is given: healthChecks(), not healthChecks',
    );
    const concurrency = gradient as never;
    expect(() => rig(1, { policies: [limit({ concurrency })] })).toThrow('gradient must be called');
  });

  test.each<[string, unknown, string]>([
    ['tcpCheck', tcpCheck, 'tcpCheck must be called where it is given: tcpCheck(), not tcpCheck'],
    ['httpCheck', root.httpCheck, 'httpCheck must be called where it is given: httpCheck(), not httpCheck'],
    [
      'one of the user',
      async () => async () => true,
      'what healthChecks check answered is a function; it must be anything else',
    ],
    [
      'one of the user that is not asynchronous',
      () => () => true,
      'what healthChecks check answered is a function; it must be anything else',
    ],
  ])('a check: nobody passes, and the error tells why: %s', async (_, check, message) => {
    const health = healthChecks({ check: check as never, unhealthyThreshold: 1 });
    const told: unknown[] = [];
    const observer = { health: ({ healthy, error }: HealthChange) => void told.push([healthy, error]) };
    const { client, clock } = rig(2, { health, observer });
    await client.ready();
    await clock.advance(0);
    expect(told).toEqual([
      [false, new TypeError(message)],
      [false, new TypeError(message)],
    ]);
    await client.close();
  });
});

/** All that takes options, by name, and those it must have. */
const FACTORIES: [string, (options: never) => unknown, object?][] = [
  ['retry', retry],
  ['retryBudget', retryBudget],
  ['hedge', hedge],
  ['throttle', throttle],
  ['limit', limit, { concurrency: 5 }],
  ['gradient', gradient],
  ['consecutiveFailures', consecutiveFailures],
  ['failureRate', failureRate],
  ['outliers', outliers],
  ['healthChecks', healthChecks, { check: async () => {} }],
  ['tcpCheck', tcpCheck],
  ['httpCheck', root.httpCheck, { path: '/' }],
  ['p2c', p2c],
  ['leastRequest', leastRequest],
  ['peakEwma', peakEwma],
  ['prequal', prequal, { probe: async () => ({ inFlight: 0, latency: 1 }) }],
  ['ring', ring],
  ['maglev', maglev],
  ['rendezvous', rendezvous],
  ['jump', jump],
  ['createRing', options => createRing([], options)],
  ['createMaglev', options => createMaglev([], options)],
  ['createRendezvous', options => createRendezvous([], options)],
  ['smoothWeighted', smoothWeighted],
  ['utilizationRoundRobin', utilizationRoundRobin],
  ['createLoadRecorder', createLoadRecorder],
  ['priority', options => priority(roundRobin, options)],
  ['preferZone', options => preferZone(roundRobin, options), { zone: 'a' }],
  ['subset', options => subset(roundRobin, options)],
  ['slowStart', options => slowStart(roundRobin, options)],
  ['drain', options => drain(roundRobin, options)],
  ['poll', options => poll(async () => [], options)],
  ['merge', options => merge([], options)],
  ['createRegistry', createRegistry],
  ['dns', dns, { host: 'users.internal', port: 80 }],
  ['dns', dns, { srv: '_http._tcp.users.internal' }],
  ['envoyRing', envoyRing],
  ['grpcRing', grpcRing],
  ['envoyMaglev', envoyMaglev],
  ['libmemcachedRing', libmemcachedRing],
  ['twemproxyRing', twemproxyRing],
  ['nginxRing', nginxRing],
  ['haproxyRing', haproxyRing, { id: () => 1 }],
  ['createClient', root.createClient, { discovery }],
  ['createClient', createClient, { discovery, balancer: roundRobin() }],
  ['createFetch', root.createFetch, { discovery }],
];

type PolicyFactory = (options: never) => unknown;

describe.each<[string, (options: never) => unknown, object?]>(FACTORIES)(
  'the options of %s',
  (name, make, needed = {}) => {
    test('are an object', () => {
      for (const value of [5, 'five', true, null, [], [5]])
        expect(() => make(value as never)).toThrow(
          `${name} options is ${shown(value)}; it must be an object`,
        );
    });

    test('have no name that is not known', () => {
      const strange = { ...needed, strangest: 5 };
      expect(() => make(strange as never)).toThrow(
        expect.objectContaining({
          name: 'TypeError',
          message: expect.stringMatching(`^${name} has no option strangest; it has [a-z]`),
        }),
      );
    });

    test('may be of a class, and have more about them', () => {
      class Options {
        strangest = 5;
      }
      for (const options of [
        Object.assign(new Options(), needed),
        Object.assign(Object.create(null), needed),
      ])
        void (make(options as never) as Partial<Closable>).close?.();
    });
  },
);

interface Closable {
  close(): unknown;
}

describe('an option that does not exist', () => {
  test.each<[() => unknown, string]>([
    [() => retry({ attemps: 5 } as never), 'retry has no option attemps; did you mean attempts?'],
    [() => retry({ ATTEMPTS: 5 } as never), 'retry has no option ATTEMPTS; did you mean attempts?'],
    [
      () => retry({ retries: 5 } as never),
      'retry has no option retries; it has attempts, backoff, budget, maxRetryAfter',
    ],
    [() => ring({ point: 5 } as never), 'ring has no option point; did you mean points?'],
    [
      () => consecutiveFailures({ treshold: 1 } as never),
      'consecutiveFailures has no option treshold; did you mean threshold?',
    ],
    [() => outliers({ open_for: 1 } as never), 'outliers has no option open_for; did you mean openFor?'],
    [
      () => root.createFetch({ discovery, timeOut: 1 } as never),
      'createFetch has no option timeOut; did you mean timeout?',
    ],
    [
      () => root.createFetch({ discovery, retires: 3 } as never),
      'createFetch has no option retires; it has ',
    ],
    [
      () => root.createClient({ discovery, panic: { belo: 1 } } as never),
      'panic has no option belo; did you mean below?',
    ],
    [() => root.createClient({ discovery, clock: {} } as never), 'createClient has no option clock; it has '],
    [
      () => createClient({ discovery, balancer: roundRobin(), timeout: 5 } as never),
      'createClient has no option timeout; it has ',
    ],
    [
      () => root.createFetch({ discovery, follow: { emptyafter: 1 } } as never),
      'follow has no option emptyafter; did you mean emptyAfter?',
    ],
    [
      () => subset(roundRobin, { client: { index: 0, off: 1 } as never }),
      'subset client has no option off; did you mean of?',
    ],
    [
      () => dns({ srv: 'a.b', port: 80 } as never),
      'dns has no option port; it has srv, interval, resolver, timeout, servers',
    ],
  ])('is refused, and told with the one that is like it, or with all there are: %s', (make, message) => {
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });

  test('is not looked for where they are inherited', () => {
    expect(() => retry(Object.create({ attempts: 0 }))).toThrow('retry attempts is 0');
  });

  test('is none that is there and undefined', () => {
    retry({ attempts: undefined, budget: undefined });
    void root.createClient({ discovery, timeout: undefined, breaker: undefined }).close();
  });
});

test.each([
  ['consecutiveFailures', consecutiveFailures],
  ['failureRate', failureRate],
  ['outliers', outliers],
])('counts without a kind, where nothing would ever open it, says what there is: %s', (name, make) => {
  expect(() => make({ counts: [] })).toThrow(
    new TypeError(
      `${name} counts is an empty array; it must be an array of one or several of connect, timeout, answer, error`,
    ),
  );
});

test.each<[() => unknown, string]>([
  [
    () => failureRate({ threshold: 2 }),
    'failureRate threshold is 2; it must be a number above 0 and at most 1',
  ],
  [() => timeout(0), 'timeout is 0; it must be a number above 0'],
  [() => retry({ attempts: 0 }), 'retry attempts is 0; it must be a number of at least 1'],
  [
    () => hedge({ attempts: 1 }),
    'hedge attempts is 1; it must be a whole number of at least 2 and at most 100',
  ],
  [
    () => failureRate({ minCalls: 0.5 }),
    'failureRate minCalls is 0.5; it must be a whole number of at least 1',
  ],
  [
    () => failureRate({ window: Infinity }),
    'failureRate window is Infinity; it must be a finite number of at least 1',
  ],
  [() => createRing([{ id: 'a', weight: 0 }]), 'ring weight of "a" is 0; it must be a number above 0'],
  [
    () => slowStart(roundRobin, { aggression: 0 }),
    'slowStart aggression is 0; it must be a number of at least 0.01',
  ],
])('bounds are told in words, not by the least and the largest number there is: %s', (make, message) => {
  expect(make).toThrow(message);
  expect(make).not.toThrow(/e-324|e\+308|9007199254740991/);
});

test('options may be undefined, as if they were absent', () => {
  const pool = new Pool({
    discovery,
    balancer,
    breaker: undefined,
    classifier: undefined,
    panic: undefined,
    readyTimeout: undefined,
    follow: undefined,
    observer: undefined,
    env: undefined,
  });
  pool.close();
});
