import { Call, consecutiveFailures, type Endpoint, type Member, type Picker } from 'fairlead';
import { callAvoiding, type ManualClock, members, settled, testEnv } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { type PrequalOptions, prequal } from '../../src/balancer/prequal.ts';
import type { ProbeAnswer } from '../../src/balancer/probed-load.ts';
import { endpoint, rig } from '../helpers.ts';

type Told = Partial<ProbeAnswer> | Error | 'nothing';

interface Stage {
  readonly of: readonly Member[];
  readonly pick: Picker;
  readonly clock: ManualClock;
  /** Endpoints probed, in order, and the signals they were given. */
  readonly probed: string[];
  readonly signals: AbortSignal[];
  readonly balancer: ReturnType<typeof prequal>;
  /** Picks as often as it takes for all members to have been probed, and waits for the answers. */
  learn(): Promise<void>;
  chosen(times: number, call?: Call): Set<string>;
}

/** Members a, b, c and so on, each of which answers probes as told. */
function stage(told: Record<string, Told>, options: Partial<PrequalOptions> = {}, weights = {}): Stage {
  const probed: string[] = [];
  const signals: AbortSignal[] = [];
  const balancer = prequal({
    probe: async ({ id }, signal) => {
      probed.push(id);
      signals.push(signal);
      const answer = told[id]!;
      if (answer instanceof Error) throw answer;
      if (answer === 'nothing') return new Promise<never>(() => {});
      return { inFlight: 0, latency: 10, ...answer };
    },
    probes: 20, // so that after a call there is a fresh answer of each
    ...options,
  });
  const env = testEnv();
  const clock = env.clock as ManualClock;
  const of = members(
    Object.keys(told).map(id => ({ id, weight: 1, ...(weights as Record<string, object>)[id] })),
    { balancer, env },
  );
  const pick = balancer.picker(of, env);
  return {
    of,
    pick,
    clock,
    probed,
    signals,
    balancer,
    async learn() {
      for (let i = 0; i < 20; i++) {
        pick(new Call(), clock.now());
        await settled();
      }
    },
    chosen: (times, call = new Call()) =>
      new Set(Array.from({ length: times }, () => pick(call, clock.now())!.endpoint.id)),
  };
}

const begin = (member: Member, clock: ManualClock) =>
  member.begin({ clock, observer: undefined }, clock.now());

test('the call goes to the fastest of the cold, and those within twice its latency', async () => {
  const { learn, pick, clock } = stage(
    {
      a: { latency: 30 },
      b: { latency: 9 },
      c: { latency: 17 },
      d: { latency: 19 },
      e: { latency: 5, inFlight: 40 },
      f: { latency: 5, inFlight: 50 },
    },
    { quantile: 0.6 },
  );
  await learn();
  const order = [pick(new Call(), clock.now()), pick(new Call(), clock.now())].map(m => m!.endpoint.id);
  expect(order.sort()).toEqual(['b', 'c']);
});

test('of members as fast as each other the one with the least in flight is chosen, until it has as many', async () => {
  const { learn, pick, clock } = stage({ a: { inFlight: 3 }, b: { inFlight: 1 }, c: { inFlight: 3 } });
  await learn();
  const first = [1, 2].map(() => pick(new Call(), clock.now())!.endpoint.id);
  expect(first).toEqual(['b', 'b']);
});

test('when all are hot, weights count: eight in flight are less than three for one of four times the weight', async () => {
  const { learn, chosen } = stage(
    { a: { inFlight: 8, failing: 0.5 }, b: { inFlight: 3, failing: 0.5 } },
    {},
    { a: { weight: 4 } },
  );
  await learn();
  expect(chosen(1)).toEqual(new Set(['a']));
});

test.each([
  ['by its own word', { latency: 0.1, failing: 0.9 }],
  ['with a latency that looks the better for it', { latency: 0, failing: 0.3 }],
])('a member that fails is not chosen while others are well: %s', async (_, answer) => {
  const { learn, chosen } = stage({ a: answer, b: { inFlight: 5 }, c: { inFlight: 5 } });
  await learn();
  expect(chosen(1)).not.toContain('a');
  const busy = stage({ a: answer, b: { inFlight: 5 }, c: { inFlight: 9 }, d: { inFlight: 9 } });
  await busy.learn();
  expect(busy.chosen(1)).toEqual(new Set(['b']));
});

