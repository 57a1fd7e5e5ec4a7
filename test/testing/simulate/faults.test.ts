import { createClient, random, retry } from 'fairlead';
import { expect, test } from 'vitest';
import {
  type ClientPlace,
  exponential,
  type SimulatedClient,
  type SimulatedFault,
  type SimulateOptions,
  simulate,
} from '../../../src/testing/simulate/index.ts';
import { bare, one, usual, whole } from './helpers.ts';

interface Told {
  readonly at: number;
  readonly latency: number;
  /** The error's code. */
  readonly error: string | undefined;
}

/** What became of each call, one server with room for all, 10 ms of work each, by when they arrived. */
async function told(
  faults: readonly SimulatedFault[],
  options: Partial<SimulateOptions> = {},
): Promise<readonly Told[]> {
  const calls: Told[] = [];
  const client = (place: ClientPlace): SimulatedClient => {
    const { run, close } = bare(place);
    const { clock } = place.env;
    return {
      async run(task, given) {
        const at = clock.now();
        const note = (error?: string): unknown => calls.push({ at, latency: clock.now() - at, error });
        try {
          const result = await run(task, given);
          note();
          return result;
        } catch (error) {
          note((error as { code: string }).code);
          throw error;
        }
      },
      close,
    };
  };
  const server = { concurrency: 1000, service: () => 10 };
  const report = await one(faults, { client, server, rate: 200, ...options });
  expect(report.calls).toBeGreaterThan(300);
  expect(whole(report)).toBe(true);
  expect(report.pendingTimers).toBe(0);
  return calls;
}

const close = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6;

test('without faults every call takes as long as its work', async () => {
  for (const { latency, error } of await told([])) {
    expect(error).toBeUndefined();
    expect(latency).toBeCloseTo(10, 6);
  }
});

test('slow: work that begins meanwhile takes longer by the factor, to its end', async () => {
  for (const { at, latency } of await told([
    { kind: 'slow', servers: [0], factor: 4, from: 500, until: 1000 },
  ]))
    expect(latency).toBeCloseTo(at >= 500 && at < 1000 ? 40 : 10, 6);
});

test('two faults that slow down do so together, while both last', async () => {
  const calls = await told([
    { kind: 'slow', servers: [0], factor: 4, from: 500, until: 1000 },
    { kind: 'slow', servers: [0], factor: 2, from: 800 },
  ]);
  for (const { at, latency } of calls)
    expect(latency).toBeCloseTo(at < 500 ? 10 : at < 800 ? 40 : at < 1000 ? 80 : 20, 6);
});

test('failing: calls fail after their time, without waiting in line', async () => {
  const faults = [{ kind: 'failing', servers: [0], after: 2, from: 1000 }] as const;
  // One worker for twice the work there is room for: whoever is served waits for long.
  const calls = await told(faults, { server: { concurrency: 1, service: () => 10 } });
  for (const { at, latency, error } of calls) {
    expect(error).toBe(at >= 1000 ? 'FAILED' : undefined);
    if (at >= 1000) expect(latency).toBeCloseTo(2, 6);
  }
  expect(Math.max(...calls.map(({ latency }) => latency))).toBeGreaterThan(500);
});

test('failing, a share of the calls: the others are served', async () => {
  const calls = await told([{ kind: 'failing', servers: [0], share: 0.3 }]);
  const failed = calls.filter(({ error }) => error !== undefined);
  for (const { latency, error } of calls) expect(latency).toBeCloseTo(error === undefined ? 10 : 1, 6);
  // A deviation of the share is sqrt(0.3 * 0.7 / 400) = 0.023; four of it.
  expect(Math.abs(failed.length / calls.length - 0.3)).toBeLessThan(0.092);
});

test('failing slowly: calls that end meanwhile fail, after their work', async () => {
  const calls = await told([{ kind: 'failing-slowly', servers: [0], from: 500, until: 1000 }]);
  for (const { at, latency, error } of calls) {
    expect(latency).toBeCloseTo(10, 6);
    expect(error).toBe(at + 10 >= 500 && at + 10 < 1000 ? 'FAILED' : undefined);
  }
});

