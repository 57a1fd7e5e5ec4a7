import {
  type Client,
  consecutiveFailures,
  FairleadError,
  hedge,
  type Policy,
  retry,
  type Task,
  timeout,
} from 'fairlead/core';
import { type ManualClock, settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Settled } from '../../src/base/options.ts';
import type { AdaptiveLimit } from '../../src/policy/adaptive-limit.ts';
import { type LimitOptions, limit } from '../../src/policy/limit.ts';
import {
  countedSignal,
  type Deferred,
  deferred,
  endpoint,
  type Fate,
  rig,
  running,
  watch,
} from '../helpers.ts';
import { atMost, same } from '../in-loops.ts';

const never: Task<never> = () => new Promise(() => {});
const at = async (...[{ id }]: Parameters<Task<string>>): Promise<string> => id;

/** Calls by number, each of which runs until it is told how to end. */
function calls(client: Client) {
  const begun: number[] = [];
  const ends: Deferred<number>[] = [];
  const fates: Fate[] = [];
  const call = (signal?: AbortSignal): number => {
    const number = fates.length;
    const end = deferred<number>();
    end.promise.catch(() => {});
    ends.push(end);
    const task = (): Promise<number> => {
      begun.push(number);
      return end.promise;
    };
    fates.push(watch(client.run(task, { signal })));
    return number;
  };
  const end = async (number: number): Promise<void> => {
    ends[number]!.resolve(number);
    await settled();
  };
  const error = (number: number): FairleadError => fates[number]!.value as FairleadError;
  return { begun, fates, call, end, error, ends };
}

/** A client whose pool knows its members, with the limit alone. */
async function limited(options: LimitOptions, more: readonly Policy[] = []) {
  const made = rig(2, { policies: [limit(options), ...more] });
  await made.client.ready();
  return { ...made, ...calls(made.client) };
}

describe('too many', () => {
  test('are refused at once, and nothing else happens', async () => {
    const { client, lines, call, error, fates } = await limited({ concurrency: 2 });
    lines.length = 0;
    call();
    call();
    const told = lines.splice(0);
    expect(told).toHaveLength(2);
    call();
    await settled();
    expect(error(2)).toBeInstanceOf(FairleadError);
    expect(error(2)).toMatchObject({ code: 'OVERLOADED', attempts: [] });
    expect(error(2).message).toBe('2 in flight, as many as may be');
    expect(fates.map(({ state }) => state)).toEqual(['pending', 'pending', 'rejected']);
    expect(lines).toEqual([]);
    expect(running(client)).toBe(2);
  });

  test('get an error each of their own, without a stack, and others keep theirs', async () => {
    const { call, error } = await limited({ concurrency: 1 });
    const frames = Error.stackTraceLimit;
    call();
    call();
    call();
    await settled();
    expect(error(1)).not.toBe(error(2));
    expect(error(1).stack).not.toContain('\n');
    expect(Error.stackTraceLimit).toBe(frames);
    expect(new Error('other').stack).toContain('\n');
  });

  test('are refused also where the length of stacks is not to be changed', async () => {
    const before = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')!;
    for (const own of [{ ...before, writable: false }, undefined]) {
      const { call, error } = await limited({ concurrency: 1 });
      if (own === undefined) Reflect.deleteProperty(Error, 'stackTraceLimit');
      else Object.defineProperty(Error, 'stackTraceLimit', own);
      try {
        call();
        call();
        await settled();
        expect('stackTraceLimit' in Error).toBe(own !== undefined);
      } finally {
        Object.defineProperty(Error, 'stackTraceLimit', before);
      }
      expect(error(1)).toMatchObject({ code: 'OVERLOADED' });
    }
  });

  test('count per client, though the policy is the same', async () => {
    const policies = [limit({ concurrency: 1 })];
    for (let n = 0; n < 2; n++) {
      const { client } = rig(1, { policies });
      void client.run(never);
      await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
    }
  });

  test('a task that calls the client itself is in flight meanwhile', async () => {
    const { client } = await limited({ concurrency: 1 });
    await expect(client.run(() => client.run(at))).rejects.toMatchObject({ code: 'OVERLOADED' });
    await expect(client.run(at)).resolves.toBe('m000');
  });

  test('Infinity refuses nobody', async () => {
    const { client } = await limited({ concurrency: Infinity });
    for (let i = 0; i < 100; i++) void client.run(never);
    expect(running(client)).toBe(100);
  });
});

