import * as root from 'fairlead';
import {
  Call,
  type Classifier,
  type Client,
  type Clock,
  consecutiveFailures,
  createClient,
  fixed,
  hedge,
  limit,
  type Observer,
  type Policy,
  partOf,
  retry,
  roundRobin,
  sleep,
  throttle,
  timeout,
} from 'fairlead/core';
import { scriptedDiscovery, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { endpoint, endpoints, rig, running, testEnv, watch } from './helpers.ts';

const never = (): Promise<never> => new Promise(() => {});

describe('a task', () => {
  test('gets an endpoint, the signal of its caller and the call; what it answers is the caller’s', async () => {
    const { client } = rig([endpoint('a', { zone: 'eu' })]);
    const { signal } = new AbortController();
    const answer = { some: 'answer' };
    const given: unknown[] = [];
    const task = async (...all: unknown[]): Promise<typeof answer> => {
      given.push(...all);
      return answer;
    };
    expect(await client.run(task, { signal })).toBe(answer);
    expect(given.slice(0, 2)).toEqual([endpoint('a', { zone: 'eu' }), signal]);
    expect(given[2]).toMatchObject({ signal, attempt: 1, deadline: undefined });
  });

  test.each<[string, () => unknown, unknown]>([
    [
      'throws',
      () => {
        throw 'up';
      },
      'up',
    ],
    ['rejects', () => Promise.reject('up'), 'up'],
    ['rejects with nothing', () => Promise.reject(undefined), undefined],
    [
      'answers a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: that is what it is about
        then: () => {
          throw 'up';
        },
      }),
      'up',
    ],
  ])(
    'that %s: the very same thing reaches the caller, with a signal and without',
    async (_, task, thrown) => {
      const { client } = rig(2, { breaker: consecutiveFailures() });
      for (const options of [undefined, { signal: new AbortController().signal }]) {
        const fate = watch(client.run(task as never, options));
        await settled();
        expect(fate).toEqual({ state: 'rejected', value: thrown });
      }
      expect(running(client)).toBe(0);
    },
  );

  test('that answers no promise is as good as one that does', async () => {
    const { client } = rig(1);
    expect(await client.run((() => 5) as never)).toBe(5);
    expect(await client.run((() => 5) as never, { signal: new AbortController().signal })).toBe(5);
  });

  test('that takes no notice of an abort is not waited for, and is nobody’s failure', async () => {
    const { client, lines } = rig(1);
    const controller = new AbortController();
    const fate = watch(client.run(never, { signal: controller.signal }));
    await settled();
    controller.abort('enough');
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: 'enough' });
    expect(lines.at(-1)).toBe('attemptEnd m000 ignored');
    expect(running(client)).toBe(0);
  });

  test('is not run for a call that was given up before it began', async () => {
    const { client } = rig(1);
    let runs = 0;
    await expect(client.run(async () => ++runs, { signal: AbortSignal.abort('before') })).rejects.toBe(
      'before',
    );
    expect(runs).toBe(0);
  });

  test.each<[string, (client: Client) => Promise<unknown>, string]>([
    ['no task', client => client.run(undefined as never), 'task is undefined; it must be a function'],
    [
      'a key that is no string',
      client => client.run(never, { key: 7 as never }),
      'key is 7; it must be a string',
    ],
    [
      'a signal that is none',
      client => client.run(never, { signal: {} as never }),
      'signal is [object Object]',
    ],
    ['null for a signal', client => client.run(never, { signal: null as never }), 'signal is null'],
    ['repeatable: "yes"', client => client.run(never, { repeatable: 'yes' as never }), 'repeatable is "yes"'],
  ])('%s: a rejection that names it, not a throw', async (_, run, message) => {
    const { client } = rig(1);
    await expect(run(client)).rejects.toThrow(message);
    expect(running(client)).toBe(0);
  });
});

