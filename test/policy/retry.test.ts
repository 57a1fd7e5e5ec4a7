import {
  alwaysClosed,
  type Balancer,
  type Breaker,
  type Classifier,
  consecutiveFailures,
  leastRequest,
  type Policy,
  p2c,
  type RetryBudget,
  random,
  retry,
  retryBudget,
  ring,
  roundRobin,
  type Task,
  timeout,
  weightedRoundRobin,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deferred, type Fate, rig, running, watch } from '../helpers.ts';

/** A task that fails everywhere, and where it was run. */
function failing(error: unknown = new Error('refused')): { task: Task<never>; tried: string[] } {
  const tried: string[] = [];
  return {
    tried,
    task: async ({ id }) => {
      tried.push(id);
      throw error;
    },
  };
}

/** A refusal, within so many errors. */
const wrapped = (depth: number): object =>
  depth === 0 ? { code: 'ECONNREFUSED' } : { cause: wrapped(depth - 1) };

function selfCaused(): object {
  const error: { cause?: unknown } = {};
  error.cause = error;
  return error;
}

/** Numbers below 500 are good answers. */
const statuses: Classifier = {
  value: value => ((value as number) < 500 ? 'success' : 'failure'),
  error: () => 'failure',
};

describe('which member', () => {
  const BALANCERS: readonly [string, () => Balancer][] = [
    ['roundRobin', roundRobin],
    ['weightedRoundRobin', weightedRoundRobin],
    ['random', random],
    ['p2c', p2c],
    ['leastRequest', leastRequest],
    ['ring', () => ring({ points: 20 })],
  ];

  test.each(BALANCERS)('%s: no member twice while there is one the call has not tried', async (_, make) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 10 }),
        fc.nat(),
        async (size, attempts, seed) => {
          const policies = [retry({ attempts, budget: false, backoff: () => 0 })];
          const { client } = rig(size, { balancer: make(), policies }, seed);
          const { task, tried } = failing();
          await expect(client.run(task, { key: 'k' })).rejects.toThrow('refused');
          await client.close();
          expect(tried).toHaveLength(attempts);
          expect(new Set(tried.slice(0, size)).size).toBe(Math.min(size, attempts));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a retry within a time-out within a retry remembers all members tried', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const policies = [retry({ attempts: 2 }), timeout(1000), retry({ attempts: 2 })];
      const { client } = rig(4, { policies, balancer: random() }, seed);
      const { task, tried } = failing();
      await expect(client.run(task)).rejects.toThrow('refused');
      expect(new Set(tried).size).toBe(4);
    }
  });

  test('where a breaker throws when it is asked, that is its fault, and the retry waits', async () => {
    let asked = false;
    const breaker = (): Breaker => ({
      ...alwaysClosed,
      allows() {
        if (asked) throw new Error('boom');
        return true;
      },
    });
    const { client, clock, lines } = rig(2, { policies: [retry({ attempts: 2 })], breaker });
    const fate = watch(
      client.run(async () => {
        asked = true;
        throw new Error('refused');
      }),
    );
    await clock.advance(1000);
    expect(fate.value).toMatchObject({ message: 'refused' });
    expect(lines.filter(line => /^fault|^retry/.test(line)).slice(0, 2)).toEqual([
      'fault breaker boom',
      expect.stringMatching(/^retry 2 after m00\d later$/),
    ]);
  });

  test('a member whose breaker refuses is no untried one: with it alone left, the retry waits', async () => {
    const { client, lines, clock } = rig(2, {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      policies: [retry({ attempts: 3, backoff: () => 100 })],
    });
    const { task, tried } = failing();
    const fate = watch(client.run(task));
    await clock.advance(200);
    expect(fate.state).toBe('rejected');
    expect(tried).toHaveLength(3);
    expect(lines.filter(line => line.startsWith('retry'))).toEqual([
      expect.stringMatching(/^retry 2 after m00\d$/),
      expect.stringMatching(/^retry 3 after m00\d later$/),
    ]);
  });
});

