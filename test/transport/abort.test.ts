import { createFetch, type FetchOptions, fixed } from 'fairlead';
import { scriptedDiscovery, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { countedSignal, watch } from '../helpers.ts';
import { type Fake, faked, never, ok, unavailable } from './fake.ts';
import { collected, collectGarbage } from './garbage.ts';

const ONE = { discovery: fixed(['a.test:80']) };

describe("the caller's abort rejects with the caller's reason, at once", () => {
  test.each(['enough', undefined, 0, new Error('enough'), { any: 'thing' }])(
    'whatever that is (%s)',
    async reason => {
      const { fetch } = faked(never);
      const controller = new AbortController();
      const fate = watch(fetch('/v1', { signal: controller.signal }));
      controller.abort(reason);
      await settled();
      expect(fate.state).toBe('rejected');
      expect(fate.value).toBe(controller.signal.reason);
    },
  );

  /** Begins a call, lets `until` happen, aborts, and says what came of it. */
  async function aborted({ fetch, clock }: Fake, until: () => Promise<void> = settled) {
    const { signal, abort, listeners } = countedSignal();
    const fate = watch(fetch('/v1', { signal }));
    await until();
    expect(fate.state).toBe('pending');
    abort('enough');
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: 'enough' });
    expect(listeners()).toBe(0);
    return { pending: clock.pending };
  }

  test('before anything is sent, and then nothing is', async () => {
    const { fetch, sent, lines } = faked();
    await expect(fetch('/v1', { signal: AbortSignal.abort('over') })).rejects.toBe('over');
    expect(sent).toEqual([]);
    expect(lines.filter(line => line.startsWith('attempt'))).toEqual([]);
  });

  test('during an attempt, whose request is aborted and whose member is not blamed', async () => {
    const fake = faked(never);
    await aborted(fake);
    expect(fake.sent[0]!.init.signal).toMatchObject({ aborted: true, reason: 'enough' });
    expect(fake.outcomes()).toEqual(['ignored']);
    expect(fake.clock.pending).toBe(0);
  });

  test("during an attempt without a time-out, which is given the caller's own signal", async () => {
    const fake = faked(never, { attemptTimeout: Infinity });
    await aborted(fake);
    expect(fake.sent[0]!.init.signal).toMatchObject({ aborted: true, reason: 'enough' });
  });

  test('during a back-off, which ends with it', async () => {
    const fake = faked(unavailable, ONE);
    expect(await aborted(fake)).toEqual({ pending: 0 });
    expect(fake.sent).toHaveLength(1);
    expect(fake.lines).toContain('retry 2 after a.test:80 later');
  });

  test('while it waits for the first set', async () => {
    const { discovery } = scriptedDiscovery();
    const fake = faked(ok, { discovery });
    expect(await aborted(fake)).toEqual({ pending: 0 });
    expect(fake.sent).toEqual([]);
    await fake.fetch.close();
  });

  test('with a time-out of the whole call as well', async () => {
    for (const options of [{ timeout: 5000 }, { timeout: 5000, attemptTimeout: Infinity }]) {
      const fake = faked(never, options);
      expect(await aborted(fake)).toEqual({ pending: 0 });
      expect(fake.sent[0]!.init.signal).toMatchObject({ aborted: true, reason: 'enough' });
    }
  });

  test('by the signal of a Request', async () => {
    const { fetch } = faked(never);
    const controller = new AbortController();
    const fate = watch(fetch(new Request('http://users/', { signal: controller.signal })));
    await settled();
    controller.abort('enough');
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: 'enough' });
  });
});

