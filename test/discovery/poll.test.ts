import { type Clock, type Endpoint, follow, type PollOptions, poll } from 'fairlead/core';
import { settled } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { deferred, endpoint, type Fate, type TestEnv, testEnv, watch } from '../helpers.ts';

const [a, b] = [endpoint('a'), endpoint('b')];

type List = (signal: AbortSignal, clock: Clock) => PromiseLike<readonly Endpoint[]>;

function polling(list: List, options?: PollOptions): Polling {
  const env = testEnv();
  const controller = new AbortController();
  const sets: string[] = [];
  const errors: unknown[] = [];
  const over = watch(
    follow(
      poll(signal => list(signal, env.clock), options),
      env,
      controller.signal,
      {
        set: set => sets.push(set.map(({ id }) => id).join(' ')),
        error: error => errors.push(error),
      },
    ),
  );
  return { ...env, sets, errors, over, stop: () => controller.abort('stopped') };
}

interface Polling extends TestEnv {
  readonly sets: string[];
  readonly errors: unknown[];
  readonly over: Fate;
  readonly stop: () => void;
}

test('it asks again after each interval, give or take a tenth, counted from the answer', async () => {
  const times: number[] = [];
  const { clock, stop } = polling(
    async (_, clock) => {
      times.push(clock.now());
      await new Promise<void>(resolve => void clock.after(300, resolve));
      return [a];
    },
    { interval: 1000 },
  );
  await clock.advance(60_000);
  stop();
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  expect(gaps.length).toBeGreaterThan(40);
  for (const gap of gaps) {
    expect(gap).toBeGreaterThanOrEqual(300 + 900);
    expect(gap).toBeLessThan(300 + 1100);
  }
  expect(new Set(gaps).size).toBeGreaterThan(40); // no two processes ask in step
});

test('it never asks twice at once', async () => {
  let asking = 0;
  let most = 0;
  const { clock } = polling(
    async (_, clock) => {
      most = Math.max(most, ++asking);
      await new Promise<void>(resolve => void clock.after(4000, resolve));
      asking--;
      return [a];
    },
    { interval: 10 },
  );
  await clock.advance(60_000);
  expect(most).toBe(1);
});

test.each<[string, () => PromiseLike<readonly Endpoint[]>]>([
  ['rejects', () => Promise.reject(new Error('down'))],
  [
    'throws',
    () => {
      throw new Error('down');
    },
  ],
])('an answer that %s is reported, the set stands, and it asks again after a back-off', async (_, down) => {
  const answers: (() => PromiseLike<readonly Endpoint[]>)[] = [
    async () => [a],
    down,
    down,
    async () => [a, b],
  ];
  const { clock, sets, errors } = polling(() => (answers.shift() ?? (async () => [a, b]))(), {
    interval: 1000,
  });
  await clock.advance(899);
  expect([sets, errors]).toEqual([['a'], []]);
  await clock.advance(501); // an interval of 1100 ms at most, and back-offs of 100 and 200 ms at most
  expect(errors).toEqual([new Error('down'), new Error('down')]);
  expect(sets).toEqual(['a', 'a b']);
});

test('an answer that is late is given up, and told so by its signal', async () => {
  const signals: AbortSignal[] = [];
  const { clock, errors, sets } = polling(
    signal => {
      signals.push(signal);
      return signals.length === 1 ? new Promise(() => {}) : Promise.resolve([a]);
    },
    { timeout: 500 },
  );
  await clock.advance(499);
  expect(signals[0]!.aborted).toBe(false);
  await clock.advance(1);
  expect(signals[0]!.aborted).toBe(true);
  expect(errors).toMatchObject([{ code: 'DISCOVERY', message: 'discovery gave no answer within 500 ms' }]);
  await clock.advance(100);
  expect(sets).toEqual(['a']);
});

test('an answer that comes after it was given up is no set', async () => {
  const { promise, resolve } = deferred<readonly Endpoint[]>();
  let asked = 0;
  const { clock, sets } = polling(() => (++asked === 1 ? promise : new Promise(() => {})), { timeout: 500 });
  await clock.advance(500);
  resolve([b]);
  await settled();
  expect(sets).toEqual([]);
});

test('what is no set of endpoints is reported, and it asks again after the interval', async () => {
  const answers: unknown[] = ['<html>', null, [a]];
  const { clock, sets, errors } = polling(async () => answers.shift() as never, { interval: 1000 });
  await clock.advance(2200);
  expect(sets).toEqual(['a']);
  expect(errors).toMatchObject([{ code: 'BAD_ENDPOINTS' }, { code: 'BAD_ENDPOINTS' }]);
});

test.each([
  ['it asks', 0],
  ['it waits', 100],
])('stopped while %s, it ends, and nothing is left', async (_, after) => {
  const { promise, resolve } = deferred<readonly Endpoint[]>();
  let signal: AbortSignal | undefined;
  const { clock, over, stop, sets } = polling(given => {
    signal = given;
    return promise;
  });
  if (after > 0) resolve([a]);
  await clock.advance(after);
  stop();
  await settled();
  expect(over.state).toBe('resolved');
  expect(clock.pending).toBe(0);
  if (after === 0) expect(signal?.reason).toBe('stopped');
  expect(sets).toEqual(after > 0 ? ['a'] : []);
});
