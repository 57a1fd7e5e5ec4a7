import { type Breaker, type FailureRateOptions, failureRate } from 'fairlead/core';
import { manualClock, seededRandom } from 'fairlead/testing';
import fc from 'fast-check';
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

test('over the last calls: failures leave the window as others come, however much time goes by', () => {
  const breaker = breakerOf({ lastCalls: 10, threshold: 0.5 });
  calls(breaker, `ffff${'s'.repeat(6)}`, 0);
  calls(breaker, 'f', 3_600_000); // four of ten still, for the first has gone
  expect(breaker.state).toBe('closed');
  calls(breaker, 'ssss', 3_600_000); // one of ten
  calls(breaker, 'fff', 3_600_000);
  expect(breaker.state).toBe('closed');
  calls(breaker, 'f', 3_600_000);
  expect(breaker.state).toBe('open');
});

test('over fewer calls than the floor, the floor is as many as there may be', () => {
  const breaker = breakerOf({ lastCalls: 4 });
  calls(breaker, 'fff', 0);
  expect(breaker.state).toBe('closed');
  calls(breaker, 'f', 0);
  expect(breaker.state).toBe('open');
});

test('whatever comes, it opens over the last calls when a list of them would say so, and not before', () => {
  const options = fc.record({
    lastCalls: fc.integer({ min: 1, max: 70 }),
    threshold: fc.integer({ min: 1, max: 100 }).map(percent => percent / 100),
    floor: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(
      options,
      fc.array(fc.constantFrom('f', 's', 's'), { maxLength: 200, size: 'max' }),
      (given, all) => {
        const { lastCalls, threshold } = given;
        const minCalls = Math.max(1, Math.ceil(given.floor * lastCalls));
        const breaker = breakerOf({ lastCalls, threshold, minCalls });
        for (let n = 1; n <= all.length; n++) {
          calls(breaker, all[n - 1]!, n);
          const last = all.slice(Math.max(0, n - lastCalls), n);
          const share = last.filter(each => each === 'f').length / last.length;
          const opens = all[n - 1] === 'f' && last.length >= minCalls && share >= threshold;
          expect(breaker.state).toBe(opens ? 'open' : 'closed');
          if (opens) return;
        }
      },
    ),
  );
});

test('with a share of slow calls of its own, slow calls are no failures, and failures that were slow are both', () => {
  const options = { slowerThan: 100, slowThreshold: 0.8, threshold: 0.5, minCalls: 10 };
  const slow = breakerOf(options);
  calls(slow, 'sss', 0, 50);
  calls(slow, 's'.repeat(7), 0, 200); // 7 of 10 slow, none failed
  expect(slow.state).toBe('closed');
  calls(slow, 's'.repeat(4), 0, 200); // 11 of 14
  expect(slow.state).toBe('closed');
  calls(slow, 's', 0, 200); // 12 of 15
  expect(slow.state).toBe('open');
  const failing = breakerOf(options);
  calls(failing, 's'.repeat(5), 0, 50);
  calls(failing, 'ffff', 0, 50);
  expect(failing.state).toBe('closed');
  calls(failing, 'f', 0, 50);
  expect(failing.state).toBe('open');
  const late = breakerOf({ ...options, threshold: 1 });
  calls(late, 'ss', 0, 50);
  calls(late, 'f'.repeat(8), 0, 200);
  expect(late.state).toBe('open');
});

test('once closed again it has forgotten slow calls, too; and a slow probe is none that proves it well', () => {
  const breaker = breakerOf({ slowerThan: 100, slowThreshold: 0.5, minCalls: 4, jitter: 0 });
  calls(breaker, 'ssss', 0, 200);
  expect(breaker.state).toBe('open');
  calls(breaker, 's', 1000, 200);
  expect(breaker.state).toBe('open');
  calls(breaker, 's', 3000, 50);
  expect(breaker.state).toBe('closed');
  calls(breaker, 'sss', 3000, 200);
  expect(breaker.state).toBe('closed');
});
