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
  expect(withdrawals(budget, 2000)).toBe(0);
  expect(withdrawals(budget, 2223)).toBe(6);
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
        const budget = retryBudget({ ratio, minPerSecond, window: 900 });
        const calls: number[] = [];
        const retries: number[] = [];
        let now = 0;
        // Both slide in tenths: calls count for 810 to 900 ms, retries for 900 to 1000.
        const recent = (times: number[], tenth: number): number =>
          times.filter(at => Math.floor(at / tenth) > Math.floor(now / tenth) - 10).length;
        for (const { wait, deposits, wanted } of events) {
          now += wait;
          for (let i = 0; i < deposits; i++) {
            budget.deposit(now);
            calls.push(now);
          }
          for (let i = 0; i < wanted; i++) {
            const enough =
              recent(retries, 100) + 1 <= recent(calls, 90) * ratio + (minPerSecond * 900) / 1000;
            expect(budget.withdraw(now)).toBe(enough);
            if (enough) retries.push(now);
          }
        }
      },
    ),
  );
});

test('what a window grants cannot be had at its beginning and again at its end', () => {
  for (let start = 0; start < 2000; start += 50) {
    const budget = retryBudget({ ratio: 0, minPerSecond: 5, window: 2000 });
    expect(withdrawals(budget, start)).toBe(10);
    expect(withdrawals(budget, start + 1999)).toBe(0);
    expect(withdrawals(budget, start + 2223)).toBe(10);
  }
});
