import {
  Call,
  inFlight,
  leastRequest,
  p2c,
  peakEwma,
  random,
  ring,
  roundRobin,
  weightedRoundRobin,
} from 'fairlead';
import { manualClock, members, testEnv } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { describeBalancer } from './balancer.ts';

describeBalancer('roundRobin', () => roundRobin(), { shares: 'even', tolerance: 0.001 });
describeBalancer('weightedRoundRobin', () => weightedRoundRobin(), { tolerance: 0.001 });
describeBalancer('random', () => random());
describeBalancer('p2c with inFlight', () => p2c({ load: inFlight() }));
describeBalancer('p2c with peakEwma', () => p2c({ load: peakEwma() }));
describeBalancer('leastRequest, looking at all', () => leastRequest({ scan: 100 }));
describeBalancer('leastRequest, drawing two', () => leastRequest({ scan: 0 }));
describeBalancer('leastRequest', () => leastRequest());
// By the hash space it owns: with 160 points per unit of weight one standard deviation is 8 % for a weight of
// 1.
describeBalancer('ring', () => ring(), { tolerance: 0.4 });

test.each([
  ['inFlight', inFlight()],
  ['peakEwma', peakEwma()],
])('%s is back where it was when a thousand calls are over', (_, make) => {
  const balancer = { load: make };
  const clock = manualClock();
  const [member] = members(['a'], { balancer: { ...balancer, picker: () => () => undefined } });
  const costs = [0, 1, 2].map(round => {
    const attempts = Array.from({ length: round === 1 ? 1000 : 1 }, () =>
      member!.begin({ clock, observer: undefined }, 0),
    );
    for (const attempt of attempts) attempt.end('success');
    return member!.load.cost(0);
  });
  expect(member!.inFlight).toBe(0);
  expect(costs[1]).toBe(costs[0]);
  expect(costs[2]).toBe(costs[0]);
});

test.each([
  ['p2c with inFlight', () => p2c()],
  ['p2c with peakEwma', () => p2c({ load: peakEwma() })],
  ['leastRequest', () => leastRequest()],
])('of two members, %s leaves a busy one alone', (_, make) => {
  for (const busy of [0, 1]) {
    const balancer = make();
    const env = testEnv();
    const of = members(['a', 'b'], { balancer });
    for (let i = 0; i < 3; i++) of[busy]!.begin({ clock: env.clock, observer: undefined }, 0);
    const picker = balancer.picker(of, env);
    for (let i = 0; i < 100; i++) expect(picker(new Call(), 0)).toBe(of[1 - busy]);
  }
});