describe('after the head of a response', () => {
  const stacks: readonly [string, Partial<FetchOptions>][] = [
    ['an attempt time-out', {}],
    ['a time-out of the call, too', { timeout: 5000 }],
    ['only a time-out of the call', { timeout: 5000, attemptTimeout: Infinity }],
    ['no time-out at all', { attemptTimeout: Infinity }],
  ];

  test.each(stacks)("the caller's abort still reaches the body, with %s", async (_, options) => {
    const { fetch, sent } = faked(ok, options);
    const controller = new AbortController();
    const response = await fetch('/v1', { signal: controller.signal });
    await collectGarbage(); // what is only held weakly is gone now
    expect(sent[0]!.init.signal!.aborted).toBe(false);
    controller.abort('enough');
    expect(sent[0]!.init.signal).toMatchObject({ aborted: true, reason: 'enough' });
    expect(response.bodyUsed).toBe(false);
  });

  test.each(stacks)('no time-out of ours does, with %s', async (_, options) => {
    const { fetch, sent, clock } = faked(ok, options);
    const controller = new AbortController();
    await fetch('/v1', { signal: controller.signal });
    await clock.advance(1e6);
    expect(sent[0]!.init.signal!.aborted).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test('a response without a body leaves no listener behind', async () => {
    const { fetch } = faked(() => new Response(null, { status: 204 }), { timeout: 5000 });
    const { signal, listeners } = countedSignal();
    await fetch('/v1', { signal });
    expect(listeners()).toBe(0);
  });
});

describe('an attempt that hangs', () => {
  test('is given up after 10 s by default, its request aborted, and the call made good elsewhere', async () => {
    const { fetch, sent, clock, outcomes } = faked((sent, n) => (n === 1 ? never(sent, n) : ok(sent, n)));
    const fate = watch(fetch('/v1'));
    await clock.advance(9999);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(fate.state).toBe('resolved');
    expect(sent[0]!.init.signal!.reason).toMatchObject({ code: 'TIMEOUT' });
    expect(sent[1]!.init.signal!.aborted).toBe(false);
    expect(outcomes()).toEqual(['failure', 'success']);
    expect(clock.pending).toBe(0);
  });

  test('is given up after attemptTimeout, and when all hang the last time-out is thrown', async () => {
    const { fetch, clock, sent } = faked(never, { attemptTimeout: 100 });
    const fate = watch(fetch('/v1'));
    await clock.advance(300);
    expect(sent).toHaveLength(3);
    expect(fate.state).toBe('rejected');
    expect(fate.value).toMatchObject({ code: 'TIMEOUT', attempts: [{}, {}, {}] });
  });
});

describe('calls without number under one signal', () => {
  test('at the same time have one listener between them, so that Node warns of no leak', async () => {
    const { fetch } = faked(never);
    const { signal, abort, listeners } = countedSignal();
    const fates = Array.from({ length: 500 }, () => watch(fetch('/v1', { signal })));
    await settled();
    expect(listeners()).toBe(1);
    abort('enough');
    await settled();
    expect(fates.every(({ state, value }) => state === 'rejected' && value === 'enough')).toBe(true);
    expect(listeners()).toBe(0);
  });

  test('one after the other leave nothing on it', { timeout: 60_000 }, async () => {
    const fetch = createFetch({ ...ONE, fetch: async () => new Response(null, { status: 204 }) });
    const { signal, listeners } = countedSignal();
    for (let i = 0; i < 10_000; i++) await fetch('/v1', { signal });
    expect(listeners()).toBe(0);
    await fetch.close();
  });

  test('whose bodies nobody ever read leave nothing on it once those are collected', {
    timeout: 60_000,
  }, async () => {
    const bodies: WeakRef<object>[] = [];
    const fetch = createFetch({
      ...ONE,
      timeout: 60_000,
      fetch: async () => {
        const response = new Response('unread');
        bodies.push(new WeakRef(response.body!));
        return response;
      },
    });
    const { signal, abort, listeners } = countedSignal();
    for (let i = 0; i < 2000; i++) await fetch('/v1', { signal });
    expect(listeners()).toBe(1);
    await collected(() => listeners() === 0);
    expect(bodies.every(body => body.deref() === undefined)).toBe(true);
    abort();
    await fetch.close();
  });
});

test('the abort of a Request that its caller has let go of is heard all the same', async () => {
  for (const answer of [never, ok]) {
    const { fetch, sent } = faked(answer);
    const controller = new AbortController();
    // In a function of its own, so that no variable of the test holds the Request.
    const begin = (): ReturnType<typeof watch> =>
      watch(fetch(new Request('http://users/', { signal: controller.signal })));
    const fate = begin();
    await collectGarbage();
    const before = fate.state;
    controller.abort('enough');
    await settled();
    expect(sent[0]!.init.signal).toMatchObject({ aborted: true, reason: 'enough' });
    expect(before).toBe(answer === ok ? 'resolved' : 'pending');
  }
});

describe('close', () => {
  test('refuses new calls, lets those that run go on, and ends the source', async () => {
    let answer = (_: Response): void => {};
    const source = scriptedDiscovery([{ id: 'a', host: 'a.test', port: 80 }]);
    const { fetch, clock } = faked(() => new Promise(resolve => (answer = resolve)), {
      discovery: source.discovery,
    });
    const running = watch(fetch('/v1'));
    await settled();
    expect(source.running).toBe(1);
    await fetch.close();
    await fetch.close(); // again: nothing
    await expect(fetch('/v1')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(running.state).toBe('pending');
    answer(new Response('ok'));
    await settled();
    expect(running.state).toBe('resolved');
    expect(source.running).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('refuses the calls that still wait for the first set', async () => {
    const { fetch, clock } = faked(ok, { discovery: scriptedDiscovery().discovery });
    const fate = watch(fetch('/v1'));
    await settled();
    await fetch.close();
    await settled();
    expect(fate).toMatchObject({ state: 'rejected', value: { code: 'CLOSED' } });
    expect(clock.pending).toBe(0);
  });

  test('comes with the end of an `await using` block', async () => {
    let left: Fake['fetch'] | undefined;
    {
      await using fetch = faked().fetch;
      left = fetch;
      expect((await fetch('/v1')).status).toBe(200);
    }
    await expect(left('/v1')).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
