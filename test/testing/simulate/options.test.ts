import { Call } from 'fairlead';
import { seededRandom } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import {
  type ClientPlace,
  constant,
  exponential,
  lognormal,
  pareto,
  type SimulatedFault,
  type SimulateOptions,
  simulate,
} from '../../../src/testing/simulate/index.ts';
import { bare, one } from './helpers.ts';

const bad: readonly (readonly [string, object, ErrorConstructor])[] = [
  ['seed is -1', { seed: -1 }, RangeError],
  ['seed is 0.5', { seed: 0.5 }, RangeError],
  ['seed is "x"', { seed: 'x' }, TypeError],
  ['clients is 0', { clients: 0 }, RangeError],
  ['clients is 1001', { clients: 1001 }, RangeError],
  ['clients is 1.5', { clients: 1.5 }, RangeError],
  ['servers is 0', { servers: 0 }, RangeError],
  ['servers is 1001', { servers: 1001 }, RangeError],
  ['servers is null', { servers: null }, TypeError],
  ['servers length is 0', { servers: [] }, RangeError],
  ['server 1 is null', { servers: [{}, null] }, TypeError],
  ['concurrency of server 0 is 0', { server: { concurrency: 0 } }, RangeError],
  ['queue of server 0 is -1', { server: { queue: -1 } }, RangeError],
  ['service of server 1 is 5', { servers: [{}, { service: 5 }] }, TypeError],
  ['weight of server 0 is NaN', { server: { weight: Number.NaN } }, RangeError],
  ['priority of server 0 is 0.5', { server: { priority: 0.5 } }, RangeError],
  ['zone of server 0 is ""', { server: { zone: '' } }, TypeError],
  ['client is undefined', { client: undefined }, TypeError],
  ['client run is undefined', { client: () => ({ close() {} }) }, TypeError],
  ['client close is undefined', { client: () => ({ async run() {} }) }, TypeError],
  ['duration is 0', { duration: 0 }, RangeError],
  ['duration is Infinity', { duration: Number.POSITIVE_INFINITY }, RangeError],
  ['warmup is 100; it must be less than duration', { duration: 100, warmup: 100 }, RangeError],
  ['rate is 0', { rate: 0 }, RangeError],
  ['rate at 0 ms is -1', { rate: () => -1 }, RangeError],
  ['load is 0', { load: 0 }, RangeError],
  ['load is 0.5; it must be left out', { load: 0.5, rate: 10 }, TypeError],
  ['load is 0.5; it must be such', { load: 0.5, server: { service: () => 0 } }, RangeError],
  ['the mean of a service is NaN', { server: { service: () => Number.NaN } }, RangeError],
  ['a service time of server 0 is -1', { rate: 10, server: { service: () => -1 } }, RangeError],
  ['network is -1', { network: -1 }, RangeError],
  ['network from a to undefined is NaN', { clientZones: ['a'], network: () => Number.NaN }, RangeError],
  ['clientZones is "a"', { clientZones: 'a' }, TypeError],
  ['a client zone is 1', { clientZones: [1] }, TypeError],
  ['key is "k"', { key: 'k' }, TypeError],
  ['a key is 5', { key: () => 5 }, TypeError],
  ['repeatable is 1', { repeatable: 1 }, TypeError],
  ['slot is 0.01', { slot: 0.01, duration: 1000 }, RangeError],
  ['faults is 1', { faults: 1 }, TypeError],
  ['kind of fault 0 is undefined', { faults: [null] }, TypeError],
  ['kind of fault 1 is "tired"', { faults: [{ kind: 'frozen', servers: [] }, { kind: 'tired' }] }, TypeError],
];
const badFaults: readonly (readonly [string, object, ErrorConstructor])[] = [
  ['servers of fault 0 is 10', { kind: 'dead', servers: [10] }, RangeError],
  ['servers of fault 0 is undefined', { kind: 'dead' }, TypeError],
  ['servers of fault 0 is 1,1', { kind: 'dead', servers: [1, 1] }, RangeError],
  ['from of fault 0 is -1', { kind: 'dead', servers: [0], from: -1 }, RangeError],
  ['until of fault 0 is 5', { kind: 'dead', servers: [0], from: 5, until: 5 }, RangeError],
  ['factor of fault 0 is undefined', { kind: 'slow', servers: [0] }, TypeError],
  ['factor of fault 0 is 0', { kind: 'slow', servers: [0], factor: 0 }, RangeError],
  ['share of fault 0 is 2', { kind: 'failing', servers: [0], share: 2 }, RangeError],
  ['after of fault 0 is -1', { kind: 'failing', servers: [0], after: -1 }, RangeError],
  ['every of fault 0 is undefined', { kind: 'flapping', servers: [0] }, TypeError],
  ['every of fault 0 is 0', { kind: 'flapping', servers: [0], every: 0 }, RangeError],
  ['every of fault 0 is undefined', { kind: 'rolling-deploy' }, TypeError],
  ['down of fault 0 is 0', { kind: 'rolling-deploy', every: 1, down: 0 }, RangeError],
  ['zone of fault 0 is "z"', { kind: 'zone-loss', zone: 'z' }, TypeError],
  ['lag of fault 0 is undefined', { kind: 'registry-lag' }, TypeError],
  ['share of fault 0 is undefined', { kind: 'registry-split', servers: [0] }, TypeError],
];

