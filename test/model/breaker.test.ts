import type { Outcome } from 'fairlead/core';
import fc from 'fast-check';
import { BreakerDriver, type BreakerOptions } from './breaker-driver.ts';
import { STEPS } from './steps.ts';
import { walks } from './walk.ts';

const opening = {
  openFor: fc.constantFrom(1, 10, 100, 1000),
  growth: fc.constantFrom(1, 2, 5, 1000),
  probes: fc.constantFrom(1, 1, 2, 3),
  jitter: fc.constantFrom(0, 0.2, 1),
  seed: fc.nat(1e6),
};

const flat = <T extends { over: object; slow: object }>({ over, slow, ...rest }: T) => ({
  ...rest,
  ...over,
  ...slow,
});

const options: fc.Arbitrary<BreakerOptions> = fc
  .oneof(
    fc.record({
      kind: fc.constant('consecutiveFailures' as const),
      threshold: fc.constantFrom(1, 2, 3, 5),
      failingFor: fc.constantFrom(0, 20, 300, 1000, Infinity),
      ...opening,
    }),
    fc.record({
      kind: fc.constant('failureRate' as const),
      threshold: fc.constantFrom(0.01, 0.28, 0.5, 1),
      over: fc.oneof(
        fc.record({ window: fc.constantFrom(1, 10, 100, 333, 1000) }),
        fc.record({ lastCalls: fc.constantFrom(12, 13, 32, 40) }),
      ),
      minCalls: fc.constantFrom(1, 2, 5, 12),
      slowerThan: fc.constantFrom(0, 10, 100, Infinity, Infinity),
      slow: fc.constantFrom({}, {}, { slowThreshold: 0.4 }, { slowThreshold: 1 }),
      ...opening,
    }),
  )
  .map(({ growth, ...rest }) => ({
    ...('over' in rest ? flat(rest) : rest),
    maxOpenFor: rest.openFor * growth,
  }));

const outcome = fc.constantFrom<Outcome>('failure', 'failure', 'success', 'ignored');

walks<BreakerDriver, BreakerOptions>({
  name: 'a breaker does what its history says, whatever begins, ends late, or is hinted at',
  Driver: BreakerDriver,
  file: 'breaker-driver.ts',
  options,
  steps: [
    { do: 'begin', weight: 4 },
    { do: 'end', weight: 4, args: fc.tuple(fc.nat(9), outcome), when: ({ running }) => running > 0 },
    { do: 'calls', weight: 2, args: fc.tuple(fc.integer({ min: 1, max: 6 }), outcome) },
    { do: 'wait', weight: 2, args: fc.tuple(fc.constantFrom(0.4, 1, 5, 10, 33, 34, 99, 100, 250, 1000)) },
    {
      do: 'lapse',
      weight: 2,
      args: fc.tuple(fc.constantFrom(-1, -0.5, 0, 0, 1)),
      when: ({ state }) => state !== 'closed',
    },
    { do: 'hint' },
  ],
  least: STEPS.breaker,
});