test('a member that failed us is not chosen while others are well, whatever it says of itself; in time it is', async () => {
  const { learn, chosen, of, clock } = stage({ a: { latency: 1 }, b: {}, c: {} });
  await learn();
  expect(chosen(1)).toEqual(new Set(['a']));
  begin(of[0]!, clock).end('failure');
  await learn();
  expect(chosen(2)).not.toContain('a');
  await clock.advance(6000); // 9 times the excess has halved six times
  await learn();
  expect(chosen(1)).toEqual(new Set(['a']));
});

test('a member that asks to be left alone is, for as long', async () => {
  const { learn, chosen, of, clock } = stage({ a: { latency: 1 }, b: {}, c: {} });
  const attempt = begin(of[0]!, clock);
  attempt.retryAfter = 30_000;
  attempt.end('failure');
  begin(of[0]!, clock).end('success'); // says nothing against that
  await clock.advance(29_000);
  await learn();
  expect(chosen(2)).not.toContain('a');
  await clock.advance(15_000);
  await learn();
  expect(chosen(1)).toEqual(new Set(['a']));
});

test('what a call has tried is avoided, and with one answer left to go by, it goes by our own load', async () => {
  const { learn, chosen, of } = stage({ a: { latency: 1 }, b: {}, c: {} });
  await learn();
  expect(chosen(5, callAvoiding([of[0]!]))).not.toContain('a');
  expect(chosen(5, callAvoiding([of[0]!, of[1]!]))).toEqual(new Set(['c']));
  expect(() => chosen(1, callAvoiding(of))).toThrow(); // nobody
});

test(`a member due for its breaker's probe comes first, but not for a call that has failed already`, async () => {
  const balancer = prequal({ probe: async () => ({ inFlight: 1, latency: 10 }) });
  const env = testEnv();
  const clock = env.clock as ManualClock;
  const of = members(['a', 'b', 'c', 'd'], {
    balancer,
    env,
    breaker: consecutiveFailures({ threshold: 1, openFor: 1000 }),
  });
  const pick = balancer.picker(of, env);
  begin(of[2]!, clock).end('failure');
  await clock.advance(5000);
  for (let i = 0; i < 20; i++) {
    pick(callAvoiding([of[0]!]), clock.now());
    await settled();
  }
  expect(pick(callAvoiding([of[0]!]), clock.now())).not.toBe(of[2]);
  expect(pick(new Call(), clock.now())).toBe(of[2]);
  expect(pick.explain!(new Call(), clock.now())[0]).toEqual({
    member: of[2],
    share: 1,
    note: `due for its breaker's probe`,
  });
});

test('each call has three different members probed, none of which is being probed already, after the call itself', async () => {
  const ids = Array.from({ length: 50 }, (_, i) => `m${i}`);
  const { pick, probed } = stage(Object.fromEntries(ids.map(id => [id, 'nothing'])), {
    probes: 3,
    outstanding: 8,
  });
  for (const count of [3, 6, 8, 8]) {
    pick(new Call(), 0);
    await settled();
    expect(probed.length).toBe(count);
    expect(new Set(probed).size).toBe(count);
  }
  const order: string[] = [];
  const world = rig(3, {
    balancer: prequal({
      probe: async () => {
        order.push('probe');
        return { inFlight: 0, latency: 0 };
      },
    }),
  });
  await world.client.run(async () => order.push('call'));
  await settled();
  expect(order).toEqual(['call', 'probe', 'probe', 'probe']);
  await world.client.close();
});

test('a fraction of a probe per call is a probe for a fraction of the calls', async () => {
  const { pick, probed } = stage({ a: {}, b: {}, c: {}, d: {} }, { probes: 0.25 });
  for (let i = 0; i < 40; i++) {
    pick(new Call(), 0);
    await settled();
  }
  expect(probed.length).toBe(10);
});

test('a member alone is not probed, for there is no choice', async () => {
  const { pick, probed } = stage({ a: {} });
  expect(pick(new Call(), 0)).toBeDefined();
  await settled();
  expect(probed).toEqual([]);
});

test('a probe that is late is given up, its signal aborted, and what it brings later is nothing', async () => {
  let answer = (_: ProbeAnswer): void => {};
  const told = { a: { latency: 1 } as Told, b: {}, c: {} };
  const { learn, chosen, clock, signals, pick } = stage(told, {
    probe: (({ id }: Endpoint, signal: AbortSignal) => {
      signals.push(signal);
      if (id === 'a' && told.a === 'nothing') {
        return new Promise(resolve => {
          answer = resolve;
        });
      }
      return Promise.resolve({ inFlight: 0, latency: id === 'a' ? 1 : 10 });
    }) as PrequalOptions['probe'],
  });
  await learn();
  expect(chosen(1)).toEqual(new Set(['a']));
  await settled();
  told.a = 'nothing';
  await learn();
  expect(clock.pending).toBe(1);
  await clock.advance(100);
  expect(clock.pending).toBe(0);
  expect(signals.some(({ aborted, reason }) => aborted && reason.code === 'TIMEOUT')).toBe(true);
  answer({ inFlight: 0, latency: 1 });
  await settled();
  for (let i = 0; i < 5; i++) expect(pick(new Call(), clock.now())!.endpoint.id).not.toBe('a');
});

