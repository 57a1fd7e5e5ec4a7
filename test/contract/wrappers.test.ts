import {
  type Balancer,
  inFlight,
  leastRequest,
  p2c,
  peakEwma,
  ring,
  roundRobin,
  weightedRoundRobin,
} from 'fairlead';
import { drain } from '../../src/balancer/drain.ts';
import type { Inner } from '../../src/balancer/inner.ts';
import { preferZone } from '../../src/balancer/prefer-zone.ts';
import { priority } from '../../src/balancer/priority.ts';
import { slowStart } from '../../src/balancer/slow-start.ts';
import { subset } from '../../src/balancer/subset.ts';
import { describeBalancer } from './balancer.ts';

const WRAPPERS: readonly (readonly [string, (inner: Inner) => Balancer])[] = [
  ['priority', inner => priority(inner)],
  ['preferZone', inner => preferZone(inner, { zone: 'zone-a' })],
  ['subset larger than the set', inner => subset(inner, { size: 100 })],
  ['slowStart', inner => slowStart(inner)],
  ['drain', inner => drain(inner, { grace: 1000 })],
  ['priority of preferZone', inner => priority(() => preferZone(inner, { zone: 'zone-b', overload: 1 }))],
  [
    'all at once',
    inner =>
      drain(() =>
        slowStart(() => preferZone(() => priority(() => subset(inner, { size: 100 })), { zone: 'zone-a' })),
      ),
  ],
];

// Runs are few, for there are many combinations.
const fastCheck = { numRuns: 15 };

for (const [name, wrap] of WRAPPERS) {
  describeBalancer(`${name} round roundRobin`, () => wrap(roundRobin), {
    shares: 'even',
    tolerance: 0.001,
    fastCheck,
  });
  describeBalancer(`${name} round leastRequest`, () => wrap(() => leastRequest()), { fastCheck });
  describeBalancer(`${name} round ring`, () => wrap(() => ring()), { tolerance: 0.4, fastCheck });
}
describeBalancer('priority of preferZone round p2c', () => WRAPPERS[5]![1](() => p2c({ load: inFlight() })), {
  fastCheck,
});

// Where members are left alone on purpose, calls are not shared out among all.
const SOME: readonly (readonly [string, (inner: Inner) => Balancer])[] = [
  ['a subset of 3', inner => subset(inner, { size: 3 })],
  ['an aperture', inner => subset(inner, { size: 2, client: { index: 1, of: 7 } })],
  [
    'members of which some drain',
    inner => drain(inner, { draining: ({ port }) => port % 3 === 0, grace: 1000 }),
  ],
  [
    'a subset of 2 of some priorities',
    inner => priority(() => subset(() => slowStart(inner), { size: 2 }), { overprovisioning: 1 }),
  ],
];

for (const [name, wrap] of SOME) {
  describeBalancer(`${name} round weightedRoundRobin`, () => wrap(weightedRoundRobin), {
    shares: false,
    fastCheck,
  });
  describeBalancer(`${name} round leastRequest`, () => wrap(() => leastRequest({ load: peakEwma() })), {
    shares: false,
    fastCheck,
  });
  describeBalancer(`${name} round ring`, () => wrap(() => ring({ points: 16 })), {
    shares: false,
    fastCheck,
  });
}
