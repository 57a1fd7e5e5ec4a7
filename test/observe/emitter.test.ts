import {
  type ClientEvents,
  consecutiveFailures,
  createClient,
  type EmittingClient,
  type EmittingClientOptions,
  type Endpoint,
  fixed,
  type GiveUpReason,
  type Observer,
  retry,
  roundRobin,
  type Task,
} from 'fairlead';
import { manualClock, scriptedDiscovery, seededRandom, settled } from 'fairlead/testing';
import { describe, expect, test, vi } from 'vitest';
import { endpoint, watch } from '../helpers.ts';

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
] as const satisfies readonly (keyof ClientEvents)[];

type Told = { [K in keyof ClientEvents]: ClientEvents[K][] };

const nothingTold = (): Told =>
  Object.fromEntries(EVENTS.map(event => [event, [] as unknown[]])) as unknown as Told;

/** What a client's listeners are told, by event, with all their arguments. */
function heard(client: EmittingClient): Told {
  const told = nothingTold();
  for (const event of EVENTS)
    client.on(event, (...given: unknown[]) => void (told[event] as unknown[]).push(given));
  return told;
}

function make(options: Partial<EmittingClientOptions> = {}) {
  const clock = manualClock();
  const client = createClient({
    discovery: fixed([endpoint('a'), endpoint('b')]),
    balancer: roundRobin(),
    env: { clock, random: seededRandom(1) },
    ...options,
  });
  return { client, clock, told: heard(client) };
}

const fails = async (): Promise<never> => {
  throw new Error('no');
};

