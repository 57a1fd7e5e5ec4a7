import {
  type Breaker,
  consecutiveFailures,
  type FailureKind,
  failureRate,
  type MakeBreaker,
  outliers,
} from 'fairlead/core';
import { expect, test } from 'vitest';
import { testEnv } from '../helpers.ts';

const KINDS: readonly FailureKind[] = ['connect', 'timeout', 'answer', 'error'];

function fail(breaker: Breaker, kind: FailureKind, now = 0): void {
  breaker.begin(now);
  breaker.end('failure', 1, breaker.epoch, now, kind);
}

const MAKERS: readonly [string, (counts: readonly FailureKind[]) => MakeBreaker][] = [
  ['consecutiveFailures', counts => consecutiveFailures({ counts, threshold: 3, jitter: 0 })],
  ['failureRate', counts => failureRate({ counts, minCalls: 3, jitter: 0 })],
  ['outliers', counts => outliers({ counts, consecutive: 3, openFor: 1000, jitter: 0 })],
];

test.each(MAKERS)('%s opens for the kinds that count, and for no other', (_, make) => {
  for (const counted of KINDS) {
    for (const kind of KINDS) {
      const breaker = make([counted])(testEnv());
      for (let n = 0; n < 3; n++) fail(breaker, kind);
      expect([counted, kind, breaker.state]).toEqual([counted, kind, kind === counted ? 'open' : 'closed']);
    }
  }
});

test.each(MAKERS)('half-open, %s takes a bad answer that does not count for a sign of life', (_, make) => {
  const breaker = make(['connect'])(testEnv());
  for (let n = 0; n < 3; n++) fail(breaker, 'connect');
  fail(breaker, 'answer', 1000);
  expect(breaker.state).toBe('closed');
});

test.each(MAKERS)('half-open, %s learns nothing from another failure that does not count', (_, make) => {
  const breaker = make(['answer'])(testEnv());
  for (let n = 0; n < 3; n++) fail(breaker, 'answer');
  fail(breaker, 'timeout', 1000);
  expect(breaker.state).toBe('half-open');
  expect(breaker.allows(1000)).toBe(true); // the probe gave its place to another
  fail(breaker, 'answer', 1000);
  expect(breaker.state).toBe('open');
});

test('a failure of which nobody says how it came about counts always', () => {
  const breaker = consecutiveFailures({ counts: ['connect'], threshold: 1 })(testEnv());
  breaker.begin(0);
  breaker.end('failure', 1, breaker.epoch, 0);
  expect(breaker.state).toBe('open');
});