describe('events', () => {
  test('come in the order of what happens, each with what it is about', async () => {
    const { client, lines, source, clock } = rig(2, {
      breaker: consecutiveFailures({ threshold: 1, openFor: 1000, jitter: 0 }),
      policies: [retry({ attempts: 3, backoff: () => 0 })],
    });
    await client.run(() => Promise.reject(new Error('down'))).catch(() => {});
    await clock.advance(1000);
    await client.run(async () => 1);
    source.fail(new Error('registry down'));
    await settled();
    expect(lines).toEqual([
      'members +m000,m001 - ~ =2',
      'attempt m001',
      'breaker m001 closed open',
      'attemptEnd m001 failure',
      'retry 2 after m001',
      'attempt m000',
      'breaker m000 closed open',
      'attemptEnd m000 failure',
      'retry 3 after m000',
      expect.stringMatching(/^panic m00[01]$/),
      expect.stringMatching(/^attempt m00[01]$/),
      expect.stringMatching(/^attemptEnd m00[01] failure$/),
      'giveUp attempts',
      expect.stringMatching(/^breaker m00[01] open half-open$/),
      expect.stringMatching(/^attempt m00[01]$/),
      expect.stringMatching(/^breaker m00[01] half-open closed$/),
      expect.stringMatching(/^attemptEnd m00[01] success$/),
      'discoveryError registry down',
    ]);
  });

  const EVENTS = [
    'members',
    'discoveryError',
    'attempt',
    'attemptEnd',
    'retry',
    'giveUp',
    'breaker',
    'panic',
    'fault',
  ] as const;

  /** A life in which everything happens once at least. */
  async function everything(observer: Observer): Promise<unknown[]> {
    const classifier: Classifier = {
      value: value => (value === 'odd' ? ('who knows' as never) : 'success'),
      error: () => 'failure',
    };
    const { client, source, clock } = rig(2, {
      classifier,
      observer,
      breaker: consecutiveFailures({ threshold: 1, openFor: 1000 }),
      policies: [retry({ attempts: 4, backoff: () => 10 })],
    });
    const fates = [watch(client.run(() => Promise.reject('down')))];
    await clock.advance(100);
    fates.push(watch(client.run(async () => 'odd')));
    source.fail('registry down');
    await clock.advance(2000);
    fates.push(watch(client.run(async () => 'fine')));
    source.set(endpoints(3));
    await clock.advance(0);
    await client.close();
    expect(running(client)).toBe(0);
    expect(clock.pending).toBe(0);
    return fates.map(({ value }) => value);
  }

  test.each(EVENTS)(
    'an observer that throws on `%s` is told of as a fault, and changes nothing else',
    async event => {
      const told = new Set<string>();
      const faults: string[] = [];
      const observer = Object.fromEntries(
        EVENTS.map(name => [
          name,
          (what: { source?: string }) => {
            told.add(name);
            if (name === 'fault') faults.push(what.source!);
            if (name === event) throw new Error('boom');
          },
        ]),
      ) as Observer;
      expect(await everything(observer)).toEqual(['down', 'odd', 'fine']);
      expect(told).toEqual(new Set(EVENTS));
      if (event !== 'fault') expect(faults).toContain('observer');
    },
  );

  test('nobody needs to listen', async () => {
    expect(await everything({})).toEqual(['down', 'odd', 'fine']);
  });

  test('an attempt that ends has its outcome, how long it took and what it threw', async () => {
    const seen: unknown[] = [];
    const { client, clock } = rig(1, {
      observer: { attemptEnd: ({ outcome, elapsed, error }) => seen.push([outcome, elapsed, error]) },
    });
    const task = () => new Promise<never>((_, reject) => void clock.after(30, () => reject('reset')));
    const fate = watch(client.run(task));
    await clock.advance(30);
    expect(fate.value).toBe('reset');
    expect(seen).toEqual([['failure', 30, 'reset']]);
  });
});

