import {
  Call,
  consecutiveFailures,
  hedge,
  type Policy,
  partOf,
  type RetryBudget,
  retry,
  roundRobin,
  timeout,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { giveUpReasonOf } from '../../src/policy/give-up.ts';
import { deferred, rig, watch } from '../helpers.ts';

const never = (): Promise<never> => new Promise(() => {});
const refused = (): Promise<never> => Promise.reject(new Error('refused'));

describe('a part of a call', () => {
  const judge = { verdict: () => undefined, blame() {} };

  test.each([
    [undefined, undefined, undefined],
    [undefined, 5, 5],
    [3, undefined, 3],
    [3, 5, 3],
    [5, 3, 3],
    [0, 0, 0],
  ])('of one with the deadline %s that has %s of its own has %s', (whole, own, expected) => {
    const call = new Call();
    call.deadline = whole;
    expect(partOf(call, judge, own).deadline).toBe(expected);
    expect(call.deadline).toBe(whole);
  });

  test('tells a task by when it must be over, and which attempt of the whole it is', async () => {
    const told: unknown[] = [];
    const { client, clock } = rig(3, {
      policies: [timeout(250), retry({ attempts: 3 }), timeout(100)],
    });
    await clock.advance(1000);
    const fate = watch(
      client.run((_endpoint, _signal, { attempt, deadline }) => {
        told.push([attempt, deadline]);
        return never();
      }),
    );
    await clock.advance(250);
    expect(fate.state).toBe('rejected');
    expect(told).toEqual([
      [1, 1100],
      [2, 1200],
      [3, 1250],
    ]);
  });

  test('without any time-out there is none', async () => {
    const { client } = rig(1, { policies: [retry()] });
    expect(await client.run(async (_endpoint, _signal, { deadline }) => deadline)).toBeUndefined();
  });

  test('attempts side by side have numbers of their own', async () => {
    const { client, clock } = rig(3, {
      policies: [hedge({ delay: 10, attempts: 3, ratio: 3, budget: false }), timeout(100)],
    });
    const numbers: number[] = [];
    watch(
      client.run((_endpoint, _signal, { attempt }) => {
        numbers.push(attempt);
        return never();
      }),
    );
    await clock.advance(50);
    expect(numbers).toEqual([1, 2, 3]);
  });
});

describe('no retry beyond the deadline', () => {
  test('a wait that would end after it is not begun: the call fails at once, with its own error', async () => {
    const { client, clock, lines } = rig(1, {
      policies: [timeout(100), retry({ attempts: 9, budget: false, backoff: () => 1e6 })],
    });
    const error = new Error('refused');
    const fate = watch(client.run(() => Promise.reject(error)));
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: error });
    expect(lines.at(-1)).toBe('giveUp deadline');
    expect(giveUpReasonOf(error)).toBe('deadline');
    expect(clock.pending).toBe(0);
  });

  test('how long it takes is learned of retries as well', async () => {
    const { client, clock, lines } = rig(9, { policies: [timeout(500), retry({ attempts: 2 })] });
    const call = (first: number): void => {
      let runs = 0;
      watch(
        client.run(() => {
          const takes = ++runs === 1 ? first : 300;
          return new Promise((resolve, reject) =>
            clock.after(takes, () => (runs === 1 ? reject(new Error('reset')) : resolve('well'))),
          );
        }),
      );
    };
    for (let i = 0; i < 40; i++) call(0);
    await clock.advance(400);
    expect(lines).not.toContain('giveUp deadline');
    call(250);
    await clock.advance(260);
    expect(lines.at(-1)).toBe('giveUp deadline');
  });

  test('whatever the waits, the time and the failures: no attempt begins at or after it, none waits for it in vain', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          ms: fc.integer({ min: 1, max: 300 }),
          takes: fc.nat(120),
          wait: fc.nat(200),
          size: fc.integer({ min: 1, max: 3 }),
          seed: fc.nat(),
        }),
        async ({ ms, takes, wait, size, seed }) => {
          const policies = [timeout(ms), retry({ attempts: 50, budget: false, backoff: () => wait })];
          const { client, clock } = rig(size, { policies }, seed);
          const begun: number[] = [];
          const fate = watch(
            client.run(() => {
              begun.push(clock.now());
              return new Promise((_, reject) => clock.after(takes, () => reject(new Error('refused'))));
            }),
          );
          let settledAt = Number.NaN;
          for (let i = 0; i <= ms && fate.state === 'pending'; i++) {
            await clock.advance(i === 0 ? 0 : 1);
            settledAt = clock.now();
          }
          expect(fate.state).toBe('rejected');
          expect(settledAt).toBeLessThanOrEqual(ms);
          for (const at of begun) expect(at).toBeLessThan(ms);
          await clock.advance(1000);
          expect(clock.pending).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('it costs nothing of the budget', async () => {
    const withdrawn: number[] = [];
    const budget: RetryBudget = { deposit() {}, withdraw: now => withdrawn.push(now) > 0 };
    const { client } = rig(1, { policies: [timeout(100), retry({ budget, backoff: () => 1e6 })] });
    await expect(client.run(refused)).rejects.toThrow('refused');
    expect(withdrawn).toEqual([]);
  });

  test('a time-out inside sets none for the retry around it', async () => {
    const { client, clock } = rig(1, {
      policies: [retry({ attempts: 2, backoff: () => 1e6, budget: false }), timeout(100)],
    });
    const fate = watch(client.run(refused));
    await clock.advance(1e6);
    expect(fate.value).toMatchObject({ message: 'refused' });
    expect(client.pool.members()[0]).toMatchObject({ inFlight: 0 });
  });
});

