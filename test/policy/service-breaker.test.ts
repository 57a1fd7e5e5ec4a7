import {
  type Breaker,
  type Classifier,
  consecutiveFailures,
  FairleadError,
  failureRate,
  hedge,
  limit,
  type MakeBreaker,
  type Policy,
  retry,
  serviceBreaker,
  type Task,
  timeout,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { rig, watch } from '../helpers.ts';

const ok: Task<string> = async ({ id }) => id;
const refused: Task<never> = () => Promise.reject(new Error('refused'));
const never: Task<never> = (_, signal) =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));

const breaker = (threshold = 3, probes = 1): Policy =>
  serviceBreaker(consecutiveFailures({ threshold, probes, openFor: 1000, jitter: 0 }));

async function clientOf(policies: readonly Policy[], options: Parameters<typeof rig>[1] = {}) {
  const made = rig(5, { policies, breaker: false, ...options });
  await made.client.ready();
  const state = (): string => made.client.pool.serviceBreakers[0]!;
  const fail = async (n: number, task: Task<unknown> = refused): Promise<void> => {
    for (let i = 0; i < n; i++) await made.client.run(task).catch(() => {});
  };
  return { ...made, state, fail };
}

test('outside retry it counts calls: what a retry made good is no failure, and what came to nothing is one', async () => {
  const { client, state, fail } = await clientOf([breaker(3), retry({ attempts: 3, budget: false })]);
  let attempts = 0;
  const third: Task<string> = async ({ id }) => {
    if (++attempts % 3 !== 0) throw new Error('refused');
    return id;
  };
  for (let n = 0; n < 20; n++) await client.run(third);
  expect(attempts).toBe(60);
  expect(state()).toBe('closed');
  const two = fail(2);
  await settled();
  await two;
  expect(state()).toBe('closed');
  await fail(1);
  expect(state()).toBe('open');
});

test('inside retry it counts attempts, and its refusal ends the call', async () => {
  const { client, state } = await clientOf([
    retry({ attempts: 9, budget: false, backoff: () => 0 }),
    breaker(3),
  ]);
  const error = await client.run(refused).catch(error => error);
  expect(state()).toBe('open');
  expect(error).toMatchObject({ code: 'OPEN', attempts: [{}, {}, {}] });
});

test('open it refuses at once, charges nobody, has no stack, and is told of and shown', async () => {
  const { client, lines, state, fail, clock } = await clientOf([breaker(3), retry()]);
  await fail(3);
  lines.length = 0;
  const error = await client.run(ok).catch(error => error);
  expect(error).toMatchObject({ name: 'FairleadError', code: 'OPEN', attempts: [] });
  expect(error.message).toBe('the breaker round the service is open');
  expect(error.stack).not.toContain('\n');
  expect(lines).toEqual([]);
  await clock.advance(1000);
  await expect(client.run(ok)).resolves.toMatch(/^m/);
  expect(lines.filter(line => line.startsWith('serviceBreaker'))).toEqual([
    'serviceBreaker open half-open',
    'serviceBreaker half-open closed',
  ]);
  expect(state()).toBe('closed');
});

test('half-open it lets its probes through and refuses the rest', async () => {
  const { client, clock, state, fail } = await clientOf([breaker(3, 2)]);
  await fail(3);
  await clock.advance(1000);
  const ends: (() => void)[] = [];
  const held: Task<void> = () => new Promise(resolve => ends.push(resolve));
  const fates = Array.from({ length: 5 }, () => watch(client.run(held)));
  await settled();
  expect(fates.map(({ state }) => state)).toEqual(['pending', 'pending', 'rejected', 'rejected', 'rejected']);
  expect(fates[4]!.value).toMatchObject({
    code: 'OPEN',
    message: 'the breaker round the service is half-open',
  });
  ends[0]!();
  await settled();
  expect(state()).toBe('half-open');
  ends[1]!();
  await settled();
  expect(state()).toBe('closed');
});

