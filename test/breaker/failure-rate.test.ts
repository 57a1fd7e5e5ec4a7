import { type Breaker, type FailureRateOptions, failureRate } from 'fairlead/core';
import { manualClock, seededRandom } from 'fairlead/testing';
import { expect, test } from 'vitest';

const breakerOf = (options: FailureRateOptions = {}): Breaker =>
  failureRate(options)({ clock: manualClock(), random: seededRandom(1) });

function calls(breaker: Breaker, outcomes: string, now: number, elapsed = 0): void {
  for (const letter of outcomes) {
    breaker.begin(now);
    const outcome = letter === 'f' ? 'failure' : letter === 's' ? 'success' : 'ignored';
    breaker.end(outcome, elapsed, breaker.epoch, now);
  }
}

test('with fewer calls than the floor it stays closed, however many of them fail', () => {
  const breaker = breakerOf();
  calls(breaker, 'f'.repeat(19), 0);
  expect(breaker.state).toBe('closed');
  calls(breaker, 'f', 0);
  expect(breaker.state).toBe('open');
});

test('ignored calls count neither way', () => {
  const breaker = breakerOf({ minCalls: 4 });
  calls(breaker, 'fffiiiiiiiii', 0);
  expect(breaker.state).toBe('closed');
  calls(breaker, 'f', 0);
  expect(breaker.state).toBe('open');
});

test('it opens when the share is reached and not a call before, for every share in whole per cent', () => {
  for (let percent = 1; percent <= 100; percent++) {
    for (const minCalls of [1, 3, 7, 20, 25, 50, 100]) {
      const breaker = breakerOf({ threshold: percent / 100, minCalls });
      const needed = Math.ceil((percent * minCalls) / 100);
      calls(breaker, 's'.repeat(minCalls - needed) + 'f'.repeat(needed - 1), 0);
      expect(breaker.state).toBe('closed');
      calls(breaker, 'f', 0);
      expect([percent, minCalls, breaker.state]).toEqual([percent, minCalls, 'open']);
    }
  }
});

test('after an hour in which nobody called, failures of before count no more', () => {
  const breaker = breakerOf({ minCalls: 2 });
  calls(breaker, 'f', 0);
  calls(breaker, 'f', 3_600_000);
  expect(breaker.state).toBe('closed');
  calls(breaker, 'f', 3_600_001);
  expect(breaker.state).toBe('open');
});

test('failures leave the window one by one as they grow old', () => {
  const breaker = breakerOf({ window: 1000, minCalls: 10 });
  for (let now = 0; now < 1000; now += 100) calls(breaker, now < 500 ? 'f' : 'ss', now); // 5 of 15
  calls(breaker, 'fff', 1000); // 7 of 17, the first failure having gone
  expect(breaker.state).toBe('closed');
  calls(breaker, 'ff', 1000); // 9 of 19
  expect(breaker.state).toBe('closed');
  calls(breaker, 'f', 1000); // 10 of 20
  expect(breaker.state).toBe('open');
});

test('where slow calls count, a call that took longer is a failure and one that took exactly so long is none', () => {
  const breaker = breakerOf({ slowerThan: 100, minCalls: 10, threshold: 1 });
  calls(breaker, 's', 0, 100);
  calls(breaker, 's'.repeat(9), 0, 101);
  expect(breaker.state).toBe('closed');
  const slow = breakerOf({ slowerThan: 100, minCalls: 10, threshold: 1 });
  calls(slow, 's'.repeat(10), 0, 101);
  expect(slow.state).toBe('open');
});

test('a probe that succeeds but is slow opens it again', () => {
  const breaker = breakerOf({ slowerThan: 100, minCalls: 1 });
  calls(breaker, 'f', 0);
  calls(breaker, 's', 1200, 101);
  expect(breaker.state).toBe('open');
});

test('success alone never opens it, although old failures still make up the share', () => {
  const breaker = breakerOf({ minCalls: 4, threshold: 0.5 });
  calls(breaker, 'ffs', 0);
  calls(breaker, 's', 0);
  expect(breaker.state).toBe('closed');
});

test('once closed again it has forgotten what opened it', () => {
  const breaker = breakerOf({ minCalls: 4 });
  calls(breaker, 'ffff', 0);
  calls(breaker, 's', 1200);
  expect(breaker.state).toBe('closed');
  calls(breaker, 'fff', 1200);
  expect(breaker.state).toBe('closed');
});
