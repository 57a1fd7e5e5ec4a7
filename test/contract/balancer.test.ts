import {
  type Balancer,
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
import {
  envoyMaglev,
  envoyRing,
  grpcRing,
  haproxyRing,
  libmemcachedRing,
  nginxRing,
  twemproxyRing,
} from 'fairlead/dialects';
import { manualClock, members, testEnv } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { jump } from '../../src/balancer/jump.ts';
import { maglev } from '../../src/balancer/maglev.ts';
import { prequal } from '../../src/balancer/prequal.ts';
import { rendezvous } from '../../src/balancer/rendezvous.ts';
import { smoothWeighted } from '../../src/balancer/smooth-weighted.ts';
import { staticStride } from '../../src/balancer/static-stride.ts';
import { utilizationRoundRobin } from '../../src/balancer/utilization-round-robin.ts';
import { answered } from '../balancer/answered.ts';
import { describeBalancer } from './balancer.ts';

describeBalancer('roundRobin', () => roundRobin(), { shares: 'even', tolerance: 0.001 });
describeBalancer('weightedRoundRobin', () => weightedRoundRobin(), { tolerance: 0.001 });
describeBalancer('smoothWeighted', () => smoothWeighted(), { tolerance: 0.001 });
describeBalancer('staticStride', () => staticStride(), { tolerance: 0.001 });
describeBalancer('utilizationRoundRobin', () => utilizationRoundRobin(), { tolerance: 0.001 });
describeBalancer('random', () => random());
describeBalancer('p2c with inFlight', () => p2c({ load: inFlight() }));
describeBalancer('p2c with peakEwma', () => p2c({ load: peakEwma() }));
describeBalancer('leastRequest, looking at all', () => leastRequest({ scan: 100 }));
describeBalancer('leastRequest, drawing two', () => leastRequest({ scan: 0 }));
describeBalancer('leastRequest', () => leastRequest());
// The laws wait for nothing, so no answer comes.
describeBalancer('prequal without answers', () =>
  prequal({ probe: async () => ({ inFlight: 0, latency: 1 }) }),
);
describeBalancer('prequal with all its answers', answered);
// By the hash space it owns: with 160 points per unit of weight one standard deviation is 8 % for a weight of
// 1.
describeBalancer('ring', () => ring(), { tolerance: 0.4 });
describeBalancer('ring, bounded, jumping', () => ring({ boundedLoad: 1.25, overflow: 'jump' }), {
  tolerance: 0.4,
});
describeBalancer('maglev', () => maglev({ size: 4099 }));
describeBalancer('maglev, bounded', () => maglev({ size: 4099, boundedLoad: 1.5 }));
describeBalancer('rendezvous', () => rendezvous());
describeBalancer('rendezvous, bounded', () => rendezvous({ boundedLoad: 1.25 }));
describeBalancer('jump, each member a shard', () => jumpByPlace(1), { shares: 'even' });
// A shard's share goes to its replicas, so it is neither even nor by weight.
describeBalancer('jump with replicas', () => jumpByPlace(2), { shares: false });

/** Their points are hashed one by one for each set, which is most of what a law takes. */
const FEWER = { fastCheck: { numRuns: 15 } };
const byId = { name: ({ id }: { readonly id: string }) => id };
// Of rings with 1024 points and more for five members, and of 160 for a weight of 1.
describeBalancer('envoyRing', () => envoyRing(byId), { tolerance: 0.4, ...FEWER });
describeBalancer('grpcRing', () => grpcRing(byId), { tolerance: 0.4, ...FEWER });
// Its second hash mirrors the first, so the keys of one refused are shared out less evenly than by chance.
describeBalancer('envoyMaglev', () => envoyMaglev({ tableSize: 4099, ...byId }), {
  tolerance: 0.3,
  ...FEWER,
});
describeBalancer('nginxRing', () => nginxRing(byId), { tolerance: 0.4, ...FEWER });
describeBalancer('twemproxyRing', () => twemproxyRing(byId), { tolerance: 0.4, ...FEWER });
describeBalancer('libmemcachedRing', () => libmemcachedRing(byId), { tolerance: 0.4, ...FEWER });
describeBalancer('libmemcachedRing, unweighted', () => libmemcachedRing({ weighted: false, ...byId }), {
  shares: 'even',
  tolerance: 0.4,
  ...FEWER,
});
// 16 points for a weight of 1: one standard deviation is a fifth of a share.
describeBalancer('haproxyRing', () => haproxyRing({ id: counted() }), { tolerance: 0.6, ...FEWER });

/** Numbers for ids, from 1, in the order they are first seen. */
function counted(): (endpoint: { readonly id: string }) => number {
  const ids: string[] = [];
  return ({ id }) => (ids.includes(id) ? ids.indexOf(id) : ids.push(id) - 1) + 1;
}

/** The jump balancer for sets of any endpoints: numbered by their order, so many of them to a shard. */
function jumpByPlace(replicas: number): Balancer {
  const shards = new Map<string, number>();
  const balancer = jump({ shard: ({ id }) => shards.get(id)! });
  return {
    ...balancer,
    picker(all, env) {
      const count = Math.ceil(all.length / replicas);
      for (const [i, { endpoint }] of all.entries()) shards.set(endpoint.id, i % count);
      return balancer.picker(all, env);
    },
  };
}

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