describe('the time that is left must fit what successes took', () => {
  /** A client that has seen so many calls succeed after `ms`, each with time to spare. */
  async function seasoned(calls: number, ms: number, policies: readonly Policy[] = []) {
    const made = rig(2, {
      balancer: roundRobin(),
      policies: [timeout(1000), retry({ budget: false, backoff: () => 0 }), ...policies],
    });
    const { client, clock } = made;
    const answering = (): Promise<string> =>
      new Promise(resolve => {
        clock.after(ms, () => resolve('answer'));
      });
    for (let i = 0; i < calls; i++) {
      const fate = watch(client.run(answering));
      await clock.advance(ms);
      expect(fate.state).toBe('resolved');
    }
    /** A call whose first attempt fails after so long, and when and how it ends. */
    const failingAfter = async (first: number): Promise<{ runs: number; reason: unknown }> => {
      let runs = 0;
      const fate = watch(
        client.run(() => {
          runs++;
          if (runs > 1) return answering();
          return new Promise((_, reject) => clock.after(first, () => reject(new Error('refused'))));
        }),
      );
      await clock.advance(1000);
      return { runs, reason: fate.state === 'rejected' ? giveUpReasonOf(fate.value) : undefined };
    };
    return { ...made, failingAfter };
  }

  test('else there is no other attempt', async () => {
    const { failingAfter } = await seasoned(30, 200);
    // The histogram is right to 9 %, upwards: 200 passes for 215.3.
    expect(await failingAfter(784)).toEqual({ runs: 2, reason: undefined });
    expect(await failingAfter(785)).toEqual({ runs: 1, reason: 'deadline' });
    expect(await failingAfter(801)).toEqual({ runs: 1, reason: 'deadline' });
  });

  test('of fewer than 30 nothing is concluded', async () => {
    const { failingAfter } = await seasoned(29, 200);
    expect((await failingAfter(990)).runs).toBe(2);
  });

  test('nor of those more than 30 s ago', async () => {
    const { failingAfter, clock } = await seasoned(30, 200);
    await clock.advance(30_000);
    expect((await failingAfter(990)).runs).toBe(2);
  });

  test('half of them count, not the slowest', async () => {
    const { failingAfter, client, clock } = await seasoned(30, 200);
    for (let i = 0; i < 40; i++) {
      const fate = watch(client.run(async () => 'at once'));
      await clock.advance(1);
      expect(fate.state).toBe('resolved');
    }
    expect((await failingAfter(950)).runs).toBe(2);
  });

  test('failures say nothing about how long a success takes', async () => {
    const { failingAfter, client, clock } = await seasoned(0, 200);
    for (let i = 0; i < 40; i++) {
      watch(client.run(() => new Promise((_, reject) => clock.after(300, () => reject(new Error('no'))))));
      await clock.advance(900);
    }
    expect((await failingAfter(900)).runs).toBe(2);
  });

  test('nor do calls that have no deadline', async () => {
    let hurried = false;
    const sometimes: Policy = (next, context) => {
      const bounded = timeout(1000)(next, context);
      return (task, call) => (hurried ? bounded : next)(task, call);
    };
    const { client, clock } = rig(2, { policies: [sometimes, retry({ budget: false })] });
    await clock.advance(10_000);
    for (let i = 0; i < 40; i++) await client.run(async () => 'answer');
    hurried = true;
    let runs = 0;
    expect(await client.run(async () => (++runs === 1 ? refused() : 'answer'))).toBe('answer');
  });

  test('a hedge is part of what it took', async () => {
    // The first of two never answers; the second, 100 ms later, does after 100 more.
    const made = rig(2, {
      policies: [
        timeout(1000),
        retry({ budget: false, backoff: () => 0 }),
        hedge({ delay: 100, ratio: 1, budget: false }),
      ],
    });
    const { client, clock } = made;
    for (let i = 0; i < 30; i++) {
      let runs = 0;
      const fate = watch(
        client.run(() =>
          ++runs === 1 ? never() : new Promise(resolve => clock.after(100, () => resolve('answer'))),
        ),
      );
      await clock.advance(200);
      expect(fate.state).toBe('resolved');
    }
    let runs = 0;
    const fate = watch(
      client.run(
        () =>
          new Promise((_, reject) => {
            runs++;
            clock.after(90 * 9, () => reject(new Error('refused')));
          }),
      ),
    );
    await clock.advance(1000);
    expect(fate.state).toBe('rejected');
    expect(giveUpReasonOf(fate.value)).toBe('deadline'); // 90 ms were left, or 190 of the first: not 200
    expect(runs).toBe(2);
  });
});