describe('room is made', () => {
  const thrower: Policy = () => () => {
    throw new Error('policy');
  };
  const ENDS: readonly [string, Task<unknown>, (readonly Policy[])?][] = [
    ['by an answer', at],
    ['by an error', () => Promise.reject(new Error('refused'))],
    [
      'by a task that throws',
      () => {
        throw new Error('task');
      },
    ],
    ['by a time-out', never, [timeout(10)]],
    ['by a policy inside that throws', at, [thrower]],
    ['by retries that are over', () => Promise.reject(new Error('refused')), [retry({ backoff: () => 5 })]],
    ['by the answer of a hedge', at, [hedge({ delay: 1 })]],
  ];
  test.each(ENDS)('%s', async (_, task, inside = []) => {
    const { client, clock } = await limited({ concurrency: 1 }, inside);
    for (let n = 0; n < 3; n++) {
      const fate = watch(client.run(task));
      await clock.advance(100);
      expect(fate.state).not.toBe('pending');
      expect((fate.value as { code?: string }).code).not.toBe('OVERLOADED');
    }
    expect(clock.pending).toBe(0);
  });

  test(`by the caller's abort, though the task takes no notice`, async () => {
    const { client } = await limited({ concurrency: 1 });
    const controller = new AbortController();
    const fate = watch(client.run(never, { signal: controller.signal }));
    controller.abort('gone');
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: 'gone' });
    await expect(client.run(at)).resolves.toMatch('m00');
  });

  test('where no member could be had', async () => {
    const { client, clock } = rig(1, {
      panic: false,
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      policies: [limit({ concurrency: 1 })],
    });
    await client.run(() => Promise.reject(new Error('refused'))).catch(() => {});
    for (let n = 0; n < 2; n++)
      await expect(client.run(at)).rejects.toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
    expect(clock.pending).toBe(0);
  });

  test('those who wait for the first set are in flight, so they are bounded, too', async () => {
    const { client, source } = rig(undefined, { policies: [limit({ concurrency: 2 })] });
    const waiting = [client.run(at), client.run(at)];
    await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
    source.set([endpoint('a')]);
    await expect(Promise.all(waiting)).resolves.toEqual(['a', 'a']);
  });
});