describe('a classifier', () => {
  test('decides what the member is blamed for, not what the caller gets', async () => {
    const classifier: Classifier = {
      value: value => (value === 503 ? 'failure' : 'success'),
      error: error => (error === 'mine' ? 'ignored' : 'failure'),
    };
    const { client, lines } = rig(1, { classifier });
    expect(await client.run(async () => 503)).toBe(503);
    expect(await client.run(async () => 404)).toBe(404);
    await expect(client.run(() => Promise.reject('mine'))).rejects.toBe('mine');
    await expect(client.run(() => Promise.reject('theirs'))).rejects.toBe('theirs');
    expect(lines.filter(line => line.startsWith('attemptEnd')).map(line => line.split(' ')[2])).toEqual([
      'failure',
      'success',
      'ignored',
      'failure',
    ]);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['answers nonsense', () => 'perhaps'],
    ['answers nothing', () => undefined],
    ['answers a promise', async () => 'success'],
  ])(
    'that %s: the outcome is ignored, the caller has what the task brought, and it is told',
    async (_, judge) => {
      const classifier = { value: judge, error: judge } as Classifier;
      const { client, lines } = rig(1, {
        classifier,
        policies: [retry()],
        breaker: consecutiveFailures({ threshold: 1 }),
      });
      expect(await client.run(async () => 1)).toBe(1);
      await expect(client.run(() => Promise.reject('down'))).rejects.toBe('down');
      expect(lines.filter(line => line.startsWith('fault classifier'))).toHaveLength(2);
      expect(lines.filter(line => line.startsWith('attemptEnd'))).toEqual([
        'attemptEnd m000 ignored',
        'attemptEnd m000 ignored',
      ]);
    },
  );
});

describe('the end', () => {
  test('after close nothing is pending, calls are refused, and those that run go on', async () => {
    const { client, clock, source } = rig(2, { policies: [retry()] });
    const task = (): Promise<string> => new Promise(resolve => void clock.after(50, () => resolve('done')));
    const fate = watch(client.run(task));
    await settled();
    await client.close();
    await expect(client.run(async () => 1)).rejects.toMatchObject({ code: 'CLOSED' });
    expect(source.running).toBe(0);
    await clock.advance(50);
    expect(fate.value).toBe('done');
    expect(clock.pending).toBe(0);
  });

  test('`await using` closes it', async () => {
    const source = scriptedDiscovery([endpoint('a')]);
    {
      await using client = createClient({
        discovery: source.discovery,
        balancer: roundRobin(),
        env: testEnv(),
      });
      await client.ready();
      expect(source.running).toBe(1);
    }
    await settled();
    expect(source.running).toBe(0);
  });

  test.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('cannot be made');
      },
      'cannot be made',
    ],
    ['makes nothing', () => undefined, 'what a policy made is undefined; it must be a function'],
  ])(
    'a policy that %s when it is made: the client is refused, and nothing is left running',
    async (_, policy, message) => {
      const source = scriptedDiscovery([endpoint('a')]);
      const policies = [policy as Policy];
      const make = (): Client =>
        createClient({ discovery: source.discovery, balancer: roundRobin(), policies, env: testEnv() });
      expect(make).toThrow(message);
      await settled();
      expect(source.running).toBe(0);
    },
  );
});

