import { Call, compose, type Policy, type PolicyContext, type Run } from 'fairlead/core';
import { expect, test } from 'vitest';

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
