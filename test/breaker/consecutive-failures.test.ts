import { type Breaker, consecutiveFailures } from 'fairlead/core';
import { expect, test } from 'vitest';
import { testEnv } from '../helpers.ts';

/** The state after outcomes at these times: + is a success, - a failure, o no evidence. */
function after(breaker: Breaker, outcomes: readonly (readonly [number, '+' | '-' | 'o'])[]): string {
  for (const [now, mark] of outcomes) {
    breaker.begin(now);
    const outcome = mark === '+' ? 'success' : mark === '-' ? 'failure' : 'ignored';
    breaker.end(outcome, 1, breaker.epoch, now);
  }
  return breaker.state;
}

test.each<[string, readonly (readonly [number, '+' | '-' | 'o'])[], string]>([
  [
    'five failures in a moment',
    [
      [0, '-'],
      [0, '-'],
      [0, '-'],
      [0, '-'],
      [0, '-'],
    ],
    'open',
  ],
  [
    'four',
    [
      [0, '-'],
      [0, '-'],
      [0, '-'],
      [0, '-'],
    ],
    'closed',
  ],
  [
    'five with a success between',
    [
      [0, '-'],
      [0, '-'],
      [0, '+'],
      [0, '-'],
      [0, '-'],
      [0, '-'],
    ],
    'closed',
  ],
  [
    'two, and nothing else for a second',
    [
      [0, '-'],
      [1000, '-'],
    ],
    'open',
  ],
  [
    'two within a second',
    [
      [0, '-'],
      [999, '-'],
    ],
    'closed',
  ],
  [
    'one, however long ago',
    [
      [0, '-'],
      [9000, 'o'],
    ],
    'closed',
  ],
  [
    'two with a success between',
    [
      [0, '-'],
      [500, '+'],
      [1500, '-'],
    ],
    'closed',
  ],
  [
    'a second since the last success',
    [
      [0, '-'],
      [500, '+'],
      [600, '-'],
      [1599, '-'],
    ],
    'closed',
  ],
  [
    'a second since the first failure after it',
    [
      [0, '-'],
      [500, '+'],
      [600, '-'],
      [1600, '-'],
    ],
    'open',
  ],
])('%s: %#', (_, outcomes, state) => {
  expect(after(consecutiveFailures()(testEnv()), outcomes)).toBe(state);
});

test('the time is an option, and may be endless', () => {
  expect(
    after(consecutiveFailures({ failingFor: 50 })(testEnv()), [
      [0, '-'],
      [50, '-'],
    ]),
  ).toBe('open');
  const endless = consecutiveFailures({ failingFor: Number.POSITIVE_INFINITY })(testEnv());
  expect(
    after(endless, [
      [0, '-'],
      [1e9, '-'],
      [2e9, '-'],
      [3e9, '-'],
    ]),
  ).toBe('closed');
});

test('once it has closed, the row and its time begin anew', () => {
  const breaker = consecutiveFailures({ jitter: 0 })(testEnv());
  expect(
    after(breaker, [
      [0, '-'],
      [1000, '-'],
    ]),
  ).toBe('open');
  expect(after(breaker, [[2001, '+']])).toBe('closed');
  expect(after(breaker, [[2100, '-']])).toBe('closed');
  expect(after(breaker, [[3099, '-']])).toBe('closed');
  expect(after(breaker, [[3100, '-']])).toBe('open');
});
