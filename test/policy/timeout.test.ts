import {
  type Classifier,
  consecutiveFailures,
  FairleadError,
  hedge,
  limit,
  type Policy,
  retry,
  type Task,
  throttle,
  timeout,
} from 'fairlead/core';
import { scriptedDiscovery, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { countedSignal, deferred, endpoints, rig, running, watch } from '../helpers.ts';

const never = (): Promise<never> => new Promise(() => {});

describe('what it bounds', () => {
  test('inside a retry, each attempt: the call goes on at another member', async () => {
    const { client, clock, lines } = rig(3, { policies: [retry(), timeout(100)] });
    let runs = 0;
    const fate = watch(client.run(async () => (++runs === 3 ? 'at last' : never())));
    await clock.advance(199);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(fate.value).toBe('at last');
    expect(lines.filter(line => line.endsWith('failure'))).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  test('outside a retry, the whole call with its waits', async () => {
    const { client, clock } = rig(1, {
      policies: [timeout(100), retry({ attempts: 1000, budget: false, backoff: () => 30 })],
    });
    const fate = watch(client.run(() => (clock.now() < 60 ? Promise.reject(new Error('refused')) : never())));
    await clock.advance(99);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    const error = fate.value as FairleadError;
    expect(error).toMatchObject({ code: 'TIMEOUT', message: 'no answer within 100 ms' });
    expect(error.attempts.length).toBeGreaterThan(3);
    expect(clock.pending).toBe(0);
  });

  test('the wait for the first set, too', async () => {
    const { client, clock } = rig(0, {
      policies: [timeout(100)],
      discovery: scriptedDiscovery().discovery,
    });
    const fate = watch(client.run(async () => 1));
    await clock.advance(100);
    expect(fate.value).toMatchObject({ code: 'TIMEOUT', attempts: [] });
    expect(clock.pending).toBe(0);
  });

  test('both at once: attempts are cut short one by one, and the call in the end', async () => {
    const { client, clock, lines } = rig(9, {
      policies: [timeout(250), retry({ attempts: 9 }), timeout(100)],
    });
    const fate = watch(client.run(never));
    await clock.advance(250);
    expect(fate.value).toMatchObject({ message: 'no answer within 250 ms' });
    expect(lines.filter(line => line.startsWith('attemptEnd')).map(line => line.split(' ')[2])).toEqual([
      'failure',
      'failure',
      'ignored', // it had 50 ms, neither half of its own time nor half of the whole
    ]);
    expect([clock.pending, running(client)]).toEqual([0, 0]);
  });

  test('nothing, if it is Infinity', async () => {
    const { client, clock } = rig(1, { policies: [timeout(Infinity)] });
    const fate = watch(client.run(never));
    await clock.advance(1e12);
    expect(fate.state).toBe('pending');
    expect(clock.pending).toBe(0);
  });
});

describe('who is blamed', () => {
  test.each([
    [49, 'failure'],
    [50, 'failure'],
    [51, 'ignored'],
  ])('an attempt that began %i ms into 100: %s', async (delay, outcome) => {
    const late: Policy =
      (next, { clock }) =>
      (task, call) =>
        new Promise((resolve, reject) => {
          clock.after(delay, () => next(task, call).then(resolve, reject));
        });
    const { client, clock, lines } = rig(1, { policies: [timeout(100), late] });
    watch(client.run(never));
    await clock.advance(100);
    expect(lines.at(-1)).toBe(`attemptEnd m000 ${outcome}`);
  });

  test('nobody, for a caller that gives up, be it by a time-out of its own', async () => {
    const { client, lines } = rig(1, { policies: [timeout(100)] });
    const controller = new AbortController();
    watch(client.run(never, { signal: controller.signal }));
    await settled();
    controller.abort(new FairleadError('TIMEOUT', 'not one of ours'));
    await settled();
    expect(lines.at(-1)).toBe('attemptEnd m000 ignored');
  });

  test('the member of the client that set the time, not those of clients called from within', async () => {
    const outer = rig(1, { policies: [timeout(100)] });
    const inner = rig(1, { policies: [retry(), timeout(1000)], env: outer });
    const fate = watch(outer.client.run((_, signal) => inner.client.run(never, { signal })));
    await outer.clock.advance(100);
    expect(fate.value).toMatchObject({ message: 'no answer within 100 ms' });
    expect(outer.lines.at(-1)).toBe('attemptEnd m000 failure');
    expect(inner.lines.at(-1)).toBe('attemptEnd m000 ignored');
    expect(outer.clock.pending).toBe(0);
  });

  test('a breaker hears of it: members that never answer are shut out', async () => {
    const { client, clock } = rig(2, {
      breaker: consecutiveFailures({ threshold: 2 }),
      policies: [timeout(100)],
    });
    for (let i = 0; i < 4; i++) {
      watch(client.run(never));
      await clock.advance(100);
    }
    expect(client.pool.members().map(({ breaker }) => breaker)).toEqual(['open', 'open']);
  });
});

describe('what it leaves behind', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['answers', async () => 1],
    ['rejects', () => Promise.reject(new Error('refused'))],
  ])('nothing, when the task %s: no timer, no listener on the signal of the caller', async (_, task) => {
    const { client, clock } = rig(1, {
      policies: [timeout(1000), retry({ backoff: () => 0 }), timeout(100)],
    });
    const { signal, listeners } = countedSignal();
    await client.run(task, { signal }).catch(() => {});
    expect([clock.pending, listeners()]).toEqual([0, 0]);
  });

  test('nothing, when it fires', async () => {
    const { client, clock } = rig(1, { policies: [timeout(100)] });
    const { signal, listeners } = countedSignal();
    const fate = watch(client.run(never, { signal }));
    await clock.advance(100);
    expect(fate.state).toBe('rejected');
    expect([clock.pending, listeners()]).toEqual([0, 0]);
  });

  test('nothing, when the caller aborts, who hears of it at once', async () => {
    const { client, clock } = rig(1, { policies: [timeout(1000), retry(), timeout(100)] });
    const { signal, abort } = countedSignal();
    const fate = watch(client.run(never, { signal }));
    await settled();
    abort('enough');
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: 'enough' });
    expect([clock.pending, running(client)]).toEqual([0, 0]);
  });

  test('one listener, however many calls run under one signal', async () => {
    const { client } = rig(1, { policies: [timeout(100)] });
    const { signal, abort, listeners } = countedSignal();
    const fates = Array.from({ length: 20 }, () => watch(client.run(never, { signal })));
    await settled();
    expect(listeners()).toBe(1);
    abort('enough');
    await settled();
    expect(fates.every(({ value }) => value === 'enough')).toBe(true);
    expect(listeners()).toBe(0);
  });

  test.each([
    ['its own', new Error('refused')],
    ['one with a code like that of a closed client', Object.assign(new Error('no'), { code: 'CLOSED' })],
    ['one of ours, such as of a client called from within', new FairleadError('NO_ENDPOINTS', 'none')],
  ])('a task that fails with %s is not aborted besides', async (_, error) => {
    const { client } = rig(1, { policies: [timeout(100)] });
    let given: AbortSignal | undefined;
    const task: Task<never> = (_, signal) => {
      given = signal;
      return Promise.reject(error);
    };
    await expect(client.run(task)).rejects.toBe(error);
    expect(given?.aborted).toBe(false);
  });

  test('nothing, when a policy inside it throws instead of rejecting', async () => {
    const rude: Policy = () => () => {
      throw new Error('rude');
    };
    const { client, clock } = rig(1, { policies: [timeout(100), rude] });
    const { signal, listeners } = countedSignal();
    await client.ready();
    await expect(client.run(async () => 1, { signal })).rejects.toThrow('rude');
    expect([clock.pending, listeners()]).toEqual([0, 0]);
  });

  test('no task is run for a call that was given up before', async () => {
    const { client, clock } = rig(1, { policies: [timeout(100)] });
    let runs = 0;
    const task = async (): Promise<number> => ++runs;
    await expect(client.run(task, { signal: AbortSignal.abort('before') })).rejects.toBe('before');
    expect([runs, clock.pending]).toEqual([0, 0]);
  });

  test('no value: what comes too late is let go of, once', async () => {
    const discarded: unknown[] = [];
    const classifier: Classifier = {
      value: () => 'success',
      error: () => 'failure',
      discard: value => discarded.push(value),
    };
    const { client, clock } = rig(1, { policies: [timeout(100)], classifier });
    const { promise, resolve } = deferred<string>();
    const fate = watch(client.run(() => promise));
    await clock.advance(100);
    expect(fate.state).toBe('rejected');
    resolve('too late');
    await settled();
    expect(discarded).toEqual(['too late']);
  });
});