describe('the wait', () => {
  test('there is none while a member is untried; then each is drawn from what `backoff` allows, and all differ', async () => {
    const asked: number[] = [];
    const delays: number[] = [];
    const { client, clock } = rig(3, {
      policies: [
        retry({
          attempts: 20,
          budget: false,
          backoff: n => {
            asked.push(n);
            return 100 * n;
          },
        }),
      ],
      observer: { retry: ({ delay }) => delays.push(delay) },
    });
    const fate = watch(client.run(failing().task));
    await clock.advance(100 * 20 * 20);
    expect(fate.state).toBe('rejected');
    expect(delays.slice(0, 2)).toEqual([0, 0]);
    expect(asked).toEqual(Array.from({ length: 17 }, (_, i) => i + 3));
    delays.slice(2).forEach((delay, i) => {
      expect(delay).toBeGreaterThan(0);
      expect(delay).toBeLessThan(100 * (i + 3));
    });
    expect(new Set(delays.slice(2)).size).toBe(17);
    expect(clock.pending).toBe(0);
  });

  test('by default it is up to 25 ms, doubling to a second', async () => {
    const delays: number[] = [];
    const { client, clock } = rig(1, {
      policies: [retry({ attempts: 12, budget: false })],
      observer: { retry: ({ delay }) => delays.push(delay) },
    });
    watch(client.run(failing().task));
    await clock.advance(20_000);
    expect(delays).toHaveLength(11);
    for (const [i, delay] of delays.entries()) expect(delay).toBeLessThan(Math.min(1000, 25 * 2 ** i));
    expect(Math.max(...delays.slice(6))).toBeGreaterThan(500); // five draws from [0, 1000), with a fixed seed
  });

  test('an abort ends it at once, with the reason, and leaves no timer', async () => {
    const { client, clock } = rig(1, { policies: [retry({ backoff: () => 60_000 })] });
    const controller = new AbortController();
    const fate = watch(client.run(failing().task, { signal: controller.signal }));
    await settled();
    expect(clock.pending).toBe(1);
    controller.abort('enough');
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: 'enough' });
    expect(clock.pending).toBe(0);
  });

  test.each<[string, () => unknown, number]>([
    [
      'throws',
      () => {
        throw new Error('no idea');
      },
      1,
    ],
    ['answers NaN', () => Number.NaN, 0],
    ['answers less than nothing', () => -5, 0],
    ['answers nothing', () => undefined, 0],
  ])('a `backoff` that %s means no wait, and the call goes on', async (_, backoff, faults) => {
    const { client, lines } = rig(1, { policies: [retry({ attempts: 2, backoff: backoff as never })] });
    await expect(client.run(failing().task)).rejects.toThrow('refused');
    expect(lines.filter(line => line === 'fault policy no idea')).toHaveLength(faults);
  });
});

