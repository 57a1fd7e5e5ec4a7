import {
  anyError,
  Call,
  compose,
  limit,
  type Policy,
  type PolicyContext,
  type Run,
  retry,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { deferred, member, testEnv, watch } from '../helpers.ts';

const context = {} as PolicyContext;

/** Writes down when a call passes on its way in and its result on the way out. */
const station =
  (name: string, log: string[]): Policy =>
  (next): Run =>
  async (task, call) => {
    log.push(`${name} in`);
    try {
      return await next(task, call);
    } finally {
      log.push(`${name} out`);
    }
  };

const pool = (log: string[]): Run =>
  ((task, call) => {
    log.push('pool');
    return task({ id: 'a', host: 'a', port: 1 }, undefined, call);
  }) as Run;

test('the first policy is the outermost: it sees the call first and the result last', async () => {
  const log: string[] = [];
  const run = compose(station('a', log), station('b', log))(pool(log), context);
  expect(await run(async ({ id }) => id, new Call())).toBe('a');
  expect(log).toEqual(['a in', 'b in', 'pool', 'b out', 'a out']);
});

test('no policy is the pool itself; composing what is composed changes nothing', async () => {
  const log: string[] = [];
  const inner = pool(log);
  expect(compose()(inner, context)).toBe(inner);
  const [a, b, c] = ['a', 'b', 'c'].map(name => station(name, log)) as [Policy, Policy, Policy];
  await compose(compose(a, b), c)(inner, context)(async () => 0, new Call());
  const first = log.splice(0);
  await compose(a, compose(b, c))(inner, context)(async () => 0, new Call());
  expect(log).toEqual(first);
});

test('a policy is made once, however many calls it serves', async () => {
  let made = 0;
  const counting: Policy = next => {
    made++;
    return next;
  };
  const run = compose(counting)(pool([]), context);
  for (let i = 0; i < 3; i++) await run(async () => 0, new Call());
  expect(made).toBe(1);
});

test('policies work round any `run`, of which they need not know whether it is ready or drains', async () => {
  const { clock, random } = testEnv();
  const least: PolicyContext = {
    ...{ clock, random, classifier: anyError, observer: undefined },
    hasUntried: () => false,
  };
  const only = member('a');
  const inner: Run = async (task, call) => {
    call.began(only, clock.now());
    try {
      return await task(only.endpoint, call.signal, call);
    } catch (error) {
      call.ended('failure', clock.now(), { endpoint: 'a', outcome: 'failure', elapsed: 0, error });
      throw error;
    }
  };
  const run = compose(limit({ concurrency: 1, queue: 1 }), retry())(inner, least);
  const { promise, resolve } = deferred<string>();
  let runs = 0;
  const first = watch(
    run(async () => (++runs === 1 ? Promise.reject(new Error('no')) : promise), new Call()),
  );
  const second = watch(run(async () => 'second', new Call()));
  await clock.advance(500);
  expect([runs, first.state, second.state]).toEqual([2, 'pending', 'pending']);
  resolve('first');
  await settled();
  expect([first.value, second.value]).toEqual(['first', 'second']);
});