describe('a client tells', () => {
  test('members: who came, who went, who changed, and how many there are', async () => {
    const source = scriptedDiscovery([endpoint('a'), endpoint('b'), endpoint('c')]);
    const { told } = make({ discovery: source.discovery });
    await settled();
    const changed: Endpoint = endpoint('b', { weight: 2 });
    source.set([changed, endpoint('c'), endpoint('d')]);
    await settled();
    source.set([endpoint('c'), changed, endpoint('d')]); // the same: no event
    await settled();
    expect(told.members).toEqual([
      [
        { added: [endpoint('a'), endpoint('b'), endpoint('c')], removed: [], updated: [], size: 3 },
        undefined,
      ],
      [{ added: [endpoint('d')], removed: [endpoint('a')], updated: [changed], size: 3 }, undefined],
    ]);
  });

  test('discoveryError: what the source threw, or what is wrong with what it gave', async () => {
    const source = scriptedDiscovery([endpoint('a')]);
    const { told, clock } = make({ discovery: source.discovery });
    await settled();
    const lost = new Error('registry gone');
    source.fail(lost);
    await clock.advance(1000);
    source.set('nonsense');
    await settled();
    expect(told.discoveryError.map(([error]) => error)).toEqual([
      lost,
      expect.objectContaining({ code: 'BAD_ENDPOINTS' }),
    ]);
  });

  test('attempt and attemptEnd: the same attempt, with its endpoint, its call, and then how it went', async () => {
    const { client, clock, told } = make();
    const atBegin: unknown[] = [];
    client.on('attempt', ({ startedAt, elapsed, outcome }) => atBegin.push({ startedAt, elapsed, outcome }));
    await clock.advance(50);
    const call = client.run(
      () =>
        new Promise<string>(resolve => {
          clock.after(20, () => resolve('x'));
        }),
      { key: 'ann' },
    );
    await clock.advance(20);
    await call;
    expect(atBegin).toEqual([{ startedAt: 50, elapsed: undefined, outcome: undefined }]);
    const [[attempt, made]] = told.attempt as [ClientEvents['attempt']];
    expect(['a', 'b']).toContain(attempt.endpoint.id);
    expect(made.key).toBe('ann');
    expect(told.attemptEnd.map(([ended]) => ended)).toEqual([attempt]);
    expect(attempt).toMatchObject({ elapsed: 20, outcome: 'success', error: undefined });
  });

  test('attemptEnd: with the error, if there was one', async () => {
    const { client, told } = make({ policies: [] });
    await expect(client.run(fails)).rejects.toThrow('no');
    expect(told.attemptEnd).toHaveLength(1);
    expect(told.attemptEnd[0]![0]).toMatchObject({ outcome: 'failure', error: { message: 'no' } });
  });

  test('retry and giveUp: which attempt comes, when, in whose stead, and why there is no more', async () => {
    const { client, clock, told } = make();
    const fate = watch(client.run(fails));
    await clock.advance(100);
    expect(fate.state).toBe('rejected');
    const [first, second] = told.retry.map(([event]) => event);
    expect(first).toMatchObject({
      attempt: 2,
      delay: 0,
      failed: { outcome: 'failure', error: { message: 'no' } },
    });
    expect(second!.attempt).toBe(3);
    expect(second!.delay).toBeGreaterThan(0); // everybody has been tried
    expect(new Set([first!.failed.endpoint, second!.failed.endpoint])).toEqual(new Set(['a', 'b']));
    const [[end]] = told.giveUp as [ClientEvents['giveUp']];
    expect(end.reason).toBe('attempts');
    expect(end.call).toBe(first!.call);
    expect(end.call.attempts).toHaveLength(3);
  });

  test.each<[GiveUpReason, Partial<EmittingClientOptions>, Task<unknown>]>([
    ['not-repeatable', { repeatable: false }, fails],
    ['budget', { policies: [retry({ budget: { deposit() {}, withdraw: () => false } })] }, fails],
    ['aborted', { timeout: 100 }, () => new Promise(() => {})], // its time is over, and it had all of it
  ])('giveUp: %s', async (reason, options, task) => {
    const { client, clock, told } = make(options);
    const fate = watch(client.run(task));
    await clock.advance(100);
    expect(fate.state).toBe('rejected');
    expect(told.giveUp.map(([end]) => end.reason)).toEqual([reason]);
    expect(told.retry).toEqual([]);
  });

  test('breaker: every move, of whom, from where to where', async () => {
    const breaker = consecutiveFailures({ threshold: 1, openFor: 1000, jitter: 0 });
    const { client, clock, told } = make({ discovery: fixed([endpoint('a')]), policies: [], breaker });
    await expect(client.run(fails)).rejects.toThrow();
    await clock.advance(1000);
    await client.run(async () => 'x');
    expect(told.breaker.map(([{ member, from, to }]) => [member.endpoint.id, from, to])).toEqual([
      ['a', 'closed', 'open'],
      ['a', 'open', 'half-open'],
      ['a', 'half-open', 'closed'],
    ]);
  });

  test('panic: whom a call went to although no breaker allowed it', async () => {
    const breaker = consecutiveFailures({ threshold: 1 });
    const { client, told } = make({ discovery: fixed([endpoint('a')]), policies: [], breaker });
    await expect(client.run(fails)).rejects.toThrow();
    expect(told.panic).toEqual([]);
    await client.run(async () => 'x', { key: 'ann' });
    const [[member, call]] = told.panic as [ClientEvents['panic']];
    expect([member.endpoint.id, call.key]).toEqual(['a', 'ann']);
  });

  test('fault: whose code it was, and what it threw', async () => {
    const broken = new Error('broken');
    const classifier = {
      value: (): never => {
        throw broken;
      },
      error: () => 'failure' as const,
    };
    const { client, told } = make({ classifier });
    await expect(client.run(async () => 'x')).resolves.toBe('x');
    expect(told.fault.map(([fault]) => fault)).toEqual([{ source: 'classifier', error: broken }]);
  });

  test('fault: what is reported from outside', () => {
    const { client, told } = make();
    client.report({ source: 'key', error: 'x' });
    expect(told.fault.map(([fault]) => fault)).toEqual([{ source: 'key', error: 'x' }]);
  });
});

describe('an observer', () => {
  test('is told the same as the listeners, before them, as the method of the object it is', async () => {
    const order: string[] = [];
    const observer: Observer & { name: string } = {
      name: 'mine',
      attempt({ endpoint }, call) {
        order.push(`${this.name} ${endpoint.id} ${call.key}`);
      },
      attemptEnd: () => order.push('observer end'),
    };
    const { client } = make({ discovery: fixed([endpoint('a')]), observer });
    client.on('attempt', ({ endpoint }, call) => order.push(`listener ${endpoint.id} ${call.key}`));
    client.on('attemptEnd', () => order.push('listener end'));
    await client.run(async () => 'x', { key: 'ann' });
    expect(order).toEqual(['mine a ann', 'listener a ann', 'observer end', 'listener end']);
  });

  test('that throws keeps nothing from the listeners, nor from the call', async () => {
    const thrown = new Error('observer');
    const observer: Observer = {
      attemptEnd() {
        throw thrown;
      },
    };
    const { client, told } = make({ observer });
    await expect(client.run(async () => 'x')).resolves.toBe('x');
    expect(told.attemptEnd).toHaveLength(1);
    expect(told.fault.map(([fault]) => fault)).toEqual([{ source: 'observer', error: thrown }]);
  });
});