const fail = (): never => {
  throw new Error('a trap');
};
const NONSENSE: readonly [string, unknown][] = [
  [
    'throws',
    () => {
      throw new Error('a bug');
    },
  ],
  ['rejects', () => Promise.reject(new Error('refused'))],
  ['never settles', () => new Promise(() => {})],
  ['answers nothing', () => undefined],
  ['answers null', async () => null],
  ['answers NaN', async () => ({ inFlight: Number.NaN, latency: 1 })],
  ['answers strings', async () => ({ inFlight: '1', latency: '2' })],
  ['answers less than nothing', async () => ({ inFlight: -1, latency: 1 })],
  ['answers an endless latency', async () => ({ inFlight: 1, latency: Number.POSITIVE_INFINITY })],
  ['answers that more than all fails', async () => ({ inFlight: 1, latency: 1, failing: 1.5 })],
  [
    'answers something that throws when read',
    async () => ({
      get inFlight() {
        throw new Error('a trap');
      },
      latency: 1,
    }),
  ],
  ['answers a thenable that throws', () => Object.defineProperty({}, 'then', { get: () => fail() })],
];

test.each(NONSENSE)('a probe that %s leaves calls to our own load, and nothing behind', async (_, probe) => {
  const { client, clock } = rig(4, { balancer: prequal({ probe: probe as PrequalOptions['probe'] }) });
  const counts = new Map<string, number>();
  for (let i = 0; i < 200; i++) {
    const id = await client
      .run(async ({ id }) => {
        await settled();
        if (id === 'm000') throw new Error('it fails'); // so that our own load has something to tell
        return id;
      })
      .catch(() => 'm000');
    counts.set(id, (counts.get(id) ?? 0) + 1);
    await clock.advance(5);
  }
  expect(counts.get('m000')).toBeLessThan(10);
  for (const id of ['m001', 'm002', 'm003']) expect(counts.get(id)).toBeGreaterThan(20);
  await client.close();
  await clock.advance(1000);
  expect(clock.pending).toBe(0);
});

test('while most probes are not answered, the few who answer do not get all calls', async () => {
  const ids = Array.from({ length: 20 }, (_, i) => `m${i}`);
  const told = Object.fromEntries(ids.map((id, i) => [id, i < 4 ? {} : new Error('404')]));
  const { learn, chosen } = stage(told);
  for (let i = 0; i < 5; i++) await learn();
  expect(chosen(200).size).toBe(20);
});

test('an answer is used for a second, and for want of others for ten', async () => {
  const ids = Array.from({ length: 40 }, (_, i) => `m${i}`);
  const told = Object.fromEntries(ids.map((id, i) => [id, { latency: 10 + i * 100 } as Told]));
  const { learn, clock, pick } = stage(told, { poolSize: 40 });
  for (let i = 0; i < 3; i++) await learn();
  const notes = () => pick.explain!(new Call(), clock.now()).map(({ note }) => note);
  const known = notes().length;
  expect(known).toBeGreaterThan(20);
  await clock.advance(1500);
  expect(notes().length).toBe(known); // old, but all there is
  for (const id of ids) told[id] = 'nothing';
  Object.assign(told, { m38: { latency: 3800 }, m39: { latency: 3900 } });
  for (let i = 0; i < 3; i++) await learn();
  expect(notes()).toHaveLength(2); // two fresh ones make the old ones useless
  await clock.advance(10_001);
  expect(notes()).not.toContain(expect.stringMatching(/^cold/));
});