test.each<[string, Classifier['discard'], string[]]>([
  ['cannot be let go of is left', undefined, []],
  [
    'throws as it is let go of is a fault',
    () => {
      throw new Error('boom');
    },
    ['fault classifier boom'],
  ],
])('a value that comes as the caller aborts and %s', async (_, discard, faults) => {
  const controller = new AbortController();
  const lastMoment: Policy = next => async (task, call) => {
    const value = await next(task, call);
    controller.abort('enough');
    return value;
  };
  const { client, lines } = rig(1, {
    policies: [timeout(100), lastMoment],
    classifier: { value: () => 'success', error: () => 'failure', ...(discard && { discard }) },
  });
  await expect(client.run(async () => 'late', { signal: controller.signal })).rejects.toBe('enough');
  await settled();
  expect(lines.filter(line => line.startsWith('fault'))).toEqual(faults);
});

test('a value that is on its way through the policies when the caller aborts is let go of, once', async () => {
  const discarded: unknown[] = [];
  const controller = new AbortController();
  const lastMoment: Policy = next => async (task, call) => {
    const value = await next(task, call);
    controller.abort('enough');
    return value;
  };
  const { client } = rig(1, {
    policies: [timeout(1000), timeout(100), lastMoment],
    classifier: { value: () => 'success', error: () => 'failure', discard: value => discarded.push(value) },
  });
  const fate = watch(client.run(async () => 'late', { signal: controller.signal }));
  await settled();
  expect(fate).toEqual({ state: 'rejected', value: 'enough' });
  expect(discarded).toEqual(['late']);
});

