import {
  anyOf,
  type Breaker,
  Call,
  consecutiveFailures,
  failureRate,
  fixed,
  type MakeBreaker,
  outliers,
  Pool,
  roundRobin,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { endpoints, testEnv } from '../helpers.ts';

const open = { jitter: 0, openFor: 1000 };

function calls(breaker: Breaker, outcomes: string, now: number): void {
  for (const letter of outcomes) {
    breaker.begin(now);
    breaker.end(letter === 'f' ? 'failure' : 'success', 1, breaker.epoch, now, 'error');
  }
}

test('it opens when any of them does: by a row that makes no share, and by a share that makes no row', () => {
  const make = anyOf(
    consecutiveFailures({ ...open, threshold: 3 }),
    failureRate({ ...open, minCalls: 20, threshold: 0.4 }),
  );
  const row = make(testEnv());
  calls(row, `${'s'.repeat(100)}ff`, 0);
  expect(row.state).toBe('closed');
  calls(row, 'f', 0);
  expect(row.state).toBe('open');
  const share = make(testEnv());
  calls(share, `${'ffsss'.repeat(3)}fss`, 0);
  expect(share.state).toBe('closed');
  calls(share, 'ff', 0); // 8 of 20
  expect(share.state).toBe('open');
});

test('it refuses while any of them does, and probes when the last is due', () => {
  const breaker = anyOf(
    consecutiveFailures({ ...open, threshold: 1 }),
    consecutiveFailures({ ...open, threshold: 1, openFor: 3000 }),
  )(testEnv());
  calls(breaker, 'f', 0);
  expect([999, 1000, 2999, 3000].map(now => breaker.allows(now))).toEqual([false, false, false, true]);
  breaker.begin(3000);
  expect(breaker.state).toBe('half-open');
  expect(breaker.allows(3000)).toBe(false);
  breaker.end('success', 1, breaker.epoch, 3001);
  expect(breaker.state).toBe('closed');
});

test('shown to be well, a member starts afresh with all of them, whichever had it out', () => {
  const breaker = anyOf(
    consecutiveFailures({ ...open, threshold: 4 }),
    failureRate({ ...open, minCalls: 5 }),
  )(testEnv());
  calls(breaker, 'ffff', 0);
  expect(breaker.state).toBe('open');
  calls(breaker, 's', 1000);
  expect(breaker.state).toBe('closed');
  calls(breaker, 'fff', 1000); // else eight of nine in the window
  expect(breaker.state).toBe('closed');
});

test('a refused connection and a bad answer may have thresholds of their own', () => {
  const make = anyOf(
    consecutiveFailures({ ...open, threshold: 2, counts: ['connect'] }),
    consecutiveFailures({ ...open, threshold: 5, counts: ['answer', 'timeout'] }),
  );
  const after = (...kinds: readonly ('connect' | 'answer' | 'timeout' | 'error')[]): string => {
    const breaker = make(testEnv());
    for (const kind of kinds) {
      breaker.begin(0);
      breaker.end('failure', 1, breaker.epoch, 0, kind);
    }
    return breaker.state;
  };
  expect(after('connect', 'connect')).toBe('open');
  expect(after('connect', 'answer', 'connect', 'answer')).toBe('closed'); // it was there in between
  expect(after('connect', 'timeout', 'connect')).toBe('open'); // nobody knows whether it was
  expect(after('answer', 'timeout', 'answer', 'answer')).toBe('closed');
  expect(after('answer', 'timeout', 'answer', 'answer', 'answer')).toBe('open');
  expect(after('error', 'error', 'error', 'error', 'error', 'error')).toBe('closed');
});

test.each([
  [0.34, ['m001', 'm002']], // two of six: no outlier may follow
  [0.5, ['m001', 'm002', 'm003']],
])(
  'outliers within it are compared with their like, and with %d allowed out count who is out for another reason',
  async (maxEjected, last) => {
    const env = testEnv();
    const pool = new Pool({
      discovery: fixed(endpoints(6)),
      balancer: roundRobin(),
      breaker: anyOf(
        consecutiveFailures({ threshold: 3, counts: ['connect'], openFor: 1e6 }),
        outliers({ slowness: 3, interval: 1000, minCalls: 5, maxEjected, openFor: 1e6 }),
      ),
      panic: false,
      env,
    });
    await settled();
    const call = async (slow: string, dead: string): Promise<void> => {
      const attempt = pool.pick(new Call());
      const { id } = attempt.endpoint;
      await env.clock.advance(id === slow ? 100 : 5);
      if (id === dead) attempt.end('failure', undefined, 'connect');
      else attempt.end('success');
    };
    const out = (): string[] =>
      pool
        .members()
        .filter(({ breaker }) => breaker !== 'closed')
        .map(({ endpoint }) => endpoint.id);
    for (let n = 0; n < 100; n++) await call('m001', '');
    expect(out()).toEqual(['m001']);
    for (let n = 0; n < 30; n++) await call('', 'm002');
    expect(out()).toEqual(['m001', 'm002']);
    for (let n = 0; n < 200; n++) await call('m003', '');
    expect(out()).toEqual(last);
    pool.close();
  },
);

test('a breaker of the user that moves by itself is asked each time', () => {
  let refuses = false;
  const own: MakeBreaker = () => ({
    state: 'closed',
    epoch: 0,
    allows: () => !refuses,
    begin() {},
    end() {},
  });
  const breaker = anyOf(consecutiveFailures(), own)(testEnv());
  expect(breaker.passive).toBeUndefined();
  expect(anyOf(consecutiveFailures(), failureRate())(testEnv()).passive).toBe(true);
  expect(breaker.allows(0)).toBe(true);
  refuses = true;
  expect(breaker.allows(0)).toBe(false);
});

test.each([
  ['nothing', []],
  ['no function', [consecutiveFailures(), 5]],
  ['a breaker of the wrong shape', [() => ({ allows: () => true })]],
])('%s is refused', (_, breakers) => {
  expect(() => anyOf(...(breakers as MakeBreaker[]))(testEnv())).toThrow(/^anyOf/);
});

test('a hint reaches each of them, so that a probe may go at once', () => {
  const plain: MakeBreaker = () => ({ state: 'closed', epoch: 0, allows: () => true, begin() {}, end() {} });
  const breaker = anyOf(plain, consecutiveFailures({ ...open, threshold: 1 }))(testEnv());
  calls(breaker, 'f', 0);
  expect(breaker.allows(1)).toBe(false);
  breaker.hint?.(1);
  expect(breaker.allows(1)).toBe(true);
});

test('those that cannot be saved, forgiven or restored are left as they are', () => {
  const plain: MakeBreaker = () => ({ state: 'closed', epoch: 0, allows: () => true, begin() {}, end() {} });
  expect(anyOf(plain, plain)(testEnv()).save?.(0)).toBeUndefined();
  const make = anyOf(plain, consecutiveFailures({ ...open, threshold: 1 }));
  const breaker = make(testEnv());
  calls(breaker, 'f', 0);
  const saved = breaker.save?.(0);
  expect(saved).toEqual([null, { state: 'open', remaining: 1000, openFor: 1000 }]);
  const other = make(testEnv());
  other.restore?.(saved, 0, 0);
  expect(other.state).toBe('open');
  expect(() => anyOf(plain, plain)(testEnv()).restore?.([{}, null], 0, 0)).not.toThrow();
  calls(other, 's', 1000);
  expect(other.state).toBe('closed');
});

test.each([[null], [{}], [[]], [[null, null, null]], ['ab']])(
  '%o is nothing that two have saved, and is refused',
  saved => {
    const breaker = anyOf(consecutiveFailures(), failureRate())(testEnv());
    expect(() => breaker.restore?.(saved, 0, 0)).toThrow(/a saved breaker .* must be an array of 2/);
  },
);