test('of a member that left, an answer is of no effect; the others keep theirs', async () => {
  const answers = new Map<string, (answer: ProbeAnswer) => void>();
  const balancer = prequal({
    probe: ({ id }) => new Promise(resolve => answers.set(id, resolve)),
    timeout: 10_000,
  });
  const env = testEnv();
  const of = members(['a', 'b', 'c', 'd'], { balancer, env });
  let pick = balancer.picker(of, env);
  for (let i = 0; i < 8; i++) pick(new Call(), 0);
  await settled();
  for (const id of ['b', 'c', 'd']) answers.get(id)!({ inFlight: 0, latency: id === 'd' ? 1 : 10 });
  await settled();
  const gone = of[0]!;
  gone.active = false;
  pick = balancer.picker(of.slice(1), env);
  answers.get('a')!({ inFlight: 0, latency: 0.1 });
  await settled();
  const known = pick.explain!(new Call(), 0).map(({ member, note }) => [member.endpoint.id, note]);
  expect(known).toEqual([
    ['d', 'cold: 0 in flight, 1.0 ms'],
    ['b', 'cold: 0 in flight, 10.0 ms'],
    ['c', 'cold: 0 in flight, 10.0 ms'],
  ]);
  expect(pick(new Call(), 0)).toBe(of[3]);
  balancer.close!();
});

test('close gives up the probes that are outstanding and those about to be sent, and sends no more', async () => {
  const { pick, clock, signals, probed, balancer } = stage(
    {
      a: 'nothing',
      b: 'nothing',
      c: 'nothing',
      d: 'nothing',
      e: 'nothing',
      f: 'nothing',
    },
    { probes: 3 },
  );
  pick(new Call(), 0);
  await settled();
  pick(new Call(), 0);
  expect(clock.pending).toBe(1);
  balancer.close!();
  await settled();
  expect(clock.pending).toBe(0);
  expect(signals.map(({ aborted, reason }) => aborted && reason.code)).toEqual([
    'CLOSED',
    'CLOSED',
    'CLOSED',
  ]);
  const count = probed.length;
  expect(pick(new Call(), 0)).toBeDefined(); // a call that runs on is served
  await settled();
  expect(probed.length).toBe(count);
});

test('the probes of a client that idles leave no timer behind, and none comes without a call', async () => {
  const { client, clock } = rig([endpoint('a'), endpoint('b'), endpoint('c')], {
    balancer: prequal({ probe: () => new Promise(() => {}) }),
  });
  await client.run(async () => {});
  await settled();
  const pending = clock.pending;
  await clock.advance(100);
  expect(clock.pending).toBe(pending - 1);
  await clock.advance(60_000);
  expect(clock.pending).toBe(pending - 1);
  await client.close();
});

test('before there are answers, an explanation is that of our own load; then it tells hot from cold', async () => {
  const { learn, pick, of, clock } = stage({
    a: { inFlight: 9 },
    b: { latency: 4 },
    c: { failing: 1 },
    d: { latency: 5 },
    e: { latency: 5 },
    f: { latency: 4 },
    g: { latency: 4 },
  });
  expect(pick.explain!(new Call(), 0).map(({ note }) => note)).not.toContain('cold: 0 in flight, 4.0 ms');
  await learn();
  const before = pick.explain!(new Call(), clock.now());
  expect(pick.explain!(new Call(), clock.now())).toEqual(before); // asking changes nothing
  const note = (i: number) => before.find(({ member }) => member === of[i])!.note;
  expect(note(0)).toBe('hot: 9 in flight, 10.0 ms');
  expect(note(2)).toMatch(/^failing: /);
  expect(before.reduce((sum, { share }) => sum + share!, 0)).toBeCloseTo(1);
  expect(before.at(-1)!.member).toBe(of[2]);
});

test('a load of another kind is refused with the set, not at a call', () => {
  const balancer = prequal({ probe: async () => ({ inFlight: 0, latency: 0 }) });
  expect(() => balancer.picker(members(['a']), testEnv())).toThrow(
    /member a has a load that is not prequal's/,
  );
});

test.each([
  [{}, /prequal probe is undefined/, TypeError],
  [{ probe: 1 }, /prequal probe is 1/, TypeError],
  [{ probes: 0 }, /prequal probes is 0/, RangeError],
  [{ probes: Number.NaN }, /prequal probes is NaN/, RangeError],
  [{ poolSize: 1 }, /prequal poolSize is 1/, RangeError],
  [{ poolSize: 2.5 }, /prequal poolSize is 2.5/, RangeError],
  [{ maxAge: 0 }, /prequal maxAge is 0/, RangeError],
  [{ timeout: '1' }, /prequal timeout is "1"/, TypeError],
  [{ quantile: 1.1 }, /prequal quantile is 1.1/, RangeError],
  [{ outstanding: 0 }, /prequal outstanding is 0/, RangeError],
])('the options %o are refused by name', (options, message, Kind) => {
  const probe = async () => ({ inFlight: 0, latency: 0 });
  const given = Object.keys(options).length === 0 ? {} : { probe, ...options };
  expect(() => prequal(given as PrequalOptions)).toThrow(message);
  expect(() => prequal(given as PrequalOptions)).toThrow(Kind);
});