test.each<[string, readonly Policy[]]>([
  ['a time-out', [timeout(100)]],
  ['two', [timeout(1000), timeout(100)]],
  ['a hedge', [hedge({ delay: 50 })]],
  ['a hedge of what is bounded', [hedge({ delay: 50 }), timeout(100)]],
])('an answer is let go of, once, if its caller aborts as it is told of: %s', async (_, policies) => {
  const discarded: unknown[] = [];
  const controller = new AbortController();
  const { client } = rig(2, {
    policies,
    observer: { attemptEnd: () => controller.abort('enough') },
    classifier: { value: () => 'success', error: () => 'failure', discard: value => discarded.push(value) },
  });
  const fate = watch(client.run(async () => 'late', { signal: controller.signal }));
  await settled();
  expect(fate).toEqual({ state: 'rejected', value: 'enough' });
  expect(discarded).toEqual(['late']);
});

describe('what is still arriving', () => {
  const body = {};
  const classifierOf = (arriving: NonNullable<Classifier['arriving']>): Classifier => ({
    value: () => 'success',
    error: () => 'failure',
    arriving,
  });

  test('an abort after the answer still reaches the signal that the task was given', async () => {
    const { client } = rig(1, {
      policies: [timeout(100), timeout(50)],
      classifier: classifierOf(() => body),
    });
    const controller = new AbortController();
    let given: AbortSignal | undefined;
    await client.run(
      async (_, signal) => {
        given = signal;
        return 'head';
      },
      { signal: controller.signal },
    );
    expect(given?.aborted).toBe(false);
    controller.abort('enough');
    expect(given?.reason).toBe('enough');
  });

  test.each([
    ['where no caller may abort', body, undefined],
    ['of an answer that is complete', undefined, new AbortController().signal],
  ])('is nobody to be told of %s', async (_, arriving, signal) => {
    const { client, lines } = rig(1, { policies: [timeout(100)], classifier: classifierOf(() => arriving) });
    expect(await client.run(async () => 'head', { signal })).toBe('head');
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
  });

  test('the time is up for the answer alone: what arrives afterwards is not cut off', async () => {
    const { client, clock } = rig(1, { policies: [timeout(100)], classifier: classifierOf(() => body) });
    let given: AbortSignal | undefined;
    await client.run(async (_, signal) => {
      given = signal;
    });
    await clock.advance(1000);
    expect(given?.aborted).toBe(false);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['answers what is no object', () => 5],
  ])('an `arriving` that %s is a fault, and the call has its answer', async (_, arriving) => {
    const { client, lines } = rig(1, {
      policies: [timeout(100)],
      classifier: classifierOf(arriving as never),
    });
    const fate = watch(client.run(async () => 'head', { signal: new AbortController().signal }));
    await settled();
    expect(fate).toEqual({ state: 'resolved', value: 'head' });
    expect(lines.at(-1)).toMatch(/^fault classifier /);
  });
});

