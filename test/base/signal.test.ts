import { manualClock, settled } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { abortable, enlist, onAbort, relayWhile, sleep, unlist, within } from '../../src/base/signal.ts';
import { countedSignal, deferred, watch } from '../helpers.ts';

test('a sleep ends on time and leaves neither timer nor listener', async () => {
  const clock = manualClock();
  const { signal, listeners } = countedSignal();
  const fate = watch(sleep(clock, 100, signal));
  await clock.advance(99);
  expect(fate.state).toBe('pending');
  await clock.advance(1);
  expect(fate.state).toBe('resolved');
  expect([clock.pending, listeners()]).toEqual([0, 0]);
});

test('an abort ends a sleep at once, with its reason, and the timer is gone', async () => {
  const clock = manualClock();
  const { signal, abort } = countedSignal();
  const fate = watch(sleep(clock, 100, signal));
  abort('enough');
  await settled();
  expect(fate).toEqual({ state: 'rejected', value: 'enough' });
  expect(clock.pending).toBe(0);
});

test('nothing is waited for under a signal that has aborted already', async () => {
  const clock = manualClock();
  const signal = AbortSignal.abort('over');
  await expect(sleep(clock, 100, signal)).rejects.toBe('over');
  await expect(abortable(new Promise(() => {}), signal)).rejects.toBe('over');
  await expect(abortable(Promise.reject(new Error('heard by nobody')), signal)).rejects.toBe('over');
  await expect(
    within(
      clock,
      100,
      signal,
      () => 'late',
      () => new Promise(() => {}),
    ),
  ).rejects.toBe('over');
  expect(clock.pending).toBe(0);
});

test.each(['resolved', 'rejected'] as const)(
  'a promise that is %s first settles it, and no listener stays',
  async how => {
    const { signal, listeners } = countedSignal();
    const { promise, resolve, reject } = deferred<string>();
    const fate = watch(abortable(promise, signal));
    expect(listeners()).toBe(1);
    (how === 'resolved' ? resolve : reject)('done');
    await settled();
    expect(fate).toEqual({ state: how, value: 'done' });
    expect(listeners()).toBe(0);
  },
);

test('after an abort, what the promise brings is of no effect', async () => {
  const { signal, abort } = countedSignal();
  const { promise, reject } = deferred();
  const fate = watch(abortable(promise, signal));
  abort('enough');
  reject(new Error('too late, and no unhandled rejection'));
  await settled();
  expect(fate).toEqual({ state: 'rejected', value: 'enough' });
});

const WORKS: readonly [string, (signal: AbortSignal) => PromiseLike<unknown>, string][] = [
  ['answers', async () => 'x', 'resolved'],
  ['rejects', () => Promise.reject('x'), 'rejected'],
  [
    'throws',
    () => {
      throw 'x';
    },
    'rejected',
  ],
];

test.each(WORKS)(
  'work that %s in time decides, and neither timer nor listener stays',
  async (_, work, state) => {
    const clock = manualClock();
    const { signal, listeners } = countedSignal();
    const fate = watch(within(clock, 100, signal, () => 'late', work));
    await settled();
    expect(fate).toEqual({ state, value: 'x' });
    expect([clock.pending, listeners()]).toEqual([0, 0]);
  },
);

test('work that is late is told so by its signal, and left behind', async () => {
  const clock = manualClock();
  const { signal, listeners } = countedSignal();
  let inner: AbortSignal | undefined;
  const fate = watch(
    within(
      clock,
      100,
      signal,
      () => 'late',
      given => {
        inner = given;
        return new Promise(() => {});
      },
    ),
  );
  await clock.advance(100);
  expect(fate).toEqual({ state: 'rejected', value: 'late' });
  expect(inner?.reason).toBe('late');
  expect([clock.pending, listeners()]).toEqual([0, 0]);
});

test('an abort from outside reaches the work and ends the wait', async () => {
  const clock = manualClock();
  const { signal, abort } = countedSignal();
  let inner: AbortSignal | undefined;
  const fate = watch(
    within(
      clock,
      100,
      signal,
      () => 'late',
      given => {
        inner = given;
        return new Promise(() => {});
      },
    ),
  );
  abort('enough');
  await settled();
  expect(fate).toEqual({ state: 'rejected', value: 'enough' });
  expect(inner?.reason).toBe('enough');
  expect(clock.pending).toBe(0);
});

test('an abort is told to all who wait for it and have not left, each once', () => {
  const { signal, abort, listeners } = countedSignal();
  const heard: unknown[] = [];
  const [first, second] = [1, 2].map(n => ({ aborted: (reason: unknown) => heard.push([n, reason]) }));
  enlist(signal, first!);
  enlist(signal, second!);
  const stop = onAbort(signal, () => heard.push('who left'));
  expect(listeners()).toBe(1);
  stop();
  unlist(signal, second!);
  unlist(signal, second!); // again: nothing
  abort('enough');
  expect(heard).toEqual([[1, 'enough']]);
  expect(listeners()).toBe(0);
});

test('as long as a holder is in use, an abort reaches every controller that was tied to it', () => {
  const { signal, abort } = countedSignal();
  const holder = {};
  const controllers = [new AbortController(), new AbortController()];
  for (const controller of controllers) relayWhile(holder, signal, controller);
  abort('enough');
  expect(controllers.map(controller => controller.signal.reason)).toEqual(['enough', 'enough']);
  expect(holder).toBeDefined();
});
