import type { BreakerState } from 'fairlead/core';
import fc from 'fast-check';
import { type Answer, HealthDriver, type Mood } from './health-driver.ts';
import type { HealthRules } from './health-model.ts';
import { STEPS } from './steps.ts';
import { walks } from './walk.ts';

type Options = HealthRules & { readonly seed: number };

const options: fc.Arbitrary<Options> = fc.record({
  interval: fc.constantFrom(1, 100, 1000),
  unhealthyInterval: fc.constantFrom(1, 50, 2000),
  edgeInterval: fc.constantFrom(1, 20, 500),
  jitter: fc.constantFrom(0, 0.1, 1),
  timeout: fc.constantFrom(1, 30, 400),
  unhealthyThreshold: fc.constantFrom(1, 2, 3),
  healthyThreshold: fc.constantFrom(1, 2, 3),
  concurrency: fc.constantFrom(1, 2, 3, 10),
  perSecond: fc.constantFrom(0.5, 2, 3.5, 20),
  seed: fc.nat(1e6),
});

const member = fc.nat(4);
const answer = fc.constantFrom<Answer>('passes', 'is false', 'rejects');
const mood = fc.constantFrom<Mood>('passes', 'is false', 'rejects', 'throws', 'hangs', 'hangs');
const there = fc.boolean();

walks<HealthDriver, Options>({
  name: 'members are checked when due, as often and as many at once as may be, and are as ill as their checks say',
  Driver: HealthDriver,
  file: 'health-driver.ts',
  options,
  steps: [
    { do: 'set', weight: 2, args: fc.tuple(there, there, there, there, there) },
    { do: 'replace' },
    { do: 'mood', weight: 3, args: fc.tuple(member, mood) },
    { do: 'breaker', args: fc.tuple(member, fc.constantFrom<BreakerState>('closed', 'open', 'half-open')) },
    { do: 'answer', weight: 4, args: fc.tuple(fc.nat(9), answer), when: ({ pending }) => pending > 0 },
    { do: 'wait', weight: 3, args: fc.tuple(fc.constantFrom(0, 1, 10, 30, 100, 400, 1500)) },
    { do: 'due', weight: 5 },
  ],
  least: STEPS.health,
});