test('frozen: what is worked on stands still and goes on afterwards, what comes waits', async () => {
  const calls = await told([
    { kind: 'frozen', servers: [0], from: 500, until: 700 },
    { kind: 'frozen', servers: [0], from: 705, until: 800 },
  ]);
  for (const { at, latency, error } of calls) {
    expect(error).toBeUndefined();
    const end = at + latency;
    // In the five ms between the two half of the work that came meanwhile is done.
    if (at < 490 || at >= 800) expect(latency).toBeCloseTo(10, 6);
    else if (at < 495) expect(end).toBeCloseTo(at + 210, 6);
    else if (at < 500) expect(end).toBeCloseTo(at + 210 + 95, 6);
    else if (at < 700) expect(end).toBeCloseTo(805, 6);
    else if (at < 705) expect(end).toBeCloseTo(at + 105, 6);
    else expect(end).toBeCloseTo(810, 6);
  }
});

test('frozen in the midst of work, twice: only what is left is done afterwards', async () => {
  const calls = await told([
    { kind: 'frozen', servers: [0], from: 500, until: 503 },
    { kind: 'frozen', servers: [0], from: 505, until: 600 },
  ]);
  for (const { at, latency } of calls) {
    if (at >= 495 && at < 500) expect(latency).toBeCloseTo(10 + 3 + 95, 6);
  }
  expect(calls.some(({ at }) => at >= 495 && at < 500)).toBe(true);
});

test('frozen for good: calls without time-out never settle, those with one do', async () => {
  const faults = [{ kind: 'frozen', servers: [0], from: 1000 }] as const;
  const lost = await one(faults);
  expect(Object.keys(lost.errors)).toEqual(['never settled']);
  const report = await one(faults, {
    client: ({ env, discovery }) => createClient({ env, discovery, timeout: 300 }),
  });
  expect(report.errors).toEqual({ TIMEOUT: lost.failures });
  expect(report.pendingTimers).toBe(0);
});

test('dead: running calls break off at once, new ones are refused at once', async () => {
  const calls = await told([{ kind: 'dead', servers: [0], from: 500, until: 1000 }]);
  for (const { at, latency, error } of calls) {
    const broken = at > 490 && at < 500;
    const refused = at >= 500 && at < 1000;
    expect(error).toBe(broken ? 'ECONNRESET' : refused ? 'ECONNREFUSED' : undefined);
    expect(latency).toBeCloseTo(broken ? 500 - at : refused ? 0 : 10, 6);
  }
});

test('dead while frozen, and while calls wait in line: nobody is forgotten', async () => {
  const faults: SimulatedFault[] = [
    { kind: 'frozen', servers: [0], from: 400, until: 1200 },
    { kind: 'dead', servers: [0], from: 500, until: 600 },
    { kind: 'dead', servers: [0], from: 1500, until: 1510 },
  ];
  const calls = await told(faults, { server: { concurrency: 1, service: () => 10 } });
  for (const { at, latency, error } of calls) {
    const end = at + latency;
    if (error === 'ECONNRESET') expect(close(end, 500) || close(end, 1500)).toBe(true);
    else if (error === 'ECONNREFUSED')
      expect((at >= 500 && at < 600) || (at >= 1500 && at < 1510)).toBe(true);
    else expect(error).toBeUndefined();
    // Frozen again when it comes back: nothing is served before that is over.
    if (error === undefined && at > 600 && at < 1200) expect(end).toBeGreaterThan(1200);
    if (error === undefined) expect(end < 400 || end > 1200).toBe(true);
  }
  const broken = calls.filter(({ error }) => error === 'ECONNRESET');
  expect(broken.filter(({ at }) => at < 500).length).toBeGreaterThan(30);
  expect(broken.filter(({ at }) => at > 600).length).toBeGreaterThan(30);
});

test('unreachable: running calls and new ones never hear anything, not even afterwards', async () => {
  const report = await one([{ kind: 'unreachable', servers: [0], from: 500, until: 520 }], {
    server: { concurrency: 1000, service: () => 100 },
    rate: 400,
    slot: 10,
  });
  // Who came 100 ms before it began was still at work, and would have been done after it was over.
  const lost = report.timeline.slice(40, 52).reduce((sum, { calls }) => sum + calls, 0);
  expect(report.errors).toEqual({ 'never settled': lost });
  expect(report.latency.max).toBeCloseTo(100, 6);
  expect(report.servers[0]!.failures).toBe(lost);
});

test('flapping: dead and alive in turns, until no more calls come', async () => {
  for (const { at, error } of await told([{ kind: 'flapping', servers: [0], every: 100, from: 300 }])) {
    const turn = Math.floor((at - 300) / 100);
    const next = Math.floor((at + 10 - 300) / 100);
    const dead = at >= 300 && turn % 2 === 0;
    const broken = !dead && at + 10 >= 300 && at + 10 < 2000 && next % 2 === 0;
    expect(error).toBe(dead ? 'ECONNREFUSED' : broken ? 'ECONNRESET' : undefined);
  }
});