test('a call with many retries and time-outs adds no more than one listener at a time to the signal of the caller', async () => {
  const { client, clock } = rig(endpoints(5), {
    policies: [timeout(10_000), retry({ attempts: 20, budget: false, backoff: () => 10 }), timeout(100)],
  });
  const { signal, listeners } = countedSignal();
  const fate = watch(client.run(never, { signal }));
  for (let i = 0; i < 30; i++) {
    await clock.advance(100);
    expect(listeners()).toBeLessThanOrEqual(1);
  }
  expect(fate.state).toBe('rejected');
  expect(listeners()).toBe(0);
});

describe('a policy of the user that takes no notice of an abort', () => {
  const stubborn: Policy = next => (task, call) => {
    const running = next(task, call);
    return new Promise((resolve, reject) => {
      running.then(resolve, () => setTimeout(() => reject(new Error('nobody waits for this')), 0));
    });
  };

  test.each<[string, readonly Policy[]]>([
    ['a time-out', [timeout(100), stubborn]],
    ['a time-out round others', [timeout(100), limit({ concurrency: 9 }), throttle(), retry(), stubborn]],
    ['a hedge within a time-out', [timeout(100), hedge({ delay: 10 }), stubborn]],
  ])('keeps nobody waiting: %s', async (_, policies) => {
    const { client, clock } = rig(2, { policies });
    const { signal, abort, listeners } = countedSignal();
    const late = watch(client.run(never, { signal }));
    await clock.advance(100);
    expect(late.value).toMatchObject({ code: 'TIMEOUT' });
    const aborted = watch(client.run(never, { signal }));
    await settled();
    abort('enough');
    await settled();
    expect(aborted).toEqual({ state: 'rejected', value: 'enough' });
    expect([clock.pending, listeners(), running(client)]).toEqual([0, 0, 0]);
  });

  test('and what it brings too late is let go of', async () => {
    const discarded: unknown[] = [];
    const { promise, resolve } = deferred<string>();
    const own: Policy = next => async (task, call) => {
      await next(task, call);
      return promise as never;
    };
    const classifier: Classifier = {
      value: () => 'success',
      error: () => 'failure',
      discard: value => discarded.push(value),
    };
    const { client, clock } = rig(1, { policies: [timeout(100), own], classifier });
    const fate = watch(client.run(async () => 'in time'));
    await clock.advance(100);
    expect(fate.value).toMatchObject({ code: 'TIMEOUT' });
    resolve('too late');
    await settled();
    expect(discarded).toEqual(['too late']);
  });
});