describe('the queue', () => {
  test('whoever came first goes first, each as soon as one is over', async () => {
    const { begun, call, end, error, client } = await limited({ concurrency: 2, queue: 3 });
    for (let n = 0; n < 6; n++) call();
    await settled();
    expect(begun).toEqual([0, 1]);
    expect(error(5).message).toBe('2 in flight, as many as may be, and 3 waiting');
    await end(1);
    expect(begun).toEqual([0, 1, 2]);
    await end(0);
    await end(3);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    expect(running(client)).toBe(2);
  });

  test('no newcomer overtakes in the moment in which one is over', async () => {
    const { begun, call, ends, client } = await limited({ concurrency: 1, queue: 1 });
    call();
    call();
    // In every microtask round about the end somebody tries.
    ends[0]!.resolve(0);
    for (let i = 0; i < 20; i++) {
      call();
      expect(running(client)).toBeLessThanOrEqual(1);
      await undefined;
    }
    expect(begun.slice(0, 2)).toEqual([0, 1]);
  });

  test('lifo: first come, first served while the queue is young; then the last come first', async () => {
    const { begun, call, end, clock } = await limited({
      concurrency: 1,
      queue: 9,
      order: 'lifo',
      timeout: 1e6,
    });
    for (let n = 0; n < 6; n++) call();
    await clock.advance(99);
    await end(0);
    expect(begun).toEqual([0, 1]);
    await clock.advance(1);
    await end(1);
    await end(5);
    expect(begun).toEqual([0, 1, 5, 4]);
  });

  test('lifo: a queue that was empty in between is young again', async () => {
    const { begun, call, end, clock } = await limited({ concurrency: 1, queue: 9, order: 'lifo' });
    call();
    call();
    await clock.advance(100);
    await end(0);
    call();
    call();
    await end(1);
    expect(begun).toEqual([0, 1, 2]);
  });

  test('lifo: to a queue that is full and old whoever comes takes the place of who has waited longest', async () => {
    const { begun, call, end, clock, fates, error } = await limited({
      concurrency: 1,
      queue: 2,
      order: 'lifo',
    });
    for (let n = 0; n < 4; n++) call();
    await clock.advance(100);
    expect(error(3).message).toMatch(/2 waiting$/);
    call();
    await settled();
    expect(fates.map(({ state }) => state)).toEqual([
      'pending',
      'rejected',
      'pending',
      'rejected',
      'pending',
    ]);
    expect(error(1)).toMatchObject({ code: 'OVERLOADED' });
    expect(error(1).message).toMatch(/made room for a later one$/);
    await end(0);
    await end(4);
    expect(begun).toEqual([0, 4, 2]);
  });

  test('whoever has waited for the time given is refused then, and no timer is left', async () => {
    const { call, clock, fates, error, end } = await limited({ concurrency: 1, queue: 5, timeout: 50 });
    call();
    call();
    await clock.advance(20);
    call();
    call();
    expect(clock.pending).toBe(1);
    await clock.advance(29);
    expect(fates[1]!.state).toBe('pending');
    await clock.advance(1);
    expect(error(1)).toMatchObject({ code: 'OVERLOADED' });
    expect(error(1).message).toMatch(/waited 50 ms$/);
    expect(fates[2]!.state).toBe('pending');
    await clock.advance(20);
    expect(fates.map(({ state }) => state)).toEqual(['pending', 'rejected', 'rejected', 'rejected']);
    expect(clock.pending).toBe(0);
    await end(0);
    expect(fates[0]).toEqual({ state: 'resolved', value: 0 });
  });

  test('with Infinity they wait for as long as it takes, without a timer', async () => {
    const { call, clock, end, begun } = await limited({ concurrency: 1, queue: 5, timeout: Infinity });
    call();
    call();
    expect(clock.pending).toBe(0);
    await clock.advance(1e9);
    await end(0);
    expect(begun).toEqual([0, 1]);
  });

  test('a caller who aborts leaves the queue with the reason, and listens no more', async () => {
    const { call, fates, end, begun, clock } = await limited({ concurrency: 1, queue: 2 });
    const { signal, abort, listeners } = countedSignal();
    call();
    call(signal);
    call();
    expect(listeners()).toBe(1);
    abort('gone');
    await settled();
    expect(fates[1]).toEqual({ state: 'rejected', value: 'gone' });
    expect(listeners()).toBe(0);
    call(); // there is a place again
    await end(0);
    await end(2);
    expect(begun).toEqual([0, 2, 3]);
    await end(3);
    expect(clock.pending).toBe(0);
  });

  test('whose turn has come listens no more for the queue', async () => {
    const { call, end, fates } = await limited({ concurrency: 1, queue: 1 });
    const { signal, listeners } = countedSignal();
    call();
    call(signal);
    await end(0);
    await end(1);
    expect(listeners()).toBe(0);
    expect(fates[1]).toEqual({ state: 'resolved', value: 1 });
  });

  test('who has aborted before does not come in', async () => {
    const { call, fates } = await limited({ concurrency: 1, queue: 1 });
    call();
    call(AbortSignal.abort('gone'));
    call();
    await settled();
    expect(fates.map(({ state }) => state)).toEqual(['pending', 'rejected', 'pending']);
    expect(fates[1]!.value).toBe('gone');
  });

  test('a time-out outside counts the wait', async () => {
    const bounded: Policy = (next, context) => {
      const run = timeout(30)(next, context);
      return (task, call) => (call.key === undefined ? next(task, call) : run(task, call));
    };
    const { client, clock } = rig(1, { policies: [bounded, limit({ concurrency: 1, queue: 1 })] });
    await client.ready();
    void client.run(never);
    const fate = watch(client.run(at, { key: 'k' }));
    await clock.advance(30);
    expect(fate.value).toMatchObject({ code: 'TIMEOUT' });
    expect(clock.pending).toBe(0);
  });

  test('without a queue nobody asks how long it takes', async () => {
    const { client } = rig(1, { policies: [timeout(100), limit({ concurrency: 1 })] });
    expect(await client.run(at)).toBe('m000');
  });

  test.each([
    ['calls without a deadline', false, false],
    ['calls that failed', true, true],
  ])(
    'how long %s took says nothing of those whose turn comes with little time left',
    async (_, bounded, fails) => {
      let hurried = bounded;
      const sometimes: Policy = (next, context) => {
        const inTime = timeout(100)(next, context);
        return (task, call) => (hurried ? inTime : next)(task, call);
      };
      const { client, clock } = rig(1, { policies: [sometimes, limit({ concurrency: 1, queue: 9 })] });
      await client.ready();
      const call = (ms: number, failing = false): Fate =>
        watch(
          client.run(
            () =>
              new Promise<void>((resolve, reject) =>
                clock.after(ms, () => (failing ? reject(new Error('no')) : resolve())),
              ),
          ),
        );
      for (let n = 0; n < 40; n++) {
        call(50, fails);
        await clock.advance(50);
      }
      hurried = true;
      call(80);
      const second = call(10);
      await clock.advance(100);
      expect(second.state).toBe('resolved');
    },
  );

  test('whose turn comes too late for most is refused then; whose time suffices begins', async () => {
    const { client, clock } = rig(2, { policies: [timeout(100), limit({ concurrency: 1, queue: 9 })] });
    await client.ready();
    const begun: number[] = [];
    const call = (number: number, ms: number): Fate =>
      watch(
        client.run(() => {
          begun.push(number);
          return new Promise(resolve => void clock.after(ms, () => resolve(number)));
        }),
      );
    // It takes 20 ms, as a rule: the bucket that this is in ends at 20.7.
    for (let n = 0; n < 30; n++) {
      call(-1, 20);
      await clock.advance(20);
    }
    begun.length = 0;
    const fates = [call(0, 78), call(1, 20), call(2, 20)];
    await clock.advance(70);
    fates.push(call(3, 20));
    await clock.advance(8);
    expect(begun).toEqual([0, 1]);
    await clock.advance(20);
    // With 2 ms left it would be worked for in vain.
    expect(begun).toEqual([0, 1, 3]);
    expect((fates[2]!.value as FairleadError).message).toBe(
      '1 in flight, as many as may be; too little time was left',
    );
    await clock.advance(20);
    expect(fates.map(({ state }) => state)).toEqual(['resolved', 'resolved', 'rejected', 'resolved']);
    expect(clock.pending).toBe(0);
  });

  test('ten thousand who wait get their turn, though each throws in the same moment', async () => {
    let fail = false;
    const policies: Policy[] = [
      limit({ concurrency: 1, queue: 10_000 }),
      next => (task, call) => {
        if (fail) throw new Error('at once');
        return next(task, call);
      },
    ];
    const { client } = rig(1, { policies });
    await client.ready();
    const { call, end, fates } = calls(client);
    for (let n = 0; n <= 10_000; n++) call();
    fail = true;
    await end(0);
    for (let i = 0; i < 1000 && fates.at(-1)!.state === 'pending'; i++) await settled();
    expect(fates.slice(1).every(({ value }) => (value as Error).message === 'at once')).toBe(true);
  });

  test('whoever takes the place of one that is given up, as that is told to all, takes it once', async () => {
    let instead = (): void => {};
    const replaced: Policy = next => (task, call) => {
      call.listen({ aborted: () => instead() });
      return next(task, call);
    };
    const queued = limit({ concurrency: 1, queue: 2, order: 'lifo', timeout: 5000 });
    const { client, clock } = rig(1, { policies: [timeout(1e9), replaced, queued] });
    const { call, end, fates } = calls(client);
    const { signal, abort } = countedSignal();
    call();
    call(signal);
    await clock.advance(50);
    call();
    await clock.advance(100);
    instead = () => {
      instead = () => {};
      call();
    };
    abort('gone');
    await clock.advance(0);
    for (const n of [0, 3, 2]) await end(n);
    await clock.advance(0);
    expect(fates.map(({ state }) => state)).toEqual(['resolved', 'rejected', 'resolved', 'resolved']);
    expect(clock.pending).toBe(0);
  });

  test('a client that drains waits for nobody who has left the queue', async () => {
    const { client, call, clock, end } = await limited({ concurrency: 1, queue: 3, timeout: 20 });
    const { signal, abort } = countedSignal();
    call();
    call(signal);
    call();
    abort('gone');
    await clock.advance(20);
    await end(0);
    const closed = watch(client.close({ drain: 1000 }));
    await clock.advance(30);
    expect(closed.state).toBe('resolved');
  });

  test('a client that drains waits for those in the queue', async () => {
    const { client, call, clock, end, fates } = await limited({ concurrency: 1, queue: 1 });
    call();
    call();
    const closed = watch(client.close({ drain: 1000 }));
    await clock.advance(100);
    expect(closed.state).toBe('pending');
    await end(0);
    await clock.advance(30);
    expect(closed.state).toBe('pending');
    await end(1);
    await clock.advance(30);
    expect([closed.state, fates[1]!.state]).toEqual(['resolved', 'resolved']);
  });
});

