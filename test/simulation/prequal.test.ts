import type { Clock } from 'fairlead';
import { expect, test } from 'vitest';
import { createLoadRecorder, type LoadRecorder } from '../../src/balancer/load-recorder.ts';
import { probedServers, quantile, shareOf } from './probed-servers.ts';

const recorder = (clock: Clock): LoadRecorder => createLoadRecorder({ clock });

/** A recorder whose latency is the median of the last calls, however many were in flight. */
function unconditioned(clock: Clock): LoadRecorder {
  const load = createLoadRecorder({ clock });
  const last: number[] = [];
  const latency = (): number => [...last].sort((a, b) => a - b)[last.length >> 1] ?? 0;
  return Object.assign(Object.create(load), {
    begin() {
      const startedAt = clock.now();
      const end = load.begin();
      return () => {
        end();
        last.push(clock.now() - startedAt);
        if (last.length > 16) last.shift();
      };
    },
    toJSON: () => ({ ...load.toJSON(), latency: latency() }),
  });
}

test('servers of which one in ten is four times slower: calls hardly notice; without conditioning they lock up', async () => {
  const grey = {
    servers: 20,
    clients: 10,
    rate: 300, // of 400: 0.81 of what they can do, slow ones counted as a quarter
    duration: 2000,
    health: (server: number) => ({ slow: server < 2 ? 4 : 1 }),
  };
  const sound = await probedServers({ ...grey, recorder });
  // A call takes 46 ms at the 99th percentile of the work alone (10 ms * ln 100); 52 measured, 51 to 54 with other seeds.
  expect(quantile(sound, 0.99, 700)).toBeLessThan(70);
  // Two slow servers can do 100 calls of 20 * 300: a fair tenth would queue without end.
  expect(shareOf(sound, 0, 700) + shareOf(sound, 1, 700)).toBeLessThan(0.03);
  const locked = await probedServers({ ...grey, recorder: unconditioned });
  // Servers that were busy and idle now keep their latency: the few that look quick take it all, and queue.
  expect(quantile(locked, 0.5, 700)).toBeGreaterThan(5 * quantile(sound, 0.5, 700));
});

test('one of fifty servers fails in a millisecond, no breaker, no retry: it gets at most one call in a thousand', async () => {
  const arrivals = await probedServers({
    servers: 50,
    clients: 50,
    rate: 200,
    duration: 2000,
    recorder,
    health: server => ({ failing: server === 0 }),
  });
  // From the first call on. By chance it would be twenty in a thousand; 0.25 measured, 0.05 to 0.3 with other seeds.
  expect(shareOf(arrivals, 0)).toBeLessThan(0.001);
  expect(arrivals.filter(({ failed }) => failed).length / arrivals.length).toBeLessThan(0.001);
});

test('a server that was slow, or failed, gets its share again soon after', async () => {
  const slowThenFailing = await probedServers({
    servers: 8,
    clients: 4,
    rate: 150,
    duration: 24_000,
    recorder: clock => createLoadRecorder({ clock, memory: 5000, failureHalfLife: 500 }),
    health: (server, now) => ({
      slow: server === 0 && now < 1000 ? 20 : 1,
      failing: server === 1 && now < 1000,
    }),
  });
  // An eighth is its share; 0.107 to 0.134 with five seeds.
  for (const server of [0, 1]) {
    expect(shareOf(slowThenFailing, server, 300, 1000)).toBeLessThan(0.02);
    expect(shareOf(slowThenFailing, server, 14_000)).toBeGreaterThan(0.09);
    expect(shareOf(slowThenFailing, server, 14_000)).toBeLessThan(0.16);
  }
});