describe('what is not repeated', () => {
  const refused = Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } });
  const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

  test.each([
    [true, refused, 4, 'attempts'], // one more than three, for the fourth member is untried
    [true, reset, 3, 'attempts'],
    ['unsent', refused, 4, 'attempts'],
    ['unsent', reset, 1, 'not-repeatable'],
    [false, refused, 1, 'not-repeatable'],
  ] as const)(
    'repeatable %o and %o: %i attempts, given up for %s',
    async (repeatable, error, attempts, reason) => {
      const { client, lines } = rig(4, { policies: [retry()] });
      const { task, tried } = failing(error);
      await expect(client.run(task, { repeatable })).rejects.toBe(error);
      expect(tried).toHaveLength(attempts);
      expect(lines.at(-1)).toBe(`giveUp ${reason}`);
    },
  );

  test.each([
    ['none beyond them where all members are tried', 1, 3, {}, 3, 'attempts'],
    ['as many again, at members that are untried', 9, 3, {}, 6, 'attempts'],
    ['none where there is but one attempt', 9, 1, {}, 1, 'attempts'],
    [
      'as many as the budget pays for',
      9,
      3,
      { budget: retryBudget({ ratio: 0, minPerSecond: 0.4 }) },
      5,
      'budget',
    ],
  ] as const)(
    'attempts of which nothing was sent are made good: %s',
    async (_, size, attempts, more, count, reason) => {
      const { client, lines } = rig(size, { policies: [retry({ attempts, backoff: () => 0, ...more })] });
      const { task, tried } = failing(refused);
      await expect(client.run(task)).rejects.toBe(refused);
      expect(tried).toHaveLength(count);
      expect(lines.at(-1)).toBe(`giveUp ${reason}`);
    },
  );

  test('a connection that came to nothing only after a second or more counts', async () => {
    const { client, clock } = rig(9, { policies: [retry()] });
    let runs = 0;
    const fate = watch(
      client.run(() => {
        runs++;
        return new Promise((_, reject) => clock.after(runs === 1 ? 1000 : 1001, () => reject(refused)));
      }),
    );
    await clock.advance(10_000);
    expect(fate.value).toBe(refused);
    expect(runs).toBe(4); // the first does not count
  });

  test('what was sent counts, whatever else was not', async () => {
    const { client } = rig(9, { policies: [retry({ attempts: 2 }), retry({ attempts: 3 })] });
    let runs = 0;
    // Inside: sent, not sent, sent and not sent again, which makes six of them; so the outer one has been heard of.
    await expect(
      client.run(() => Promise.reject(++runs % 2 === 1 && runs < 5 ? reset : refused)),
    ).rejects.toBe(refused);
    expect(runs).toBe(9);
  });

  test.each([
    ['no name', { code: 'ENOTFOUND', syscall: 'getaddrinfo' }, true],
    ['no name for now', { code: 'EAI_AGAIN', syscall: 'getaddrinfo' }, true],
    ['no name server', { code: 'ECONNREFUSED', syscall: 'queryA' }, true],
    ['no route', { code: 'EHOSTUNREACH', syscall: 'connect' }, true],
    ['no network', { code: 'ENETUNREACH', syscall: 'connect' }, true],
    ['no port to call from', { code: 'EADDRNOTAVAIL', syscall: 'connect' }, true],
    ['no connection in time', { code: 'UND_ERR_CONNECT_TIMEOUT' }, true],
    ['no connection in Bun', { code: 'ConnectionRefused' }, true],
    ['no route any more, in the middle of it', { code: 'EHOSTUNREACH', syscall: 'read' }, false],
    ['of a call whose name begins like that', { code: 'EHOSTUNREACH', syscall: 'connected' }, false],
    ['of a call whose name ends like that', { code: 'EHOSTUNREACH', syscall: 'reconnect' }, false],
    ['of a look-up of another name', { code: 'ENOTFOUND', syscall: 'getaddrinfos' }, false],
    ['of a look-up of another kind', { code: 'ENOTFOUND', syscall: 'xgetaddrinfo' }, false],
    ['of what only contains a query', { code: 'ECONNREFUSED', syscall: 'requery' }, false],
    ['a cause that is unsent, below one that is not', { code: 'X', cause: { code: 'ECONNREFUSED' } }, false],
    ['three wrappers', { cause: { cause: { cause: { code: 'ECONNREFUSED' } } } }, true],
    ['four wrappers, of which nobody knows how they go on', wrapped(4), false],
    ['a cause of itself', selfCaused(), false],
    ['no cause', { cause: null }, false],
    ['nothing at all', null, false],
    ['an empty code', { code: '' }, false],
    ['a code that is a number', { code: 7 }, false],
  ] as const)('%s: whether it shows that nothing was sent', async (_, error, again) => {
    const { client } = rig(2, { policies: [retry({ attempts: 2 })] });
    const { task, tried } = failing(error);
    await expect(client.run(task, { repeatable: 'unsent' })).rejects.toBe(error);
    expect(tried).toHaveLength(again ? 2 : 1);
  });

  test('a bad answer shows that something was sent, whatever the error codes say', async () => {
    const { client, lines } = rig(4, { policies: [retry()], classifier: statuses, repeatable: 'unsent' });
    expect(await client.run(async () => 503)).toBe(503);
    expect(lines.at(-1)).toBe('giveUp not-repeatable');
  });

  test('a success or an ignored outcome is not tried again, and nobody hears of a retry', async () => {
    const classifier: Classifier = { value: () => 'success', error: () => 'ignored' };
    const { client, lines } = rig(4, { policies: [retry()], classifier });
    expect(await client.run(async () => 1)).toBe(1);
    await expect(client.run(failing().task)).rejects.toThrow('refused');
    expect(lines.filter(line => /^(retry|giveUp)/.test(line))).toEqual([]);
  });

  test('a call that was given up is not repeated', async () => {
    const { client, lines } = rig(4, { policies: [retry()] });
    const controller = new AbortController();
    const { task, tried } = failing();
    const fate = watch(
      client.run(
        async (...given) => {
          controller.abort('enough');
          return task(...given);
        },
        { signal: controller.signal },
      ),
    );
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: 'enough' });
    expect(tried).toHaveLength(1);
    expect(lines.at(-1)).toMatch(/^attemptEnd m00\d ignored$/);
  });

  test('when the time of the whole call is over, a member at fault is not made good any more', async () => {
    const { client, lines, clock } = rig(4, { policies: [timeout(100), retry()] });
    const fate = watch(client.run(() => new Promise(() => {})));
    await clock.advance(100);
    expect(fate.value).toMatchObject({ code: 'TIMEOUT' });
    expect(lines.slice(-2)).toEqual([expect.stringMatching(/^attemptEnd m00\d failure$/), 'giveUp aborted']);
  });

  test('a pick that finds nobody is not repeated, nor taken for the failure before it', async () => {
    const withdrawn: number[] = [];
    const budget: RetryBudget = { deposit() {}, withdraw: now => withdrawn.push(now) > 0 };
    const { client } = rig(1, {
      breaker: consecutiveFailures({ threshold: 1 }),
      panic: false,
      policies: [retry({ attempts: 5, budget, backoff: () => 0 })],
    });
    const { task, tried } = failing();
    await expect(client.run(task)).rejects.toMatchObject({
      code: 'NO_AVAILABLE_ENDPOINT',
      attempts: [{ endpoint: 'm000', outcome: 'failure' }],
    });
    expect(tried).toHaveLength(1);
    expect(withdrawn).toHaveLength(1);
  });

  test('once the client is closed, a call that waits for its retry still has it', async () => {
    const { client, clock } = rig(1, {
      policies: [retry({ attempts: 2, budget: false, backoff: () => 100 })],
    });
    const { task, tried } = failing();
    const fate = watch(client.run(task));
    await settled();
    await client.close();
    await clock.advance(100);
    expect(tried).toHaveLength(2);
    expect(fate.value).toMatchObject({ message: 'refused' });
    expect(clock.pending).toBe(0);
  });
});

