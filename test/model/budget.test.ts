import type { RetryBudgetOptions } from 'fairlead/core';
import fc from 'fast-check';
import type { Settled } from '../../src/base/options.ts';
import { BudgetDriver } from './budget-driver.ts';
import { STEPS } from './steps.ts';
import { walks } from './walk.ts';

const options: fc.Arbitrary<Settled<RetryBudgetOptions>> = fc.record({
  ratio: fc.constantFrom(0, 0.1, 0.2, 0.5, 0.6, 1, 2.5),
  minPerSecond: fc.constantFrom(0, 0.5, 1, 10),
  window: fc.constantFrom(1, 90, 100, 333, 1000, 10_000),
});

walks<BudgetDriver, Settled<RetryBudgetOptions>>({
  name: 'a retry is granted if the calls and retries of the window say so, also those that wait, and no window holds more than stated',
  Driver: BudgetDriver,
  file: 'budget-driver.ts',
  options,
  steps: [
    { do: 'calls', weight: 3, args: fc.tuple(fc.integer({ min: 1, max: 20 })) },
    { do: 'retry', weight: 3, args: fc.tuple(fc.boolean()) },
    { do: 'retries', args: fc.tuple(fc.integer({ min: 1, max: 30 }), fc.boolean()) },
    { do: 'wake', weight: 2, when: ({ waiting }) => waiting > 0 },
    { do: 'wait', args: fc.tuple(fc.constantFrom(0.5, 1, 7, 33, 100, 1001, 20_000)) },
    {
      do: 'tenths',
      weight: 2,
      args: fc.tuple(fc.constantFrom(1, 1, 2, 9, 10, 11), fc.constantFrom(-1, 0, 0, 1)),
    },
  ],
  least: STEPS.budget,
});