describe('a listener that throws', () => {
  test.each(EVENTS.filter(event => event !== 'fault'))(
    'is heard of as a fault and nowhere else: %s',
    async event => {
      const source = scriptedDiscovery([endpoint('a'), endpoint('b')]);
      const breaker = consecutiveFailures({ threshold: 1 });
      const { client, clock, told } = make({ discovery: source.discovery, breaker });
      const thrown = new Error('listener');
      const listener = vi.fn(() => {
        throw thrown;
      });
      client.on(event, listener);
      await settled();
      source.set('nonsense');
      await settled();
      let task: () => Promise<string> = async () => 'x';
      await expect(client.run(() => task())).resolves.toBe('x');
      task = fails;
      const failing = watch(client.run(() => task()));
      await clock.advance(100);
      expect(failing.value).toMatchObject({ message: 'no' });
      expect(listener).toHaveBeenCalled();
      expect(told.fault.map(([fault]) => fault)).toEqual(
        listener.mock.calls.map(() => ({ source: 'observer', error: thrown })),
      );
      expect(client.pool.size).toBe(2);
      expect(client.pool.members().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
    },
  );

  test('keeps the event from those after it, as emitters do, and from nobody before', async () => {
    const { client, told } = make();
    const after = vi.fn();
    client
      .on('attempt', () => {
        throw new Error('listener');
      })
      .on('attempt', after);
    await client.run(async () => 'x');
    expect(told.attempt).toHaveLength(1);
    expect(after).not.toHaveBeenCalled();
  });

  test('of faults is heard of nowhere', () => {
    const { client, told } = make();
    client.on('fault', () => {
      throw new Error('again');
    });
    expect(() => client.report({ source: 'key', error: 'x' })).not.toThrow();
    expect(told.fault).toHaveLength(1);
  });
});

test.each(['on', 'addListener', 'once'] as const)('a listener may come at any time (%s)', async how => {
  const client = createClient({ discovery: fixed([endpoint('a')]) });
  await client.run(async () => 'x');
  const listener = vi.fn();
  expect(client[how]('attempt', listener)).toBe(client);
  await client.run(async () => 'x', { key: 'ann' });
  expect(listener.mock.calls).toEqual([
    [expect.objectContaining({ outcome: 'success' }), expect.objectContaining({ key: 'ann' })],
  ]);
  await client.close();
});

test('a listener may be taken off, or listen once', async () => {
  const { client } = make();
  const [off, once] = [vi.fn(), vi.fn()];
  client.on('attempt', off).once('attempt', once);
  await client.run(async () => 'x');
  client.off('attempt', off);
  await client.run(async () => 'x');
  expect([off.mock.calls.length, once.mock.calls.length]).toEqual([1, 1]);
});

test('a client is closed by the end of an `await using` block', async () => {
  const source = scriptedDiscovery([endpoint('a')]);
  let left: EmittingClient;
  {
    await using client = make({ discovery: source.discovery }).client;
    left = client;
    await client.ready();
  }
  await settled();
  expect(source.running).toBe(0);
  await expect(left.run(async () => 'x')).rejects.toMatchObject({ code: 'CLOSED' });
});

test('an observer that is an async function and rejects is a fault, and no unhandled rejection', async () => {
  const faults: unknown[] = [];
  const client = createClient({
    discovery: fixed(['a:1']),
    observer: { attempt: async () => Promise.reject(new Error('late')), fault: fault => faults.push(fault) },
  });
  await client.run(async () => 'x');
  await settled();
  expect(faults).toEqual([{ source: 'observer', error: new Error('late') }]);
  await client.close();
});