test('zone loss: all servers of the zone are dead, no others', async () => {
  const report = await simulate({
    servers: Array.from({ length: 6 }, (_, i) => ({ zone: i % 2 === 0 ? 'a' : 'b' })),
    duration: 1000,
    faults: [{ kind: 'zone-loss', zone: 'b' }],
    client: ({ env, discovery }) =>
      createClient({ env, discovery, balancer: random(), breaker: false, policies: [] }),
  });
  for (const { endpoint, attempts, failures } of report.servers) {
    expect(attempts).toBeGreaterThan(0);
    expect(failures).toBe(endpoint.zone === 'b' ? attempts : 0);
  }
});

test('rolling deploy: each server goes and comes back as another, and no call fails', async () => {
  const ids = new Set<string>();
  const sizes = new Set<number>();
  const report = await simulate({
    servers: 5,
    clients: 3,
    duration: 3000,
    load: 0.3,
    faults: [{ kind: 'rolling-deploy', every: 400, drain: 200, down: 100, from: 500 }],
    client: ({ env, discovery }) => {
      const client = createClient({ env, discovery });
      client.on('attempt', ({ endpoint }) => void ids.add(`${endpoint.id} ${endpoint.port}`));
      client.on('members', ({ size }) => void sizes.add(size));
      return client;
    },
  });
  expect(report.failures).toBe(0);
  expect(report.attemptsPerCall).toBe(1);
  expect([...ids].sort()).toEqual([0, 1, 2, 3, 4].flatMap(i => [`server-${i} 8000`, `server-${i}.1 8001`]));
  expect([...sizes].sort()).toEqual([4, 5]);
  expect(report.servers.map(({ endpoint }) => endpoint.id)).toEqual(
    [0, 1, 2, 3, 4].map(i => `server-${i}.1`),
  );
});

test('rolling deploy, broken off: servers whose turn has not come stay as they are', async () => {
  const { servers } = await simulate({
    servers: 5,
    duration: 1000,
    faults: [{ kind: 'rolling-deploy', servers: [4, 2, 0], every: 100, drain: 50, down: 50, until: 200 }],
    client: usual,
  });
  expect(servers.map(({ endpoint }) => endpoint.id)).toEqual([
    'server-0',
    'server-1',
    'server-2.1',
    'server-3',
    'server-4.1',
  ]);
});

test('rolling deploy without heeding the registry: the old id is refused for good', async () => {
  const faults = [{ kind: 'rolling-deploy', every: 1, drain: 100, down: 100, from: 500 }] as const;
  const stubborn = ({ env, discovery }: ClientPlace): SimulatedClient => {
    const once: typeof discovery = async function* (...given) {
      for await (const set of discovery(...given)) {
        yield set;
        return;
      }
    };
    return bare({ env, discovery: once } as ClientPlace);
  };
  const report = await one(faults, {
    client: stubborn,
    rate: 200,
    server: { concurrency: 1000, service: () => 10 },
  });
  const late = report.timeline.slice(6).reduce((sum, { calls }) => sum + calls, 0);
  expect(report.errors['ECONNREFUSED']).toBe(late);
});

test('scale out: new servers get calls from then on, and none before or after', async () => {
  const report = await simulate({
    servers: 4,
    duration: 1000,
    slot: 100,
    load: 0.2,
    faults: [{ kind: 'scale-out', servers: [2, 3], from: 300, until: 800 }],
    client: usual,
  });
  expect(report.failures).toBe(0);
  for (const server of report.servers.slice(2)) {
    expect(server.timeline.slice(0, 3)).toEqual([0, 0, 0]);
    expect(Math.min(...server.timeline.slice(3, 8))).toBeGreaterThan(0);
    // Whoever was under way when it went is sent again, elsewhere.
    expect(server.timeline.slice(8)).toEqual([0, 0]);
  }
});

test('registry outage: clients keep what they have, and hear of changes when it is back', async () => {
  const errors = new Set<string>();
  const report = await simulate({
    servers: 4,
    duration: 3000,
    slot: 100,
    load: 0.2,
    faults: [
      { kind: 'registry-outage', from: 500, until: 1500 },
      { kind: 'scale-out', servers: [3], from: 800 },
    ],
    client: ({ env, discovery }) => {
      const client = createClient({ env, discovery, follow: { restartAfter: 50, maxRestartAfter: 100 } });
      client.on('discoveryError', error => void errors.add(String(error)));
      return client;
    },
  });
  expect(report.failures).toBe(0);
  expect([...errors]).toEqual(['Error: the registry is out']);
  const { timeline } = report.servers[3]!;
  expect(timeline.slice(0, 15).every(attempts => attempts === 0)).toBe(true);
  // Sources are started afresh 25 to 150 ms after they failed last.
  expect(Math.min(...timeline.slice(18))).toBeGreaterThan(0);
});

