import { expect, test } from 'vitest';
import {
  type ClientPlace,
  type ServerNews,
  type SimulatedClient,
  type SimulatedFault,
  simulate,
} from '../../../src/testing/simulate/index.ts';
import { Meter } from '../../../src/testing/simulate/meter.ts';
import { bare, one } from './helpers.ts';

test('a meter tells of the last second: how busy it was, and how many calls ended and failed', () => {
  const meter = new Meter(4, 0);
  expect(meter.news(0, 0)).toEqual({ inFlight: 0, latency: 0, utilization: 0, rps: 0, eps: 0 });
  meter.busy(2, 0);
  // Younger than a second: over its life.
  expect(meter.news(2, 50).utilization).toBeCloseTo(0.5, 6);
  for (let at = 10; at <= 2000; at += 10) meter.ended(1, 10, at % 40 === 0, at);
  const busy = meter.news(2, 2000);
  expect(busy.utilization).toBeCloseTo(0.5, 6);
  expect(Math.abs(busy.rps - 100)).toBeLessThan(2);
  expect(Math.abs(busy.eps - 25)).toBeLessThan(2);
  meter.busy(4, 2000);
  // Slots of 100 ms: from 1600 on at 2500, half of it busy with two, half with four, and a bit.
  expect(meter.news(4, 2500).utilization).toBeCloseTo((400 * 2 + 500 * 4) / (900 * 4), 6);
  meter.busy(0, 3000);
  const idle = meter.news(0, 60_000);
  expect(idle.utilization).toBe(0);
  expect(idle.rps).toBe(0);
});

test('its latency is the median of those that found about as many in flight', () => {
  const meter = new Meter(4, 0);
  for (let i = 1; i <= 9; i++) meter.ended(0, i, false, i);
  for (let i = 1; i <= 9; i++) meter.ended(10, 100 * i, false, 10 + i);
  meter.ended(0, 10_000, true, 30); // a failure says nothing of latency
  expect(meter.news(0, 40).latency).toBe(5);
  expect(meter.news(10, 40).latency).toBe(500);
  // The nearest of which anything is known.
  expect(meter.news(1, 40).latency).toBe(5);
  expect(meter.news(500, 40).latency).toBe(500);
  // The latest sixteen count.
  for (let i = 0; i < 16; i++) meter.ended(0, 70, false, 50 + i);
  expect(meter.news(0, 80).latency).toBe(70);
});

/** Probes the one server at these times. Answers what came of it, by when it was asked. */
async function probed(
  times: readonly number[],
  faults: readonly SimulatedFault[],
  signal?: (place: ClientPlace) => AbortSignal,
) {
  const heard = new Map<number, { readonly at: number; readonly result: ServerNews | string }>();
  const client = (place: ClientPlace): SimulatedClient => {
    const { clock } = place.env;
    const endpoint = { id: 'server-0', host: 'h', port: 1 };
    for (const time of times) {
      clock.after(time, () => {
        place.probe(endpoint, signal?.(place)).then(
          result => heard.set(time, { at: clock.now(), result }),
          error => heard.set(time, { at: clock.now(), result: error.code ?? error.message }),
        );
      });
    }
    return bare(place);
  };
  const report = await one(faults, {
    client,
    network: 2,
    rate: 200,
    server: { concurrency: 4, service: () => 10 },
  });
  expect(report.servers[0]!.attempts).toBe(report.calls); // probes are none
  return heard;
}

test('a probe is there and back in network time, and tells of the server', async () => {
  const heard = await probed([1500], []);
  const { at, result } = heard.get(1500)!;
  expect(at).toBe(1502);
  const { utilization, rps, eps, latency } = result as ServerNews;
  // 200 calls a second of 10 ms, at four workers; four deviations of 14 calls.
  expect(Math.abs(rps - 200)).toBeLessThan(60);
  expect(Math.abs(utilization - 0.5)).toBeLessThan(0.15);
  expect(latency).toBeGreaterThanOrEqual(10);
  expect(eps).toBe(0);
});

test('a probe of the dead is refused, of the frozen waits, of the unreachable is lost, of the failing tells', async () => {
  const heard = await probed(
    [300, 500, 700, 900, 1400],
    [
      { kind: 'dead', servers: [0], from: 200, until: 400 },
      { kind: 'frozen', servers: [0], from: 450, until: 600 },
      { kind: 'unreachable', servers: [0], from: 650, until: 800 },
      { kind: 'failing', servers: [0], from: 800, until: 1000, share: 0.5 },
    ],
  );
  expect(heard.get(300)).toEqual({ at: 302, result: 'ECONNREFUSED' });
  expect(heard.get(500)!.at).toBe(601);
  expect(heard.has(700)).toBe(false);
  expect((heard.get(900)!.result as ServerNews).eps).toBeGreaterThan(10);
});

test('a probe that is given up rejects at once with the reason', async () => {
  const heard = await probed([500], [{ kind: 'frozen', servers: [0], from: 450 }], ({ env }) => {
    const controller = new AbortController();
    env.clock.after(30, () => controller.abort(new Error('enough')));
    return controller.signal;
  });
  expect(heard.get(500)).toEqual({ at: 530, result: 'enough' });
});

test('a call that succeeds resolves to the news of its server', async () => {
  const news: ServerNews[] = [];
  await simulate({
    servers: 1,
    clients: 1,
    duration: 500,
    rate: 100,
    client: place => {
      const { run, close } = bare(place);
      return {
        async run(task, options) {
          const result = await run(task, options);
          news.push(result as ServerNews);
          return result;
        },
        close,
      };
    },
  });
  expect(news.length).toBeGreaterThan(20);
  for (const { inFlight, latency, rps } of news) {
    expect(inFlight).toBeGreaterThanOrEqual(0);
    expect(latency).toBeGreaterThan(0);
    expect(rps).toBeGreaterThan(0);
  }
});