describe('among other policies', () => {
  test('outside retry: what is refused is not tried again', async () => {
    const { client, lines } = rig(2, { policies: [limit({ concurrency: 1 }), retry({ budget: false })] });
    await client.ready();
    void client.run(never);
    lines.length = 0;
    await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(lines).toEqual([]);
  });

  test('inside retry: what is refused is not tried again either', async () => {
    let asked = 0;
    const counting: Policy = next => (task, call) => {
      asked++;
      return next(task, call);
    };
    const policies = [retry({ budget: false }), counting, limit({ concurrency: 1 })];
    const { client, lines, clock } = rig(2, { policies });
    await client.ready();
    void client.run(never);
    lines.length = 0;
    await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(asked).toBe(2);
    expect(lines).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('inside retry: a retry that is refused ends the call, and the error tells of the attempts before', async () => {
    const { client } = rig(2, {
      policies: [retry(), limit({ concurrency: 1 })],
      observer: { retry: () => void client.run(never) }, // somebody else takes the place
    });
    await client.ready();
    const error = await client.run(() => Promise.reject(new Error('refused'))).catch(error => error);
    expect(error).toMatchObject({ code: 'OVERLOADED', attempts: [{ outcome: 'failure' }] });
  });

  test('no breaker is charged with what was refused', async () => {
    const { client, clock } = rig(1, {
      breaker: consecutiveFailures({ threshold: 1 }),
      policies: [limit({ concurrency: 1, queue: 1, timeout: 0 })],
    });
    await client.ready();
    void client.run(never);
    const fates = Array.from({ length: 9 }, () => watch(client.run(at)));
    await clock.advance(1);
    expect(fates.map(({ state }) => state)).toEqual(fates.map(() => 'rejected'));
    expect(client.pool.members()[0]).toMatchObject({ breaker: 'closed', inFlight: 1 });
  });

  test('a hedge that is refused leaves the first attempt alone', async () => {
    const { client, clock } = rig(2, {
      policies: [hedge({ delay: 5, ratio: 1 }), limit({ concurrency: 1 })],
    });
    await client.ready();
    const { call, end, fates } = calls(client);
    call();
    await clock.advance(20);
    expect(fates[0]!.state).toBe('pending');
    await end(0);
    expect(fates[0]).toEqual({ state: 'resolved', value: 0 });
  });
});

describe('a limit that moves', () => {
  /** An adaptive limit that is set by hand. */
  function byHand(current = 1) {
    const told: unknown[][] = [];
    const made: AdaptiveLimit & { current: number } = {
      current,
      ended: (...what) => void told.push(what),
    };
    return { made, told };
  }

  test('is told of each that is over: how, how long it took, how many there were; not of who got no member', async () => {
    const { made, told } = byHand(3);
    const { client, clock } = rig(2, { panic: false, policies: [limit({ concurrency: () => made })] });
    await client.ready();
    const { call, end, ends } = calls(client);
    const controller = new AbortController();
    call();
    await clock.advance(5);
    call();
    call(controller.signal);
    await clock.advance(10);
    await end(0);
    ends[1]!.reject(new Error('refused'));
    await settled();
    await clock.advance(1);
    controller.abort();
    await settled();
    expect(told).toEqual([
      ['success', 15, 1, 15],
      ['failure', 10, 2, 15],
      ['ignored', 11, 3, 16],
    ]);
    for (const id of ['m000', 'm001']) client.pool.isolate(id);
    await expect(client.run(at)).rejects.toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
    expect(told).toHaveLength(3);
  });

  test('is told how long the last attempt took, not the waits before it', async () => {
    const { made, told } = byHand(1);
    const policies = [limit({ concurrency: () => made }), retry({ backoff: () => 1000 })];
    const { client, clock } = rig(1, { policies });
    await client.ready();
    let n = 0;
    const fate = watch(
      client.run(() => (n++ === 0 ? Promise.reject(new Error('refused')) : clockIn(clock, 7))),
    );
    await clock.advance(2000);
    expect(fate.state).toBe('resolved');
    expect(told).toMatchObject([['success', 7, 1, expect.any(Number)]]);
  });

  test('is not told of a try that got no member, whatever those before it did', async () => {
    const { made, told } = byHand(1);
    // One that tries again and leaves the call as it is, which retry does not.
    const again: Policy = next => (task, call) => next(task, call).catch(() => next(task, call));
    for (const policies of [
      [limit({ concurrency: () => made }), retry({ backoff: () => 5 })],
      [again, limit({ concurrency: () => made })],
    ]) {
      told.length = 0;
      const { client, clock } = rig(1, { policies });
      await client.ready();
      const fate = watch(
        client.run(async () => {
          client.pool.isolate('m000');
          await clockIn(clock, 5);
          throw new Error('refused');
        }),
      );
      await clock.advance(100);
      expect(fate.value).toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
      expect(told).toHaveLength(policies[0] === again ? 1 : 0);
    }
  });

  test('as it grows, so many more get their turn; as it shrinks, those that run go on', async () => {
    const { made } = byHand(1);
    const { begun, call, end } = await limited({ concurrency: () => made, queue: 9 });
    for (let n = 0; n < 6; n++) call();
    made.current = 3.9;
    await end(0);
    expect(begun).toEqual([0, 1, 2, 3]);
    made.current = 1;
    await end(1);
    await end(2);
    expect(begun).toHaveLength(4);
    await end(3);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  test.each([[Number.NaN], [0], [-1], ['5'], [undefined]])(
    'once it answers %o, the last that was a limit stands',
    async nonsense => {
      const { made } = byHand(2);
      const { begun, call, end, lines, error } = await limited({ concurrency: () => made });
      call();
      made.current = nonsense as number;
      await end(0);
      expect(lines.at(-1)).toMatch(/^fault policy limit concurrency current is /);
      call();
      call();
      call();
      await settled();
      expect(begun).toEqual([0, 1, 2]);
      expect(error(3)).toMatchObject({ code: 'OVERLOADED' });
    },
  );

  test('once it throws, the same; the call has its own result', async () => {
    const made: AdaptiveLimit = {
      current: 2,
      ended: () => {
        throw new Error('mine');
      },
    };
    const { call, end, fates, lines } = await limited({ concurrency: () => made });
    call();
    await end(0);
    expect(fates[0]).toEqual({ state: 'resolved', value: 0 });
    expect(lines.at(-1)).toBe('fault policy mine');
  });
});

const clockIn = (clock: ManualClock, ms: number): Promise<void> =>
  new Promise(resolve => void clock.after(ms, resolve));

describe('against a model', () => {
  type Step =
    | { readonly do: 'call' }
    | { readonly do: 'end' | 'fail' | 'abort'; readonly which: number }
    | { readonly do: 'wait'; readonly ms: number };

  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('call' as const) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom('end' as const, 'fail' as const, 'abort' as const),
        which: fc.nat(20),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60 }) }),
    },
  );

  /** What a limit does, said in the plainest way. */
  class Model {
    now = 0;
    running: number[] = [];
    waiting: { readonly number: number; readonly since: number }[] = [];
    begun: number[] = [];
    states: ('pending' | 'resolved' | 'OVERLOADED' | 'failed' | 'gone')[] = [];
    /** Since when somebody has been waiting. */
    old = 0;

    readonly options: Settled<LimitOptions>;

    constructor(options: Settled<LimitOptions>) {
      this.options = options;
    }

    get lastFirst(): boolean {
      return this.options.order === 'lifo' && this.waiting.length > 0 && this.now - this.old >= 100;
    }

    call(): undefined {
      const number = this.states.push('pending') - 1;
      const { concurrency, queue } = this.options;
      if (this.running.length < (concurrency as number)) return this.begin(number);
      if (this.waiting.length === queue) {
        if (!this.lastFirst) {
          this.states[number] = 'OVERLOADED';
          return undefined;
        }
        this.states[this.waiting.shift()!.number] = 'OVERLOADED';
      }
      if (this.waiting.length === 0) this.old = this.now;
      this.waiting.push({ number, since: this.now });
      return undefined;
    }

    begin(number: number): undefined {
      this.running.push(number);
      this.begun.push(number);
      return undefined;
    }

    over(number: number, state: 'resolved' | 'failed' | 'gone'): void {
      this.states[number] = state;
      if (!this.running.includes(number)) {
        this.waiting = this.waiting.filter(waiter => waiter.number !== number);
        return;
      }
      this.running = this.running.filter(other => other !== number);
      if (this.waiting.length === 0) return;
      this.begin((this.lastFirst ? this.waiting.pop() : this.waiting.shift())!.number);
    }

    wait(ms: number): void {
      this.now += ms;
      for (const { number, since } of this.waiting)
        if (this.now - since >= this.options.timeout) this.states[number] = 'OVERLOADED';
      this.waiting = this.waiting.filter(({ number }) => this.states[number] === 'pending');
    }
  }

  const settings = fc.record({
    concurrency: fc.integer({ min: 1, max: 4 }),
    queue: fc.integer({ min: 0, max: 5 }),
    order: fc.constantFrom('fifo' as const, 'lifo' as const),
    timeout: fc.constantFrom(40, 250, 1e9),
  });

  test('the same calls run, wait, are refused and end, whatever happens in what order', async () => {
    await fc.assert(
      fc.asyncProperty(settings, fc.array(step, { maxLength: 60, size: 'max' }), async (options, steps) => {
        const { client, clock, lines } = rig(3, { policies: [limit(options)] });
        await client.ready();
        const { call, ends, fates, begun } = calls(client);
        const signals: ReturnType<typeof countedSignal>[] = [];
        const model = new Model(options);
        const start = clock.now();
        model.now = start;
        for (const todo of steps) {
          if (todo.do === 'call') {
            signals.push(countedSignal());
            call(signals.at(-1)!.signal);
            model.call();
          } else if (todo.do === 'wait') {
            await clock.advance(todo.ms);
            model.wait(todo.ms);
          } else {
            const among =
              todo.do === 'abort' ? [...model.running, ...model.waiting.map(w => w.number)] : model.running;
            if (among.length === 0) continue;
            const number = among[todo.which % among.length]!;
            if (todo.do === 'end') ends[number]!.resolve(number);
            else if (todo.do === 'fail') ends[number]!.reject(new Error('failed'));
            else signals[number]!.abort('gone');
            model.over(number, todo.do === 'end' ? 'resolved' : todo.do === 'fail' ? 'failed' : 'gone');
          }
          await settled();
          same(begun.join(), model.begun.join());
          same(fates.map(stateOf).join(), model.states.join());
          same(running(client), model.running.length);
          atMost(model.running.length, options.concurrency);
        }
        for (const { resolve } of ends) resolve(0);
        for (let i = 0; i < 5; i++) await settled();
        expect(fates.every(({ state }) => state !== 'pending')).toBe(true);
        expect(clock.pending).toBe(0);
        expect(signals.map(({ listeners }) => listeners())).toEqual(signals.map(() => 0));
        expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  const stateOf = ({ state, value }: Fate): string =>
    state !== 'rejected'
      ? state
      : ((value as { code?: string; message?: string }).code ?? (value as Error).message ?? String(value));
});

describe('bad options', () => {
  const NO_NUMBERS = [null, '5', true, {}, Number.NaN];
  const ROWS: readonly [string, (value: never) => unknown, readonly unknown[]][] = [
    ['limit concurrency', concurrency => limit({ concurrency }), [...NO_NUMBERS, undefined, 0, -1, 1.5]],
    ['limit queue', queue => limit({ concurrency: 1, queue }), [...NO_NUMBERS, -1, 1.5, Infinity]],
    ['limit order', order => limit({ concurrency: 1, order }), [null, 'filo', 5, true]],
    ['limit timeout', timeout => limit({ concurrency: 1, timeout }), [...NO_NUMBERS, -1]],
    [
      'limit concurrency ended',
      ended => rig(1, { policies: [limit({ concurrency: () => ({ current: 1, ended }) })] }),
      [null, 5, undefined],
    ],
    [
      'limit concurrency current',
      current => rig(1, { policies: [limit({ concurrency: () => ({ current, ended() {} }) })] }),
      [...NO_NUMBERS, 0],
    ],
    [
      'limit concurrency ended',
      made => rig(1, { policies: [limit({ concurrency: () => made })] }),
      [null, 5, undefined],
    ],
  ];
  test.each(ROWS.flatMap(([name, give, values]) => values.map(value => [name, value, give] as const)))(
    '%s: %o is refused by name',
    (name, value, give) => {
      expect(() => give(value as never)).toThrow(name);
    },
  );
});
