import type { ServerResponse } from 'node:http';
import { drain, type Endpoint, giveUpReasonOf, retry, ring } from 'fairlead';
import { scriptedDiscovery } from 'fairlead/testing';
import { describe, expect, test, vi } from 'vitest';
import { deferred, watch } from '../helpers.ts';
import { hello, meanwhile, over } from './over.ts';
import { type Running, serve, serveRaw } from './servers.ts';

// What servers see of retries, deadlines and the end, over real sockets, by a clock that moves when a test says so.

vi.setConfig({ testTimeout: 60_000 });

const endpointOf = ({ id, port }: Running, more: Partial<Endpoint> = {}): Endpoint => ({
  id,
  host: '127.0.0.1',
  port,
  ...more,
});

describe('a server that answers 503 with a retry-after', () => {
  test.each([
    ['in seconds', { 'retry-after': '3' }, 3000],
    // By its own date, whatever the caller's clock says.
    [
      'by a date',
      { date: 'Sun, 06 Nov 1994 08:49:37 GMT', 'retry-after': 'Sun, 06 Nov 1994 08:49:40 GMT' },
      3000,
    ],
    ['of a day', { 'retry-after': '86400' }, 300_000],
  ])(
    '%s is left alone for so long, five minutes at most, and its calls are made good',
    async (_, headers, ms) => {
      let asked = 0;
      await using busy = await serve((_, response) => {
        if (++asked === 1) response.writeHead(503, headers).end('busy');
        else response.end('hello');
      });
      await using other = await hello();
      const { fetch, clock, outcomes } = over([busy, other], { breaker: false });
      const calls = async (): Promise<void> => {
        for (let i = 0; i < 4; i++) expect(await (await fetch('/')).text()).toBe('hello');
      };
      await calls();
      expect([asked, outcomes(busy), outcomes(other)]).toEqual([1, ['failure'], Array(4).fill('success')]);
      await clock.advance(ms - 1);
      await calls();
      expect(asked).toBe(1);
      await clock.advance(1);
      await calls();
      expect(asked).toBe(3); // every other call
    },
  );

  test('of all servers is waited for, and then the first to be free is called', async () => {
    const answering = (seconds: number): Promise<Running> => {
      let asked = 0;
      return serve((_, response) => {
        if (++asked > 1) response.end('hello');
        else response.writeHead(503, { 'retry-after': String(seconds) }).end('busy');
      });
    };
    await using one = await answering(2);
    await using two = await answering(5);
    const { fetch, clock, outcomes } = over([one, two], {
      breaker: false,
      policies: [retry({ backoff: () => 10 })],
    });
    expect(await (await meanwhile(clock, fetch('/'))).text()).toBe('hello');
    expect([outcomes(one), outcomes(two)]).toEqual([['failure', 'success'], ['failure']]);
    expect(clock.now()).toBeGreaterThanOrEqual(2000);
    expect(clock.now()).toBeLessThan(5000);
  });

  test('and asks not to be tried again: nobody is, and the caller has its answer and the reason', async () => {
    let asked = 0;
    const refuse = (): Promise<Running> =>
      serve((_, response) => {
        asked++;
        response.writeHead(503, { 'x-should-retry': 'false' }).end('no');
      });
    await using one = await refuse();
    await using two = await refuse();
    const { fetch, lines } = over([one, two]);
    const response = await fetch('/');
    expect([response.status, await response.text(), giveUpReasonOf(response)]).toEqual([
      503,
      'no',
      'pushback',
    ]);
    expect([asked, lines.at(-1)]).toEqual([1, 'giveUp pushback']);
  });
});

