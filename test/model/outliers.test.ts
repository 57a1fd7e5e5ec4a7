import type { Outcome } from 'fairlead/core';
import fc from 'fast-check';
import { OutlierDriver, type OutlierWalk } from './outliers-driver.ts';
import { STEPS } from './steps.ts';
import { walks } from './walk.ts';

const options: fc.Arbitrary<OutlierWalk> = fc.record({
  rules: fc
    .record({
      consecutive: fc.constantFrom(2, 5, Infinity),
      failureShare: fc.constantFrom(0.3, 0.5, 1, 2),
      deviations: fc.constantFrom(0, 1, 1.9, Infinity),
      worseBy: fc.constantFrom(0, 0.1, 0.3),
      slowness: fc.constantFrom(1, 2, 3, Infinity),
      slowerBy: fc.constantFrom(0, 10),
      interval: fc.constantFrom(1, 100, 1000),
      minCalls: fc.constantFrom(1, 3, 5, 10),
      minMembers: fc.constantFrom(2, 3, 4),
      maxEjected: fc.constantFrom(0, 0.3, 0.5, 1),
      openFor: fc.constantFrom(10, 300, 2000),
      growth: fc.constantFrom(1, 3, 100),
      probes: fc.constantFrom(1, 2),
      jitter: fc.constantFrom(0, 0.2),
    })
    .map(({ growth, ...rest }) => ({ ...rest, maxOpenFor: rest.openFor * growth })),
  members: fc.integer({ min: 1, max: 6 }),
  seed: fc.nat(1e6),
});

const outcome = fc.constantFrom<Outcome>('failure', 'failure', 'success', 'ignored');
const which = fc.nat(11);
const ms = fc.constantFrom(0, 1, 3, 10, 40);
const present = (driver: OutlierDriver): boolean => driver.present > 0;

walks<OutlierDriver, OutlierWalk>({
  name: 'who is ejected is who stands out in the lists of all that was done, and no more than may be',
  Driver: OutlierDriver,
  file: 'outliers-driver.ts',
  options,
  steps: [
    { do: 'begin', weight: 4, args: fc.tuple(which), when: present },
    { do: 'end', weight: 4, args: fc.tuple(which, outcome), when: ({ running }) => running > 0 },
    {
      do: 'calls',
      weight: 4,
      args: fc.tuple(which, fc.integer({ min: 1, max: 12 }), ms, fc.constantFrom(1, 2, 3, 100)),
      when: present,
    },
    {
      do: 'round',
      weight: 4,
      args: fc.tuple(fc.integer({ min: 1, max: 10 }), ms, which, ms, fc.nat(10)),
      when: present,
    },
    { do: 'wait', weight: 2, args: fc.tuple(fc.constantFrom(1, 10, 99, 100, 250, 1000, 5000)) },
    { do: 'interval', weight: 3, args: fc.tuple(fc.constantFrom(-1, 0, 0, 1)) },
    { do: 'join' },
    { do: 'leave', args: fc.tuple(which), when: ({ present }) => present > 1 },
  ],
  least: STEPS.outliers,
  longest: 60,
});