test('registry lag: each client hears of a change late, in its own time, and of none twice or out of order', async () => {
  const heard: number[][] = [];
  await simulate({
    servers: 10,
    clients: 20,
    duration: 2000,
    faults: [
      { kind: 'registry-lag', lag: 400 },
      ...[500, 600, 700].map((from, i): SimulatedFault => ({ kind: 'scale-out', servers: [7 + i], from })),
    ],
    client: ({ env, discovery, index }) => {
      heard[index] = [];
      const client = createClient({ env, discovery });
      client.on('members', ({ size }) => {
        expect(size).toBeGreaterThanOrEqual(heard[index]!.length === 0 ? 7 : 8);
        heard[index]!.push(env.clock.now());
      });
      return client;
    },
  });
  const seconds = heard.map(times => times[1]!);
  expect(new Set(seconds).size).toBeGreaterThan(15);
  for (const [first, second, ...rest] of heard) {
    expect(first).toBe(0);
    expect(second).toBeGreaterThanOrEqual(500);
    expect(rest.length).toBeLessThanOrEqual(2);
    expect(rest.at(-1) ?? second).toBeLessThanOrEqual(1100);
  }
});

test('registry split: a share of the clients sees only these servers, for as long as it lasts', async () => {
  const sizes: number[][] = [];
  await simulate({
    servers: 10,
    clients: 20,
    duration: 2000,
    faults: [{ kind: 'registry-split', servers: [1, 2, 3], share: 0.25, from: 500, until: 1000 }],
    client: ({ env, discovery, index }) => {
      sizes[index] = [];
      return createClient({
        env,
        async *discovery(...given) {
          for await (const set of discovery(...given)) {
            sizes[index]!.push(set.length);
            yield set;
          }
        },
      });
    },
  });
  expect(sizes.filter(each => each.join() === '10,3,10').length).toBe(5);
  // The others are not even told once more what they know.
  expect(sizes.filter(each => each.join() === '10').length).toBe(15);
});

test.each([1, 2])(
  'any faults at once: every call is accounted for, and no timer is left (seed %i)',
  async seed => {
    const faults: SimulatedFault[] = [
      { kind: 'slow', servers: [0, 1], factor: 5, from: 100 },
      { kind: 'failing', servers: [1, 2], share: 0.5, from: 200 },
      { kind: 'failing-slowly', servers: [0, 2, 3], share: 0.5, from: 300 },
      { kind: 'frozen', servers: [3, 4], from: 400, until: 900 },
      { kind: 'dead', servers: [4], from: 500, until: 1500 },
      { kind: 'unreachable', servers: [5], from: 600, until: 1200 },
      { kind: 'flapping', servers: [3, 6], every: 70 },
      { kind: 'zone-loss', zone: 'b', from: 1500, until: 1800 },
      { kind: 'rolling-deploy', every: 150, drain: 100, down: 200 },
      { kind: 'scale-out', servers: [8, 9], from: 700 },
      { kind: 'registry-outage', from: 1000, until: 1200 },
      { kind: 'registry-lag', lag: 200 },
      { kind: 'registry-split', servers: [0, 8, 9], share: 0.3, from: 900 },
    ];
    const report = await simulate({
      seed,
      servers: Array.from({ length: 10 }, (_, i) => ({
        zone: i % 3 === 0 ? 'a' : 'b',
        queue: 20,
        service: exponential(5),
      })),
      duration: 2500,
      load: 0.3,
      faults,
      client: ({ env, discovery }) =>
        createClient({ env, discovery, timeout: 800, attemptTimeout: 200, policies: [retry()] }),
    });
    expect(whole(report)).toBe(true);
    expect(report.failures).toBeGreaterThan(0);
    expect(report.failures).toBeLessThan(report.calls / 2);
    expect(report.errors['never settled']).toBeUndefined();
    expect(report.pendingTimers).toBe(0);
    // Where the lines are full, one picker that knows all has to give calls up, too, but fewer.
    expect(report.best.failures).toBeLessThan(report.failures);
  },
);