describe('a call that ran out of time has failed, though no attempt of it may be to blame', () => {
  const slowRetry = (): Policy => retry({ attempts: 9, budget: false });
  test.each<[string, () => Policy[]]>([
    ['by a time-out inside', () => [breaker(2), timeout(100), slowRetry(), timeout(60)]],
    ['by a time-out outside', () => [timeout(100), breaker(2), slowRetry(), timeout(60)]],
  ])('%s', async (_, policies) => {
    const { client, clock, state } = await clientOf(policies());
    for (let n = 0; n < 2; n++) {
      expect(state()).toBe('closed');
      const fate = watch(client.run(never));
      await clock.advance(100);
      expect(fate.value).toMatchObject({ code: 'TIMEOUT' });
    }
    expect(state()).toBe('open');
  });
});

test('what the caller gave up, what got no member and what another policy refused counts as nothing', async () => {
  const { client, state, source } = await clientOf([breaker(1), limit({ concurrency: 1 })]);
  const controller = new AbortController();
  const gone = watch(client.run(never, { signal: controller.signal }));
  await expect(client.run(ok)).rejects.toMatchObject({ code: 'OVERLOADED' });
  controller.abort(new Error('gone'));
  await settled();
  expect(gone.value).toMatchObject({ message: 'gone' });
  source.set([]);
  await settled();
  await client.run(ok).catch(() => {});
  expect(state()).toBe('closed');
});

test('an answer that nobody was asked for closes nothing', async () => {
  let cached = false;
  const cache: Policy = next => (task, call) =>
    cached ? Promise.resolve('cached' as never) : next(task, call);
  const { client, clock, state, fail } = await clientOf([breaker(1), cache]);
  await fail(1);
  await clock.advance(1000);
  cached = true;
  await expect(client.run(ok)).resolves.toBe('cached');
  expect(state()).toBe('half-open');
  cached = false;
  await client.run(ok);
  expect(state()).toBe('closed');
});

test('a hedge that won is a success, whatever became of the attempt that lost', async () => {
  const { client, clock, state, fail } = await clientOf([
    breaker(2),
    retry(),
    hedge({ delay: 10, ratio: 100, budget: false }),
  ]);
  let attempts = 0;
  const slowFirst: Task<string> = (endpoint, signal, call) =>
    attempts++ % 2 === 0 ? never(endpoint, signal, call) : ok(endpoint, signal, call);
  await fail(1);
  const fate = watch(client.run(slowFirst));
  await clock.advance(10);
  expect([fate.state, attempts]).toEqual(['resolved', 2]);
  await fail(1); // else it were the second in a row
  expect(state()).toBe('closed');
  await fail(1);
  expect(state()).toBe('open');
});

test('a kind that is none is a fault, and the error tells', async () => {
  const policies = [serviceBreaker(consecutiveFailures({ threshold: 1, counts: ['error'] }))];
  const classifier: Classifier = {
    value: () => 'success',
    error: () => 'failure',
    kind: () => 'bad' as 'error',
  };
  const { fail, state, lines } = await clientOf(policies, { classifier });
  await fail(1);
  expect(state()).toBe('open');
  const fault = 'fault classifier kind is "bad"; it must be connect, timeout, answer, error';
  expect(lines.filter(line => line.startsWith('fault'))).toEqual([fault, fault]);
});

test('answers that the classifier finds bad are failures, of the kind it can be told by', async () => {
  const classifier: Classifier = {
    value: value => (value === 503 ? 'failure' : 'success'),
    error: error => (error === 'mine' ? 'ignored' : 'failure'),
    kind: error => (error === 'reply' ? 'answer' : undefined),
  };
  const answers = serviceBreaker(consecutiveFailures({ threshold: 4, counts: ['answer'], jitter: 0 }));
  const { state, fail } = await clientOf([answers], { classifier });
  await fail(3, async () => 503);
  await fail(3, () => Promise.reject('mine'));
  await fail(3, () => Promise.reject(Object.assign(new Error('no'), { code: 'ECONNREFUSED' })));
  expect(state()).toBe('closed');
  await fail(1, () => Promise.reject('reply'));
  expect(state()).toBe('open');
});

test('it measures whole calls: slow is what the caller waited for, over all attempts', async () => {
  const slow = serviceBreaker(failureRate({ slowerThan: 100, minCalls: 2, threshold: 1 }));
  const { client, clock, state } = await clientOf([slow, retry({ attempts: 3, budget: false })]);
  for (let n = 0; n < 2; n++) {
    let attempts = 0;
    const fate = watch(
      client.run(async () => {
        await new Promise<void>(resolve => void clock.after(60, resolve));
        if (++attempts < 2) throw new Error('refused');
      }),
    );
    await clock.advance(60);
    await clock.advance(60);
    expect(fate.state).toBe('resolved');
  }
  expect(state()).toBe('open');
});