describe('what the caller gets', () => {
  test('the first good answer, and what was wrong before is let go of', async () => {
    const discarded: unknown[] = [];
    const classifier: Classifier = { ...statuses, discard: value => discarded.push(value) };
    const { client, lines } = rig(3, { policies: [retry()], classifier });
    const answers = [503, 500, 200];
    expect(await client.run(async () => answers.shift())).toBe(200);
    expect(discarded).toEqual([503, 500]);
    expect(lines.filter(line => /^(attempt |retry)/.test(line))).toEqual([
      'attempt m001',
      'retry 2 after m001',
      'attempt m002',
      'retry 3 after m002',
      'attempt m000',
    ]);
    expect(running(client)).toBe(0);
  });

  test('an error that is made good is nothing to let go of', async () => {
    const discarded: unknown[] = [];
    const classifier: Classifier = { ...statuses, discard: value => discarded.push(value) };
    const { client } = rig(2, { policies: [retry()], classifier });
    let runs = 0;
    const task = async (): Promise<number> => (++runs === 1 ? Promise.reject(new Error('refused')) : 200);
    expect(await client.run(task)).toBe(200);
    expect(discarded).toEqual([]);
  });

  test('the first good answer also where the classifier does not say how to let go, nor a user what waits', async () => {
    const budget: RetryBudget = { deposit() {}, withdraw: () => true };
    const { client, clock, lines } = rig(1, { policies: [retry({ budget })], classifier: statuses });
    const answers = [503, 200];
    const fate = watch(client.run(async () => answers.shift()));
    await clock.advance(1000);
    expect(fate.value).toBe(200);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
  });

  test('the error of a policy inside that throws instead of rejecting', async () => {
    const rude: Policy = () => () => {
      throw new Error('rude');
    };
    const { client } = rig(1, { policies: [retry(), rude] });
    await client.ready();
    await expect(client.run(async () => 1)).rejects.toThrow('rude');
  });

  test('the last bad answer when attempts run out, not let go of', async () => {
    const discarded: unknown[] = [];
    const classifier: Classifier = { ...statuses, discard: value => discarded.push(value) };
    const { client } = rig(3, { policies: [retry()], classifier });
    const answers = [501, 502, 503, 504];
    expect(await client.run(async () => answers.shift())).toBe(503);
    expect(discarded).toEqual([501, 502]);
  });

  test.each([[undefined], [null], [0], ['text']])('the last error as it is, be it %o', async thrown => {
    const { client } = rig(2, { policies: [retry({ attempts: 2 })] });
    const fate = watch(client.run(() => Promise.reject(thrown)));
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: thrown });
  });

  test('a `discard` that throws, or an `unsent`, is a fault and no more', async () => {
    const boom = (): never => {
      throw new Error('boom');
    };
    const { client, lines } = rig(2, {
      policies: [retry()],
      classifier: { ...statuses, discard: boom, unsent: boom },
    });
    const answers = [503, 200];
    expect(await client.run(async () => answers.shift())).toBe(200);
    await expect(client.run(failing().task, { repeatable: 'unsent' })).rejects.toThrow('refused');
    expect(lines.filter(line => line === 'fault classifier boom')).toHaveLength(2);
  });
});