test.each([
  ...bad,
  ...badFaults.map(([message, fault, kind]) => [message, { faults: [fault] }, kind] as const),
])('an option is refused: %s', async (message, options, kind) => {
  const error: unknown = await simulate({
    duration: 1000,
    client: bare,
    ...options,
  } as SimulateOptions).catch(refusal => refusal);
  expect(error).toBeInstanceOf(kind);
  expect((error as Error).message).toContain(message);
});

test('what a factory of clients throws is the error, and the clients before it are closed', async () => {
  let closed = 0;
  const broken = new Error('no client');
  const client = (place: ClientPlace) => {
    if (place.index === 2) throw broken;
    const { run, close } = bare(place);
    return {
      run,
      close() {
        closed++;
        close();
      },
    };
  };
  await expect(one([], { clients: 5, client })).rejects.toBe(broken);
  expect(closed).toBe(2);
});

test('what the options throw on the way, or a client when it closes, is the error; clients are closed', async () => {
  const broken = new Error('broken');
  const throws = (): never => {
    throw broken;
  };
  let closed = 0;
  const client: SimulateOptions['client'] = place => ({
    ...bare(place),
    close() {
      closed++;
      throw broken;
    },
  });
  await expect(one([], { client, clients: 3 })).rejects.toBe(broken);
  expect(closed).toBe(3);
  await expect(one([], { client, server: { service: throws } })).rejects.toBe(broken);
  expect(closed).toBe(4);
  await expect(one([], { rate: throws })).rejects.toBe(broken);
  await expect(one([], { key: throws })).rejects.toBe(broken);
});

test('a client that throws, or rejects with what is no error, has failed calls', async () => {
  let calls = 0;
  const client: SimulateOptions['client'] = place => ({
    ...bare(place),
    run() {
      calls++;
      if (calls % 3 === 0) throw new Error('thrown');
      return Promise.reject(calls % 3 === 1 ? undefined : { code: 7 });
    },
  });
  const report = await one([], { client });
  expect(report.failures).toBe(report.calls);
  expect(Object.keys(report.errors)).toEqual(['7', 'thrown', 'undefined']);
  expect(report.latency.p50).toBeNaN();
});

test('errors of very many kinds are counted, not all of them by name', async () => {
  let calls = 0;
  const client: SimulateOptions['client'] = place => ({
    ...bare(place),
    run: () => Promise.reject(new Error(`number ${calls++}`)),
  });
  const { errors, failures } = await one([], { client, rate: 1000 });
  expect(Object.keys(errors).length).toBe(101);
  expect(errors['others']).toBe(failures - 100);
});

test('an endpoint that is no server is not found', async () => {
  const client: SimulateOptions['client'] = place => ({
    ...bare(place),
    run: async task => task({ id: 'elsewhere', host: 'h', port: 1 }, undefined, new Call()),
  });
  const report = await one([], { client });
  expect(report.errors).toEqual({ ENOTFOUND: report.calls });
  expect(report.attemptsPerCall).toBe(0);
});

describe('distributions', () => {
  test.each([
    ['constant', constant(5), 0],
    ['exponential', exponential(5), 5],
    ['lognormal', lognormal(5, 0.5), 5 * Math.sqrt(Math.exp(0.25) - 1)],
    ['pareto', pareto(5, 4), 5 / Math.sqrt(8)],
  ])('%s has the mean it says, and its deviation', (_, draw, deviation) => {
    const random = seededRandom(3);
    const values = Array.from({ length: 200_000 }, () => draw(random));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(draw.mean).toBe(5);
    // Five deviations of the mean; the deviation itself, of tails so moderate, is right to a few percent.
    expect(Math.abs(mean - 5)).toBeLessThanOrEqual((5 * deviation) / Math.sqrt(values.length) + 1e-9);
    const found = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(Math.abs(found - deviation)).toBeLessThanOrEqual(0.05 * deviation + 1e-9);
    expect(Math.min(...values.slice(0, 1000))).toBeGreaterThanOrEqual(0);
  });

  test('bad parameters are refused', () => {
    expect(() => constant(-1)).toThrow('constant is -1');
    expect(() => exponential(Number.NaN)).toThrow('exponential mean is NaN');
    expect(() => lognormal(0)).toThrow('lognormal mean is 0');
    expect(() => lognormal(1, 6)).toThrow('lognormal sigma is 6');
    expect(() => pareto(1, 1)).toThrow('pareto shape is 1');
  });
});

test('the mean of a distribution that does not say is found out, so that load means what it says', async () => {
  const said = { service: exponential(20), concurrency: 2 };
  const unsaid = { service: (random: () => number) => 40 * random(), concurrency: 2 };
  const duration = 100_000;
  const [a, b] = await Promise.all(
    [said, unsaid].map(server => simulate({ servers: 5, server, duration, client: bare, load: 0.1 })),
  );
  // 5 * 2 / 20 ms * 0.1 * 100 000 ms = 5000: four deviations of a Poisson variable.
  for (const { calls } of [a!, b!]) expect(Math.abs(calls - 5000)).toBeLessThan(4 * Math.sqrt(5000));
});

test('a fault may have no servers, or touch only the registry', async () => {
  const faults: SimulatedFault[] = [
    { kind: 'dead', servers: [] },
    { kind: 'rolling-deploy', servers: [], every: 1 },
    { kind: 'registry-split', servers: [0], share: 0 },
  ];
  expect((await one(faults)).failures).toBe(0);
});
