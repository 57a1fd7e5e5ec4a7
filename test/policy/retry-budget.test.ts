import { type RetryBudget, retryBudget } from 'fairlead/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const withdrawals = (budget: RetryBudget, now: number): number => {
  let count = 0;
  while (budget.withdraw(now)) count++;
  return count;
};

test.each([
  [0.2, 5, 1],
  [0.2, 4, 0],
  [0.6, 5, 3],
  [0.6, 1, 0],
  [1, 7, 7],
  [2.5, 2, 5],
  [0.001, 1000, 1],
])(
  '%d retries per call make of %i calls %i retries: no ratio is rounded to a whole number',
  (ratio, calls, retries) => {
    const budget = retryBudget({ ratio, minPerSecond: 0 });
    for (let i = 0; i < calls; i++) budget.deposit(0);
    expect(withdrawals(budget, 0)).toBe(retries);
  },
);

test('without any calls there are the few per second, for as long as the window lasts', () => {
  const budget = retryBudget({ minPerSecond: 3, window: 2000 });
  expect(withdrawals(budget, 0)).toBe(6);
  expect(withdrawals(budget, 1799)).toBe(0);
  expect(withdrawals(budget, 2000)).toBe(6);
});

test('calls of an hour ago pay for nothing', () => {
  const budget = retryBudget({ ratio: 1, minPerSecond: 0 });
  for (let i = 0; i < 100; i++) budget.deposit(0);
  expect(budget.withdraw(3_600_000)).toBe(false);
});

test('whenever a retry is granted, those of the window are within its calls times the ratio, plus the floor; else not', () => {
  const event = fc.record({ wait: fc.nat(300), deposits: fc.nat(5), wanted: fc.nat(8) });
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 3, noNaN: true }),
      fc.double({ min: 0, max: 3, noNaN: true }),
      fc.array(event),
      (ratio, minPerSecond, events) => {
        const budget = retryBudget({ ratio, minPerSecond, window: 1000 });
        const calls: number[] = [];
        const retries: number[] = [];
        let now = 0;
        // The window slides in tenths.
        const recent = (times: number[]): number =>
          times.filter(at => Math.floor(at / 100) > Math.floor(now / 100) - 10).length;
        for (const { wait, deposits, wanted } of events) {
          now += wait;
          for (let i = 0; i < deposits; i++) {
            budget.deposit(now);
            calls.push(now);
          }
          for (let i = 0; i < wanted; i++) {
            const enough = recent(retries) + 1 <= recent(calls) * ratio + (minPerSecond * 1000) / 1000;
            expect(budget.withdraw(now)).toBe(enough);
            if (enough) retries.push(now);
          }
        }
      },
    ),
  );
});