describe('a time-out that would outlast the deadline', () => {
  test('takes no timer of its own, and the deadline ends the attempt', async () => {
    const { client, clock, lines } = rig(1, { policies: [timeout(100), timeout(1000)] });
    const fate = watch(client.run(never));
    await settled();
    expect(clock.pending).toBe(1);
    await clock.advance(100);
    expect(fate.value).toMatchObject({ code: 'TIMEOUT', message: 'no answer within 100 ms' });
    expect(lines.at(-1)).toBe('attemptEnd m000 failure');
    expect(clock.pending).toBe(0);
  });

  test('blames nobody whose attempt had little of the time, though it is the last of many', async () => {
    const { client, clock, lines } = rig(3, {
      policies: [timeout(1000), retry({ attempts: 3, budget: false }), timeout(400)],
    });
    watch(client.run(never));
    await clock.advance(1000);
    expect(lines.filter(line => line.startsWith('attemptEnd')).map(line => line.split(' ')[2])).toEqual([
      'failure',
      'failure',
      'ignored', // it had 200 ms of 400
    ]);
  });

  test('an attempt that waited inside it for most of its time is not blamed by it', async () => {
    const queue: Policy =
      (next, { clock }) =>
      (task, call) =>
        new Promise((resolve, reject) => {
          clock.after(60, () => next(task, call).then(resolve, reject));
        });
    const { client, clock, lines } = rig(1, {
      policies: [timeout(1000), retry({ attempts: 1 }), timeout(100), queue],
    });
    const fate = watch(client.run(never));
    await clock.advance(100);
    expect(fate.value).toMatchObject({ message: 'no answer within 100 ms' });
    expect(lines.at(-1)).toBe('attemptEnd m000 ignored');
  });
});

describe('the wait for the first set', () => {
  test('is not part of an attempt, though its time-out is inside a retry', async () => {
    const { client, source, clock } = rig(undefined, { policies: [retry({ attempts: 1 }), timeout(100)] });
    const fate = watch(client.run(async () => 'answer'));
    await clock.advance(5000);
    expect(fate.state).toBe('pending');
    source.set([{ id: 'a', host: 'a.test', port: 80 }]);
    await settled();
    expect(fate.value).toBe('answer');
  });

  test('is part of the call: a time-out outside ends it, as the caller does, and close', async () => {
    const make = () => rig(undefined, { policies: [timeout(100), retry(), timeout(50)] });
    const first = make();
    const late = watch(first.client.run(async () => 1));
    await first.clock.advance(100);
    expect(late.value).toMatchObject({ message: 'no answer within 100 ms', attempts: [] });
    const second = make();
    const controller = new AbortController();
    const left = watch(second.client.run(async () => 1, { signal: controller.signal }));
    await settled();
    controller.abort('enough');
    await settled();
    expect(left.value).toBe('enough');
    const third = make();
    const refused = watch(third.client.run(async () => 1));
    await settled();
    await third.client.close();
    await settled();
    expect(refused.value).toMatchObject({ code: 'CLOSED' });
    expect([first.clock.pending, second.clock.pending, third.clock.pending]).toEqual([0, 0, 0]);
  });

  test('ends after readyTimeout, of which no member is to blame', async () => {
    const { client, clock, lines } = rig(undefined, { policies: [retry()], readyTimeout: 100 });
    const fate = watch(client.run(async () => 1));
    await clock.advance(100);
    expect(fate.value).toMatchObject({ code: 'NO_ENDPOINTS' });
    expect(lines).toEqual([]);
    await client.close();
  });
});