describe('the budget', () => {
  test('once it is used up, calls fail as they are', async () => {
    const policies = [retry({ budget: retryBudget({ ratio: 0, minPerSecond: 0.3 }) })]; // three in ten seconds
    const { client, lines } = rig(5, { policies });
    for (let i = 0; i < 3; i++) await expect(client.run(failing().task)).rejects.toThrow('refused');
    expect(lines.filter(line => /^(retry|giveUp)/.test(line)).map(line => line.slice(0, 7))).toEqual([
      'retry 2',
      'retry 3',
      'giveUp ',
      'retry 2',
      'giveUp ',
      'giveUp ',
    ]);
    expect(lines.at(-1)).toBe('giveUp budget');
  });

  test('under total failure attempts never exceed what it allows, whatever the calls, the time and the order of events', async () => {
    const shape = fc.record({
      ratio: fc.constantFrom(0, 0.1, 0.2, 0.6, 1, 2),
      minPerSecond: fc.constantFrom(0, 0.2, 1),
      calls: fc.array(fc.record({ wait: fc.nat(400), takes: fc.nat(3000) }), { minLength: 1, maxLength: 40 }),
      clients: fc.integer({ min: 1, max: 3 }),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ ratio, minPerSecond, calls, clients, seed }) => {
        const window = 1000;
        const budget = retryBudget({ ratio, minPerSecond, window });
        const first = rig(4, { policies: [retry({ attempts: 6, budget, backoff: () => 50 })] }, seed);
        const { clock } = first;
        const others = Array.from({ length: clients - 1 }, () =>
          rig(4, { env: first, policies: [retry({ attempts: 6, budget, backoff: () => 50 })] }, seed),
        );
        const all = [first, ...others].map(({ client }) => client);
        let attempts = 0;
        const fates: Fate[] = [];
        for (const [i, { wait, takes }] of calls.entries()) {
          await clock.advance(wait);
          const task = (): Promise<never> => {
            attempts++;
            return new Promise((_, reject) => clock.after(takes, () => reject(new Error('refused'))));
          };
          fates.push(watch(all[i % all.length]!.run(task)));
        }
        const done = (): boolean => fates.every(({ state }) => state === 'rejected');
        for (let i = 0; i < 200 && !done(); i++) await clock.advance(1000);
        expect(done()).toBe(true);
        // Each call can pay for its share once; the floor comes anew with each window that went by.
        const windows = Math.ceil(clock.now() / window) + 1;
        const most = calls.length * (1 + ratio) + windows * minPerSecond * (window / 1000);
        expect(attempts).toBeLessThanOrEqual(most + 1e-9);
      }),
      { numRuns: 40 },
    );
  });

  test('a call that succeeds pays as of its beginning, one that fails as of its end', async () => {
    const paid: number[] = [];
    const budget: RetryBudget = { deposit: now => paid.push(now), withdraw: () => false };
    const { client, clock } = rig(1, { policies: [retry({ budget })] });
    await clock.advance(100);
    for (const error of [undefined, new Error('refused')]) {
      const task = (): Promise<void> =>
        new Promise((resolve, reject) => clock.after(50, () => (error ? reject(error) : resolve())));
      const fate = watch(client.run(task));
      await clock.advance(50);
      expect(fate.state).not.toBe('pending');
    }
    expect(paid).toEqual([100, 200]);
  });

  test('calls that take longer than its window to fail still pay their share', async () => {
    const budget = retryBudget({ ratio: 1, minPerSecond: 0, window: 1000 });
    const { client, clock } = rig(2, { policies: [retry({ attempts: 2, budget }), timeout(5000)] });
    const fate = watch(client.run(() => new Promise(() => {})));
    await clock.advance(10_000);
    expect(fate.value).toMatchObject({ code: 'TIMEOUT', attempts: [{}, {}] });
  });

  test('a budget of the user that throws pays for nothing, and breaks no call', async () => {
    const boom = (): never => {
      throw new Error('boom');
    };
    const { client, lines } = rig(2, { policies: [retry({ budget: { deposit: boom, withdraw: boom } })] });
    expect(await client.run(async () => 1)).toBe(1);
    await expect(client.run(failing().task)).rejects.toThrow('refused');
    expect(lines.filter(line => line === 'fault policy boom')).toHaveLength(3);
    expect(lines.at(-1)).toBe('giveUp budget');
  });

  test('each client has its own unless one is given to several', async () => {
    const shared = retryBudget({ ratio: 0, minPerSecond: 0.1 });
    const retries = async (policy: ReturnType<typeof retry>): Promise<number> => {
      let count = 0;
      for (let i = 0; i < 2; i++) {
        const { client } = rig(2, { policies: [policy], observer: { retry: () => count++ } });
        await client.run(failing().task).catch(() => {});
      }
      return count;
    };
    expect(await retries(retry({ attempts: 2, budget: shared }))).toBe(1);
    expect(await retries(retry({ attempts: 2 }))).toBe(2);
  });
});

test('an attempt that nobody waits for any more is not repeated, and what it brings is let go of', async () => {
  const discarded: unknown[] = [];
  const { client } = rig(3, {
    policies: [retry()],
    classifier: { ...statuses, discard: value => discarded.push(value) },
  });
  const { promise, resolve } = deferred<number>();
  const controller = new AbortController();
  let runs = 0;
  const fate = watch(
    client.run(
      () => {
        runs++;
        return promise;
      },
      { signal: controller.signal },
    ),
  );
  await settled();
  controller.abort('enough');
  await settled();
  expect(fate).toEqual({ state: 'rejected', value: 'enough' });
  expect(running(client)).toBe(0);
  resolve(503);
  await settled();
  expect(discarded).toEqual([503]);
  expect(runs).toBe(1);
});