test.each(['allows', 'begin', 'end'] as const)(
  'a breaker whose `%s` throws lets calls through',
  async name => {
    const made: Breaker = { state: 'closed', epoch: 0, allows: () => true, begin() {}, end() {} };
    const thrower = {
      ...made,
      [name]() {
        throw new Error('boom');
      },
    };
    const { client, lines } = await clientOf([serviceBreaker(() => thrower)]);
    await expect(client.run(ok)).resolves.toMatch(/^m/);
    await expect(client.run(refused)).rejects.toThrow('refused');
    expect(lines).toContain('fault breaker boom');
  },
);

describe('what it is told', () => {
  const hears = async (inside: readonly Policy[] = [], more: Partial<Classifier> = {}) => {
    const told: unknown[][] = [];
    const spy: MakeBreaker = () => ({
      ...{ state: 'closed', epoch: 0, allows: () => true, begin() {} },
      end: (outcome, elapsed, _, __, kind) => void told.push([outcome, elapsed, kind]),
    });
    const classifier: Classifier = {
      value: value => (value === 'bad' ? 'failure' : 'success'),
      error: () => 'failure',
      ...more,
    };
    const made = await clientOf([serviceBreaker(spy), ...inside], { classifier });
    await made.clock.advance(100);
    const later =
      (ms: number, give: () => unknown): Task<unknown> =>
      () =>
        new Promise((resolve, reject) =>
          made.clock.after(ms, () => {
            try {
              resolve(give());
            } catch (error) {
              reject(error);
            }
          }),
        );
    const run = async (task: Task<unknown>, signal?: AbortSignal) => {
      const fate = watch(made.client.run(task, { signal }));
      await made.clock.advance(1000);
      expect(fate.state).not.toBe('pending');
      return fate;
    };
    return { ...made, told, later, run };
  };
  const fails = (error: Error) => (): never => {
    throw error;
  };

  test('how it went, how long it took, and of what kind a failure was', async () => {
    const { run, later, told, lines } = await hears();
    await run(later(50, () => 'good'));
    await run(later(60, () => 'bad'));
    await run(later(70, fails(new Error('reset'))));
    await run(later(80, fails(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))));
    expect(told).toEqual([
      ['success', 50, undefined],
      ['failure', 60, 'answer'],
      ['failure', 70, 'error'],
      ['failure', 80, 'connect'],
    ]);
    expect(lines.filter(line => /^fault|^service/.test(line))).toEqual([]);
  });

  test('of our own errors a time-out is a failure, and any other is none, after an attempt, too', async () => {
    const { run, later, told } = await hears([timeout(200)]);
    await run(later(500, () => 'late'));
    await run(later(10, fails(new FairleadError('OVERLOADED', 'within'))));
    expect(told).toEqual([
      ['failure', 200, 'timeout'],
      ['ignored', 10, undefined],
    ]);
  });

  test('a caller who leaves, and a policy inside that throws before there was an attempt, say nothing', async () => {
    const gone = await hears();
    const controller = new AbortController();
    gone.clock.after(30, () => controller.abort(new Error('enough')));
    await gone.run(
      gone.later(500, () => 'late'),
      controller.signal,
    );
    expect(gone.told).toEqual([['ignored', 30, undefined]]);
    const rude = await hears([
      () => () => {
        throw new Error('rude');
      },
    ]);
    expect((await rude.run(ok)).value).toEqual(new Error('rude'));
    expect(rude.told).toEqual([['ignored', 0, undefined]]);
  });

  test('a classifier that throws, or answers nonsense, says nothing; of the kind the error tells then', async () => {
    const boom = fails(new Error('boom'));
    for (const [more, expected, faults] of [
      [{ error: boom }, ['ignored', 10, undefined], 2],
      [{ error: () => 'maybe' as never }, ['ignored', 10, undefined], 1],
      [{ kind: boom }, ['failure', 10, 'error'], 2],
    ] as const) {
      const { run, later, told, lines } = await hears([], more);
      await run(later(10, fails(new Error('reset'))));
      expect(told).toEqual([expected]);
      expect(lines.filter(line => line.startsWith('fault classifier'))).toHaveLength(faults);
    }
  });
});