/** A server that answers nothing, and tells what it is asked and when it is left. */
async function silent() {
  const heads: string[] = [];
  let waits: { readonly count: number; readonly resolve: () => void } | undefined;
  let left = 0;
  const gone = deferred();
  const server = await serveRaw(socket => {
    socket.once('data', data => {
      heads.push(String(data));
      if (waits !== undefined && heads.length >= waits.count) waits.resolve();
    });
    socket.once('close', () => {
      left++;
      gone.resolve();
    });
  });
  return {
    server,
    heads,
    gone: gone.promise,
    left: () => left,
    asked: (count: number): Promise<void> =>
      new Promise(resolve => {
        waits = { count, resolve };
        if (heads.length >= count) resolve();
      }),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

test('each server is told which attempt it is and how long its answer is waited for, and left when that is over', async () => {
  await using mute = await silent();
  const { fetch, clock, lines } = over([mute.server], {
    attemptHeader: 'x-attempt',
    deadlineHeader: 'x-time-left',
    timeout: 1000,
    attemptTimeout: 400,
    breaker: false,
    policies: [retry({ attempts: 5, backoff: () => 0 })],
  });
  const call = watch(fetch('/', { headers: { 'x-attempt': '7' } }));
  for (let n = 1; n <= 2; n++) {
    await mute.asked(n);
    await clock.advance(400);
  }
  await mute.asked(3);
  await clock.advance(199);
  expect(call.state).toBe('pending');
  await clock.advance(1);
  expect(call).toMatchObject({ state: 'rejected', value: { code: 'TIMEOUT' } });
  const told = mute.heads.map(head => /x-attempt: (.*)\r\nx-time-left: (.*)\r\n/i.exec(head)?.slice(1));
  expect(told).toEqual([
    ['1', '400'],
    ['2', '400'],
    ['3', '200'],
  ]);
  expect(lines.filter(line => line.startsWith('retry'))).toHaveLength(2);
  await vi.waitFor(() => expect(mute.left()).toBe(3));
  expect(clock.pending).toBe(0);
});

describe('close with drain', () => {
  /** A server that answers when told. */
  async function holding() {
    const asked = deferred();
    let held: ServerResponse | undefined;
    const server = await serve((_, response) => {
      held = response;
      asked.resolve();
    });
    return {
      server,
      asked: asked.promise,
      answer: () => held!.end('at last'),
      [Symbol.asyncDispose]: () => server.stop(),
    };
  }

  test('lets an answer that is under way arrive, body and all, and refuses new calls', async () => {
    await using slow = await holding();
    const { fetch, clock } = over([slow.server]);
    const call = fetch('/');
    await slow.asked;
    const closed = fetch.close({ drain: 5000 });
    await expect(fetch('/')).rejects.toMatchObject({ code: 'CLOSED' });
    slow.answer();
    expect(await (await call).text()).toBe('at last');
    await meanwhile(clock, closed);
    expect(clock.now()).toBeLessThan(5000);
    expect(clock.pending).toBe(0);
  });

  test('aborts what is still without an answer when the time is over: its connection is closed', async () => {
    await using mute = await silent();
    const { fetch, clock, outcomes } = over([mute.server], { attemptTimeout: 60_000 });
    const call = watch(fetch('/'));
    await mute.asked(1);
    const closed = fetch.close({ drain: 5000 });
    await clock.advance(4999);
    expect(call.state).toBe('pending');
    await clock.advance(1);
    await closed;
    expect(call).toMatchObject({ state: 'rejected', value: { code: 'CLOSED' } });
    await mute.gone;
    expect([outcomes(mute.server), clock.pending]).toEqual([['ignored'], 0]);
  });

  test('a server that leaves the set, or is drained, gets nothing new, and its answer is heard', async () => {
    for (const leave of [() => [], (server: Running) => [endpointOf(server, { weight: 0 })]]) {
      await using slow = await holding();
      await using other = await hello();
      const source = scriptedDiscovery([endpointOf(slow.server)]);
      const { fetch, lines } = over([], { discovery: source.discovery });
      const call = fetch('/');
      await slow.asked;
      const before = lines.length;
      source.set([...leave(slow.server), endpointOf(other)]);
      await vi.waitFor(() => expect(lines.length).toBeGreaterThan(before));
      for (let i = 0; i < 10; i++) expect(await (await fetch('/')).text()).toBe('hello');
      slow.answer();
      expect(await (await call).text()).toBe('at last');
      expect(lines.filter(line => line === `attempt ${slow.server.id}`)).toHaveLength(1);
      await fetch.close();
    }
  });
});

test('sessions stay with a server that drains while its grace lasts, and then move; others never come to it', async () => {
  const named = (name: string): Promise<Running> => serve((_, response) => response.end(name));
  await using one = await named('one');
  await using two = await named('two');
  const source = scriptedDiscovery([endpointOf(one), endpointOf(two)]);
  const { fetch, clock, lines } = over([], {
    discovery: source.discovery,
    balancer: drain(() => ring(), { grace: 10_000 }),
    key: 'x-session',
  });
  const keys = Array.from({ length: 20 }, (_, i) => `session ${i}`);
  const who = async (key?: string): Promise<string> =>
    (await fetch('/', key === undefined ? {} : { headers: { 'x-session': key } })).text();
  const owners: string[] = [];
  for (const key of keys) owners.push(await who(key));
  expect(new Set(owners)).toEqual(new Set(['one', 'two']));
  const before = lines.length;
  source.set([endpointOf(one, { metadata: { draining: 'true' } }), endpointOf(two)]);
  await vi.waitFor(() => expect(lines.length).toBeGreaterThan(before));
  await clock.advance(9999);
  for (const [i, key] of keys.entries()) expect(await who(key)).toBe(owners[i]);
  for (let i = 0; i < 5; i++) expect(await who()).toBe('two');
  await clock.advance(1);
  for (const key of keys) expect(await who(key)).toBe('two');
});