describe('the client of the root', () => {
  const discovery = fixed([endpoint('a'), endpoint('b'), endpoint('c')]);

  test('has a balancer, a breaker and retries without being told', async () => {
    const env = testEnv();
    const client = root.createClient({ discovery, env });
    const tried: string[] = [];
    const fail = ({ id }: root.Endpoint): Promise<never> => {
      tried.push(id);
      return Promise.reject('down');
    };
    await expect(client.run(fail)).rejects.toBe('down');
    expect(new Set(tried).size).toBe(3);
    for (let i = 0; i < 12; i++) await client.run(fail, { repeatable: false }).catch(() => {}); // 5 at one of 3, surely
    expect(client.pool.members().some(({ breaker }) => breaker === 'open')).toBe(true);
    await client.close();
    expect(env.clock.pending).toBe(0);
  });

  test('bounds each attempt by attemptTimeout and the call by timeout, however its policies are put', async () => {
    const env = testEnv();
    const client = root.createClient({ discovery, env, attemptTimeout: 100, timeout: 250 });
    const ends: unknown[] = [];
    client.on('attemptEnd', ({ elapsed, outcome }) => ends.push([elapsed, outcome]));
    const fate = watch(client.run(never));
    await env.clock.advance(250);
    expect(ends).toEqual([
      [100, 'failure'],
      [100, 'failure'],
      [50, 'ignored'],
    ]);
    expect(fate.value).toMatchObject({ code: 'TIMEOUT', message: 'no answer within 250 ms' });
    expect(fate.value).toHaveProperty('attempts.length', 3);
    expect(env.clock.pending).toBe(0);
  });

  test('emits what the observer is told, after it; what either throws goes to `fault` and no further', async () => {
    const heard: string[] = [];
    const client = root.createClient({
      discovery,
      env: testEnv(),
      observer: {
        attempt() {
          heard.push('observer');
          throw new Error('observer');
        },
      },
    });
    client.on('attempt', () => heard.push('listener'));
    client.on('attemptEnd', () => {
      throw new Error('listener');
    });
    client.on('fault', ({ source, error }) => heard.push(`fault ${source} ${(error as Error).message}`));
    expect(await client.run(async () => 1)).toBe(1);
    expect(heard).toEqual(['observer', 'listener', 'fault observer observer', 'fault observer listener']);
  });

  test('a listener that comes later hears of what happens from then on, one that has gone of nothing', async () => {
    const client = root.createClient({ discovery, env: testEnv() });
    await client.run(async () => 1);
    let count = 0;
    const listener = (): void => void count++;
    client.on('attempt', listener);
    client.once('attempt', listener);
    await client.run(async () => 1);
    await client.run(async () => 1);
    client.off('attempt', listener);
    await client.run(async () => 1);
    expect(count).toBe(3);
    await client.close();
  });
});

test('a part of a call has one signal, made when somebody asks, aborted if it was before', () => {
  const whole = new Call();
  const judge = { verdict: () => undefined, blame() {} };
  const [part, late] = [partOf(whole, judge), partOf(whole, judge)];
  expect(part.signal).toBe(part.signal);
  part.abort('enough');
  late.abort('enough');
  for (const { signal } of [part, late]) expect(signal).toMatchObject({ aborted: true, reason: 'enough' });
  expect([whole.abortable, whole.aborted, whole.signal]).toEqual([false, false, undefined]);
});

describe('the clock', () => {
  const all = [timeout(1000), throttle(), limit({ concurrency: 9 }), retry(), hedge(), timeout(100)];

  test('is read twice by a call that succeeds at once, whatever is around it', async () => {
    const { clock: manual, random } = testEnv();
    let reads = 0;
    const now = (): number => {
      reads++;
      return manual.now();
    };
    const clock: Clock = { now, after: manual.after, timer: manual.timer };
    const { client } = rig(3, { policies: all, env: { clock, random } });
    await client.ready();
    reads = 0;
    for (let i = 0; i < 200; i++) await client.run(async () => i); // in the course of which hedging begins
    expect(reads).toBe(400);
  });

  test('moves on in a task, however long that takes to answer a promise', async () => {
    const { clock: manual, random } = testEnv();
    let busy = 0;
    const clock: Clock = { now: () => manual.now() + busy, after: manual.after };
    const { client } = rig(2, { env: { clock, random } });
    await client.ready();
    let elapsed: number | undefined;
    await client.run(() => {
      const attempt = client.pool.pick(new Call());
      busy += 40;
      attempt.end('success');
      elapsed = attempt.elapsed;
      return Promise.resolve();
    });
    expect(elapsed).toBe(40);
  });

  test('moves on while something is waited for, for calls that begin meanwhile as well', async () => {
    const { client, clock } = rig(3, { policies: [timeout(100), timeout(70)] });
    await client.ready();
    const ends: number[] = [];
    const fates = Array.from({ length: 3 }, async (_, i) => {
      await sleep(clock, 30 * i);
      await client.run(() => new Promise(() => {})).catch(() => ends.push(clock.now()));
    });
    await clock.advance(200);
    await Promise.all(fates);
    expect(ends).toEqual([70, 100, 130]);
  });
});
