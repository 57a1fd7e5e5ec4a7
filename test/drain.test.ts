import {
  consecutiveFailures,
  FairleadError,
  hedge,
  limit,
  type Policy,
  retry,
  sleep,
  timeout,
} from 'fairlead/core';
import { describe, expect, test } from 'vitest';
import { countedSignal, deferred, rig, running, watch } from './helpers.ts';

const never = (): Promise<never> => new Promise(() => {});

describe('close with drain', () => {
  test('waits for the calls that run, and no longer', async () => {
    const { client, clock } = rig(2);
    const answer = deferred<string>();
    const call = watch(client.run(() => answer.promise));
    await clock.advance(0);
    const closed = watch(client.close({ drain: 1000 }));
    const refused = watch(client.run(async () => 1));
    await clock.advance(500);
    expect([closed.state, refused.value]).toEqual(['pending', expect.objectContaining({ code: 'CLOSED' })]);
    answer.resolve('done');
    await clock.advance(20);
    expect([call.value, closed.state]).toEqual(['done', 'resolved']);
    expect(clock.pending).toBe(0);
  });

  test('aborts all that run when the time is over, those before them that were aborted notwithstanding', async () => {
    const { client, clock } = rig(2, { policies: [timeout(10_000)] });
    const { signal, abort } = countedSignal();
    const { promise, reject } = deferred();
    const gone = watch(client.run(() => promise, { signal }));
    const left = [1, 2].map(() => watch(client.run(never)));
    await clock.advance(0);
    abort('enough');
    await clock.advance(0);
    reject(new Error('long since'));
    await clock.advance(0);
    const closed = watch(client.close({ drain: 100 }));
    await clock.advance(100);
    expect([gone.value, closed.state, running(client)]).toEqual(['enough', 'resolved', 0]);
    for (const { value } of left) expect(value).toMatchObject({ code: 'CLOSED' });
  });

  test('leaves what cannot be aborted to end as it does, which is no evidence by then', async () => {
    const { client, clock, lines } = rig(1);
    const { promise, reject } = deferred();
    const call = watch(client.run(() => promise));
    await clock.advance(0);
    watch(client.close({ drain: 10 }));
    await clock.advance(20);
    expect(call.state).toBe('pending');
    const error = new Error('cut off');
    reject(error);
    await clock.advance(0);
    expect([call.value, lines.at(-1)]).toEqual([error, 'attemptEnd m000 ignored']);
  });

  test('at once, if nothing runs', async () => {
    const { client, clock } = rig(2);
    await clock.advance(0);
    const closed = watch(client.close({ drain: 1000 }));
    await clock.advance(20);
    expect([closed.state, clock.pending]).toEqual(['resolved', 0]);
  });

  test.each([
    ['retries', [retry(), timeout(1000)], () => Promise.reject(new Error('once'))],
    ['hedges', [hedge({ delay: 100, ratio: 1, budget: false })], never],
  ] as const)('also for %s that have a signal of their own', async (_, policies, first) => {
    const { client, clock } = rig(2, { policies });
    const begin = deferred();
    let runs = 0;
    const call = watch(
      client.run(() => (++runs === 1 ? begin.promise.then(first) : Promise.resolve('again'))),
    );
    await clock.advance(0);
    const closed = watch(client.close({ drain: 1000 }));
    begin.resolve();
    await clock.advance(200);
    expect([call.value, closed.state]).toEqual(['again', 'resolved']);
  });

  test('also for calls that wait in a line for their turn, though not for later ones', async () => {
    const { client, clock } = rig(1, { policies: [limit({ concurrency: 1, queue: 5, timeout: 5000 })] });
    const task = () => sleep(clock, 100).then(() => 'done');
    const calls = [1, 2, 3].map(() => watch(client.run(task)));
    await clock.advance(0);
    const closed = watch(client.close({ drain: 1000 }));
    const later = watch(client.run(task));
    for (let i = 0; i < 6; i++) await clock.advance(100);
    expect(calls.map(({ value }) => value)).toEqual(['done', 'done', 'done']);
    expect(later.value).toMatchObject({ code: 'CLOSED' });
    expect([closed.state, clock.pending]).toEqual(['resolved', 0]);
  });

  test('also for a call between two attempts', async () => {
    const { client, clock } = rig(1, { policies: [retry({ backoff: () => 400 })] });
    let runs = 0;
    const call = watch(
      client.run(async () => {
        if (++runs === 1) throw new Error('once');
        return 'again';
      }),
    );
    await clock.advance(0);
    expect(runs).toBe(1);
    const closed = watch(client.close({ drain: 1000 }));
    await clock.advance(1000);
    expect([call.value, closed.state, runs]).toEqual(['again', 'resolved', 2]);
  });

  test.each([
    ['a signal', {}, true],
    ['a time-out', { policies: [retry(), timeout(10_000)] }, false],
    ['a hedge', { policies: [hedge({ delay: 50, ratio: 1, budget: false }), timeout(10_000)] }, false],
  ])("when the time is over, aborts calls that have %s, which is nobody's fault", async (_, options, own) => {
    const { client, clock, lines } = rig(2, {
      ...options,
      breaker: consecutiveFailures({ threshold: 1 }),
    });
    const { signal, listeners } = countedSignal();
    const signals: (AbortSignal | undefined)[] = [];
    const call = watch(
      client.run(
        (_, given) => {
          signals.push(given);
          return never();
        },
        own ? { signal } : {},
      ),
    );
    await clock.advance(100);
    const closed = watch(client.close({ drain: 1000 }));
    await clock.advance(999);
    expect([call.state, closed.state]).toEqual(['pending', 'pending']);
    await clock.advance(1);
    await clock.advance(0);
    expect(closed.state).toBe('resolved');
    expect(call.value).toBeInstanceOf(FairleadError);
    expect(call.value).toMatchObject({ code: 'CLOSED' });
    if (!own) expect(signals.every(each => each!.aborted)).toBe(true);
    expect(lines.filter(line => line.startsWith('breaker') || line.endsWith('failure'))).toEqual([]);
    expect([running(client), clock.pending, listeners()]).toEqual([0, 0, 0]);
  });

  test('when the time is over, allows no further retry', async () => {
    const { client, clock } = rig(1, {
      policies: [retry({ attempts: 1000, budget: false, backoff: () => 100 })],
    });
    let runs = 0;
    const call = watch(
      client.run(async () => {
        runs++;
        throw new Error('always');
      }),
    );
    await clock.advance(0);
    const closed = watch(client.close({ drain: 1000 }));
    await clock.advance(1000);
    const before = runs;
    // The rejection passes through as many promises as there were attempts.
    for (let i = 0; i < 10; i++) await clock.advance(0);
    expect([closed.state, call.state, runs]).toEqual(['resolved', 'rejected', before]);
    expect(call.value).toMatchObject({ code: 'CLOSED' });
    expect(clock.pending).toBe(0);
  });

  test('when the time is over, no call waits for its next attempt any longer', async () => {
    const { client, clock } = rig(1, { policies: [retry({ backoff: () => 1e9 })] });
    const call = watch(client.run(async () => Promise.reject(new Error('always'))));
    await clock.advance(0);
    const closed = watch(client.close({ drain: 100 }));
    await clock.advance(99);
    expect(call.state).toBe('pending');
    await clock.advance(1);
    await clock.advance(0);
    expect([closed.state, call.value]).toEqual(['resolved', expect.objectContaining({ code: 'CLOSED' })]);
    expect([running(client), clock.pending]).toEqual([0, 0]);
  });

  test('when the time is over, no call waits for its turn any longer, though nobody makes room', async () => {
    const faults: unknown[] = [];
    const careless: Policy = (next, { waits }) => {
      waits!({
        aborted() {
          throw new Error('mine');
        },
      });
      return next;
    };
    const { client, clock } = rig(1, {
      policies: [careless, limit({ concurrency: 1, queue: 2, timeout: 1e9 })],
      observer: { fault: fault => faults.push(fault) },
    });
    const [first, ...others] = [1, 2, 3].map(() => watch(client.run(never)));
    await clock.advance(0);
    const closed = watch(client.close({ drain: 100 }));
    await clock.advance(100);
    await clock.advance(0);
    expect([closed.state, first!.state]).toEqual(['resolved', 'pending']);
    for (const { value } of others) expect(value).toMatchObject({ code: 'CLOSED' });
    expect(clock.pending).toBe(0);
    expect(faults).toEqual([{ source: 'policy', error: expect.objectContaining({ message: 'mine' }) }]);
  });

  test('who begins to wait only when the time is over does not do so either', async () => {
    const queued = limit({ concurrency: 1, queue: 1, timeout: 1e9 });
    for (const [more, busy] of [
      [[queued], 1],
      [[], 0],
    ] as const) {
      const { promise: opened, resolve: open } = deferred();
      const gate: Policy = next => async (task, call) => {
        if (call.key === 'late') await opened;
        return next(task, call);
      };
      const { client, clock } = rig(1, { policies: [gate, ...more] });
      if (busy) watch(client.run(never));
      const late = watch(client.run(never, { key: 'late' }));
      await clock.advance(0);
      watch(client.close({ drain: 10 }));
      await clock.advance(10);
      expect(late.state).toBe('pending');
      open();
      await clock.advance(0);
      expect(late.value).toMatchObject({ code: 'CLOSED' });
      expect([running(client), clock.pending]).toEqual([busy, 0]);
    }
  });

  test.each(['SIGTERM', 0, null, () => {}])('close, called back with %s, closes', async given => {
    const { client, clock } = rig(1);
    const closed = watch(client.close(given as never));
    await clock.advance(0);
    expect([closed.state, client.pool.closed]).toEqual(['resolved', true]);
  });

  test('an option that does not exist is told when all is closed', async () => {
    const { client } = rig(1);
    await expect(client.close({ drian: 5 } as never)).rejects.toThrow(
      'close has no option drian; it has drain',
    );
    expect(client.pool.closed).toBe(true);
  });

  test('a time that is no time is refused, and nothing is closed', async () => {
    const { client, clock } = rig(1);
    for (const drain of [-1, Number.NaN, '5', null]) {
      await expect(client.close({ drain: drain as never })).rejects.toThrow('close drain');
    }
    const call = watch(client.run(async () => 1));
    await clock.advance(0);
    expect(call.value).toBe(1);
  });
});