describe('why there was no other attempt', () => {
  test.each([
    ['attempts', { policies: [retry({ attempts: 1 })] }, {}],
    ['not-repeatable', { policies: [retry()] }, { repeatable: false }],
    ['budget', { policies: [retry({ budget: { deposit() {}, withdraw: () => false } })] }, {}],
    ['deadline', { policies: [timeout(100), retry({ backoff: () => 1e6 })] }, {}],
    [
      'pushback',
      {
        policies: [retry()],
        classifier: { value: () => 'success', error: () => 'failure', retryAfter: () => -1 },
      },
      {},
    ],
  ] as const)('%s: told by the error and by the event alike', async (reason, options, given) => {
    const { client, lines } = rig(1, options);
    const error = new Error('refused');
    await expect(client.run(() => Promise.reject(error), given)).rejects.toBe(error);
    expect(giveUpReasonOf(error)).toBe(reason);
    expect(Object.keys(error)).toEqual([]);
    expect(lines.at(-1)).toBe(`giveUp ${reason}`);
  });

  test('aborted: the time-out of the whole call tells it', async () => {
    const { client, clock } = rig(3, { policies: [timeout(100), retry()] });
    const fate = watch(client.run(never));
    await clock.advance(100);
    expect(giveUpReasonOf(fate.value)).toBe('aborted');
  });

  test('a bad answer that is returned tells it, too', async () => {
    const { client } = rig(1, {
      policies: [retry({ attempts: 1 })],
      classifier: { value: () => 'failure', error: () => 'failure' },
    });
    const answer = { status: 503 };
    expect(await client.run(async () => answer)).toBe(answer);
    expect(giveUpReasonOf(answer)).toBe('attempts');
  });

  test('an error that is a function tells it, too', async () => {
    const { client } = rig(1, { policies: [retry({ attempts: 1 })] });
    const error = (): void => {};
    await expect(client.run(() => Promise.reject(error))).rejects.toBe(error);
    expect(giveUpReasonOf(error)).toBe('attempts');
  });

  test.each([['text'], [undefined], [null], [7]])(
    'of %o, and of what was not given up, nothing is known',
    async thrown => {
      const { client } = rig(1, { policies: [retry({ attempts: 1 })] });
      const fate = watch(client.run(() => Promise.reject(thrown)));
      await settled();
      expect(fate).toEqual({ state: 'rejected', value: thrown });
      expect(giveUpReasonOf(thrown)).toBeUndefined();
      expect(giveUpReasonOf(new Error('never seen'))).toBeUndefined();
    },
  );

  test('an error that is frozen is thrown as it is', async () => {
    const { client } = rig(1, { policies: [retry({ attempts: 1 })] });
    const error = Object.freeze(new Error('refused'));
    await expect(client.run(() => Promise.reject(error))).rejects.toBe(error);
    expect(giveUpReasonOf(error)).toBe('attempts');
  });

  test('a breaker that refuses all is not a reason of the retry: its error has the code', async () => {
    const { client } = rig(1, {
      panic: false,
      breaker: consecutiveFailures({ threshold: 1 }),
      policies: [retry({ backoff: () => 0 })],
    });
    const error: unknown = await client.run(refused).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
    expect(giveUpReasonOf(error)).toBeUndefined();
  });
});

test('a call that waits for its retry when its caller leaves has not begun another attempt', async () => {
  const { client, clock, lines } = rig(1, {
    policies: [timeout(10_000), retry({ backoff: () => 1000, budget: false })],
  });
  const { promise, reject } = deferred<never>();
  const controller = new AbortController();
  const fate = watch(client.run(() => promise, { signal: controller.signal }));
  await settled();
  reject(new Error('refused'));
  await settled();
  expect(clock.pending).toBe(2);
  controller.abort('enough');
  await settled();
  expect(fate).toEqual({ state: 'rejected', value: 'enough' });
  expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(1);
  expect(clock.pending).toBe(0);
});
