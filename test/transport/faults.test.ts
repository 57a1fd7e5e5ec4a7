import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type BalancedFetch, createFetch, type FetchOptions, fixed, roundRobin } from 'fairlead';
import { describe, expect, test, vi } from 'vitest';
import { deferred, watch } from '../helpers.ts';
import type { SomeBody } from './fake.ts';
import { hello, meanwhile, over } from './over.ts';
import { lastingPort, type Running, refusing, serve, serveRaw } from './servers.ts';

// Real sockets, but a manual clock: time-outs and breakers move when a test says so, and however slow the machine is,
// nothing is ever late. Vitest fails the run upon any unhandled rejection.

vi.setConfig({ testTimeout: 60_000 });

/** Calls so many times, one after the other; all must succeed. */
async function allWell(fetch: BalancedFetch, calls: number, init?: RequestInit): Promise<void> {
  for (let i = 0; i < calls; i++) expect(await (await fetch('/', init)).text()).toBe('hello');
}

describe('a server that refuses connections', () => {
  test.each(['GET', 'POST'])('costs no %s, and five attempts open its breaker', async method => {
    await using good = await hello();
    await using dead = await refusing();
    const { fetch, outcomes, state } = over([dead, good]);
    await allWell(fetch, 30, method === 'POST' ? { method, body: 'x' } : {});
    expect(outcomes(dead)).toEqual(Array(5).fill('failure'));
    expect(state(dead)).toBe('open');
    expect(outcomes(good)).toEqual(Array(30).fill('success'));
  });

  test('is what the caller hears of if there is no other', async () => {
    await using dead = await refusing();
    const { fetch, clock, outcomes } = over([dead], { attemptTimeout: Infinity });
    const error = await meanwhile(
      clock,
      fetch('/').catch(error => error),
    );
    expect(error).toBeInstanceOf(TypeError);
    expect(error.cause.code).toBe('ECONNREFUSED');
    expect(outcomes(dead)).toEqual(['failure', 'failure', 'failure']);
  });
});

describe('a redirect to a place that cannot be reached', () => {
  test.each([302, 303, 307])('%i: the POST is carried out once, and no member is blamed', async status => {
    await using dead = await refusing();
    let executed = 0;
    const handler = (_: unknown, response: ServerResponse): void => {
      executed++;
      response.writeHead(status, { location: `http://${dead.id}/x` }).end();
    };
    await using one = await serve(handler);
    await using two = await serve(handler);
    await using fetch = createFetch({ discovery: fixed([one.id, two.id]) });
    const outcomes: unknown[] = [];
    fetch.client.on('attemptEnd', ({ outcome }) => outcomes.push(outcome));
    await expect(fetch('/pay', { method: 'POST', body: '1' })).rejects.toThrow(TypeError);
    expect(executed).toBe(1);
    expect(outcomes).toEqual(['ignored']);
    await expect(fetch('/see')).rejects.toThrow(TypeError);
    expect(outcomes).toEqual(['ignored', 'ignored']);
  });
});

test.each(['127.1', '0x7f.0.0.1', 'LOCALHOST'])(
  'a dead endpoint is blamed, and its calls go elsewhere, however its host is written (%s)',
  async host => {
    await using dead = await refusing();
    await using well = await serve((_, response) => response.end('well'));
    await using fetch = createFetch({
      discovery: fixed([{ id: 'dead', host, port: dead.port }, well.id]),
      balancer: roundRobin(),
    });
    const failed: string[] = [];
    fetch.client.on(
      'attemptEnd',
      ({ endpoint, outcome }) => outcome !== 'success' && failed.push(`${endpoint.id} ${outcome}`),
    );
    for (let i = 0; i < 2; i++) expect(await (await fetch('/v1')).text()).toBe('well');
    expect(new Set(failed)).toEqual(new Set(['dead failure']));
  },
);

describe('a server that resets the connection instead of answering', () => {
  const resetting = (count: { requests: number }): Promise<Running> =>
    serveRaw(socket =>
      socket.once('data', () => {
        count.requests++;
        socket.resetAndDestroy();
      }),
    );

  test('costs no GET', async () => {
    const count = { requests: 0 };
    await using bad = await resetting(count);
    await using good = await hello();
    const { fetch, outcomes } = over([bad, good]);
    await allWell(fetch, 30);
    expect(outcomes(bad)).toEqual(Array(5).fill('failure'));
  });

  test('is sent a POST once, and the caller hears the truth', async () => {
    const count = { requests: 0 };
    await using bad = await resetting(count);
    const { fetch, lines } = over([bad]);
    await expect(fetch('/', { method: 'POST', body: 'x' })).rejects.toMatchObject({
      cause: { code: 'ECONNRESET' },
    });
    expect(count.requests).toBe(1);
    expect(lines.at(-1)).toBe('giveUp not-repeatable');
  });
});

describe('a body that breaks off reaches the caller as it is, and is no second attempt', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['reset', socket => socket.resetAndDestroy()],
    ['truncated', socket => socket.end()],
  ])('%s', async (_, end) => {
    const head = deferred();
    await using bad = await serveRaw(socket =>
      socket.once('data', async () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhel');
        await head.promise;
        end(socket);
      }),
    );
    const { fetch, outcomes } = over([bad]);
    const response = await fetch('/');
    const reader = response.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('hel');
    head.resolve();
    await expect(reader.read()).rejects.toThrow();
    expect(outcomes(bad)).toEqual(['success']);
  });
});

describe('a server that accepts and never answers', () => {
  test('costs a call its attempt time-out and no more; its connection is closed', async () => {
    const asked = deferred();
    const gone = deferred();
    await using hung = await serveRaw(socket => {
      socket.once('data', () => asked.resolve());
      socket.once('close', () => gone.resolve());
    });
    await using good = await hello();
    const { fetch, clock, outcomes } = over([hung, good], { attemptTimeout: 1000 });
    // In turn, from a random first: of two calls, one meets it.
    const calls = [fetch('/'), fetch('/')];
    await asked.promise;
    await Promise.race(calls);
    await clock.advance(1000);
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200]);
    expect(outcomes(hung)).toEqual(['failure']);
    await gone.promise;
  });

  test('is not sent a POST elsewhere: it may have been carried out', async () => {
    const asked = deferred();
    await using hung = await serveRaw(socket => socket.once('data', () => asked.resolve()));
    const { fetch, clock } = over([hung], { attemptTimeout: 1000 });
    const fate = watch(fetch('/', { method: 'POST', body: 'x' }));
    await asked.promise;
    await clock.advance(1000);
    expect(fate).toMatchObject({ state: 'rejected', value: { code: 'TIMEOUT' } });
  });

  test('lets go of a caller who aborts', async () => {
    const asked = deferred();
    const gone = deferred();
    await using hung = await serveRaw(socket => {
      socket.once('data', () => asked.resolve());
      socket.once('close', () => gone.resolve());
    });
    const { fetch, outcomes } = over([hung]);
    const controller = new AbortController();
    const call = fetch('/', { signal: controller.signal });
    await asked.promise;
    controller.abort('enough');
    await expect(call).rejects.toBe('enough');
    await gone.promise;
    expect(outcomes(hung)).toEqual(['ignored']);
  });
});

test('a slow server keeps the call it has; the others go past it', async () => {
  const asked = deferred();
  const release = deferred();
  let slowCalls = 0;
  await using slow = await serve(async (_, response) => {
    slowCalls++;
    asked.resolve();
    await release.promise;
    response.end('hello');
  });
  await using quick = await hello();
  const { fetch, outcomes } = over([slow, quick], { balancer: undefined }); // by cost, as by default
  const first = [fetch('/'), fetch('/')]; // newcomers get one each
  await asked.promise;
  await Promise.race(first);
  await allWell(fetch, 30);
  expect(slowCalls).toBe(1);
  release.resolve();
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
  expect(outcomes(slow)).toEqual(['success']);
});

describe('a server that answers 503', () => {
  const overloaded = (): Promise<Running> =>
    serve((_, response) => response.writeHead(503).end('x'.repeat(100_000)));

  test('costs no GET, and five answers open its breaker', async () => {
    await using bad = await overloaded();
    await using good = await hello();
    const { fetch, outcomes, state } = over([bad, good]);
    await allWell(fetch, 30);
    expect(outcomes(bad)).toEqual(Array(5).fill('failure'));
    expect(state(bad)).toBe('open');
  });

  test('is heard in full when all do', async () => {
    await using a = await overloaded();
    await using b = await overloaded();
    const { fetch, clock } = over([a, b], { attemptTimeout: Infinity });
    const response = await meanwhile(clock, fetch('/'));
    expect(response.status).toBe(503);
    expect(await response.text()).toHaveLength(100_000);
  });
});

describe('a kept-alive connection that is closed just when it is used again', () => {
  /** Answers the first request on each connection, and closes the connection upon the second. */
  const impatient = (count: { first: number; again: number }): Promise<Running> => {
    const known = new WeakSet<Socket>();
    return serve((request, response) => {
      if (known.has(request.socket)) {
        count.again++;
        request.socket.destroy();
      } else {
        known.add(request.socket);
        count.first++;
        response.end('hello');
      }
    });
  };

  test('costs no GET', async () => {
    const count = { first: 0, again: 0 };
    await using bad = await impatient(count);
    await using good = await hello();
    const { fetch } = over([bad, good]);
    await allWell(fetch, 20);
    expect(count.again).toBeGreaterThan(0); // or else nothing has been shown
  });

  test('is not sent a POST a second time', async () => {
    const count = { first: 0, again: 0 };
    await using bad = await impatient(count);
    const { fetch } = over([bad], { breaker: false });
    let failed = 0;
    for (let i = 0; i < 20; i++) {
      const error = await fetch('/', { method: 'POST', body: 'x' }).then(
        async response => void (await response.text()),
        error => error,
      );
      if (error !== undefined) failed++;
    }
    expect(failed).toBeGreaterThan(0);
    expect(failed).toBe(count.again);
    expect(count.first + count.again).toBe(20);
  });
});

describe('a server that is killed and comes back on the same port', () => {
  async function child(port: number) {
    const process = fork(fileURLToPath(new URL('./child-server.mjs', import.meta.url)), [String(port)], {
      execArgv: [],
    });
    await once(process, 'message'); // it listens
    return {
      process,
      asked: (path: string) =>
        new Promise<void>(resolve => {
          process.on('message', message => {
            if (message === path) resolve();
          });
        }),
      async kill() {
        const exited = once(process, 'exit');
        process.kill('SIGKILL');
        await exited;
      },
      [Symbol.asyncDispose]: async () => void process.kill('SIGKILL'),
    };
  }

  test('costs no call, not even the one it was about to answer, and gets its share again', async () => {
    const port = await lastingPort();
    const restarted = { id: `127.0.0.1:${port}` };
    await using first = await child(port);
    await using good = await serve((_, response) => response.end('good'));
    const { fetch, clock, outcomes, state } = over([restarted, good]);
    const answers = async (calls: number): Promise<Set<string>> => {
      const seen = new Set<string>();
      for (let i = 0; i < calls; i++) seen.add(await (await fetch('/')).text());
      return seen;
    };
    expect(await answers(10)).toEqual(new Set(['good', String(first.process.pid)]));

    // Of two calls in turn one meets it, and is being served when it dies.
    const asked = first.asked('/hang');
    const hanging = Promise.all([fetch('/hang'), fetch('/hang')]);
    await asked;
    await first.kill();
    expect(await Promise.all((await hanging).map(response => response.text()))).toEqual(['good', 'good']);
    expect(await answers(20)).toEqual(new Set(['good']));
    expect(state(restarted)).toBe('open');

    await using second = await child(port);
    expect(await answers(10)).toEqual(new Set(['good'])); // its time is not up yet
    await clock.advance(1200); // open for 1000 ms, give or take a fifth
    expect(await answers(10)).toEqual(new Set(['good', String(second.process.pid)]));
    expect(state(restarted)).toBe('closed');
    expect(outcomes(restarted).at(-1)).toBe('success');
  });
});

describe('when all servers were down and come up again', () => {
  async function outage(options: Partial<FetchOptions>) {
    const ports = [await lastingPort(), await lastingPort()];
    const service = over(
      ports.map(port => ({ id: `127.0.0.1:${port}` })),
      options,
    );
    const recover = () => Promise.all(ports.map(port => serve((_, response) => response.end('hello'), port)));
    return { ...service, recover };
  }

  test('the first call succeeds at once, for with all breakers open every server is tried', async () => {
    const { fetch, clock, recover, state } = await outage({ attemptTimeout: Infinity });
    for (let i = 0; i < 10; i++) await expect(meanwhile(clock, fetch('/'))).rejects.toThrow('fetch failed');
    const [a, b] = await recover();
    await using _ = a!;
    await using __ = b!;
    expect([state(a!), state(b!)]).toEqual(['open', 'open']);
    await allWell(fetch, 1);
    await clock.advance(30_000 * 1.2); // the longest that a breaker stays open
    await allWell(fetch, 4);
    expect([state(a!), state(b!)]).toEqual(['closed', 'closed']);
  });

  test('without panic, calls fail at once while the breakers are open, and the first probe succeeds', async () => {
    const { fetch, clock, recover, state } = await outage({ panic: false, policies: [] });
    for (let i = 0; i < 10; i++) await expect(fetch('/')).rejects.toThrow('fetch failed');
    const [a, b] = await recover();
    await using _ = a!;
    await using __ = b!;
    await expect(fetch('/')).rejects.toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
    await clock.advance(1000 * 1.2); // how long a breaker stays open the first time
    await allWell(fetch, 4);
    expect([state(a!), state(b!)]).toEqual(['closed', 'closed']);
  });
});

describe("the caller's own mistakes, as Node's fetch tells of them, blame nobody", () => {
  const breaksOff = (): Readable =>
    new Readable({
      read() {
        this.push('x');
        this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })); // as a client's upload that is passed on
      },
    });
  const used = async (): Promise<SomeBody> => {
    const readable = Readable.from(['x']);
    await readable.toArray();
    return readable as unknown as SomeBody;
  };

  test.each<[string, () => RequestInit | Promise<RequestInit>]>([
    ['a bad header', () => ({ headers: { 'no such': 'x' } })],
    ['a body with GET', () => ({ method: 'GET', body: 'x' })],
    ['a content-length that is wrong', () => ({ body: 'x', headers: { 'content-length': '7' } })],
    ['a header that fetch keeps to itself', () => ({ body: 'x', headers: { expect: '100-continue' } })],
    ['a Node stream that was read', async () => ({ body: await used() })],
    ['a Node stream that breaks off', () => ({ body: breaksOff() as unknown as SomeBody })],
    ['a web stream that breaks off', () => ({ body: Readable.toWeb(breaksOff()) as unknown as SomeBody })],
  ])('%s', async (_, init) => {
    await using good = await serve((request, response) =>
      request.resume().on('end', () => response.end('hello')),
    );
    const { fetch, outcomes } = over([good]);
    await expect(fetch('/', { method: 'PUT', ...(await init()) })).rejects.toThrow();
    expect(outcomes(good)).toEqual(['ignored']);
    await allWell(fetch, 1);
  });
});

describe('what a server receives', () => {
  /** Answers 503 to every first request, and keeps what it got. */
  async function recorder() {
    const got: {
      readonly length: string | undefined;
      readonly encoding: string | undefined;
      readonly body: string;
    }[] = [];
    const server = await serve(async (request, response) => {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
      got.push({
        length: request.headers['content-length'],
        encoding: request.headers['transfer-encoding'],
        body,
      });
      response.writeHead(got.length === 1 ? 503 : 200).end('hello');
    });
    return { server, got };
  }

  test('of the string body of a Request is its length and every byte, both times', async () => {
    const { server, got } = await recorder();
    await using _ = server;
    const { fetch, clock } = over([server], { attemptTimeout: Infinity });
    const response = fetch(new Request('http://users/', { method: 'PUT', body: 'hëllo' }));
    expect((await meanwhile(clock, response)).status).toBe(200);
    expect(got).toEqual(Array(2).fill({ length: '6', encoding: undefined, body: 'hëllo' }));
  });

  test('of a live upload is what has been made so far, before the rest exists', async () => {
    const begun = deferred<string>();
    await using server = await serve(async (request, response) => {
      const chunks = request.setEncoding('utf8')[Symbol.asyncIterator]();
      begun.resolve((await chunks.next()).value);
      response.end((await chunks.next()).value);
    });
    const { fetch, clock } = over([server], { attemptTimeout: Infinity });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const call = meanwhile(
      clock,
      fetch(new Request('http://users/', { method: 'PUT', body: readable, duplex: 'half' })),
    );
    await writer.write(new TextEncoder().encode('first'));
    expect(await begun.promise).toBe('first');
    void writer.write(new TextEncoder().encode('second'));
    void writer.close();
    expect(await (await call).text()).toBe('second');
  });
});

test("an abort while the body is being read ends the reading with the caller's reason, and the connection", async () => {
  for (const timeout of [Infinity, 60_000]) {
    const gone = deferred();
    await using server = await serve((_, response) => {
      response.on('close', () => gone.resolve());
      response.write('hel');
    });
    const { fetch } = over([server], { timeout });
    const controller = new AbortController();
    const response = await fetch('/', { signal: controller.signal });
    const reader = response.body!.getReader();
    await reader.read();
    const rest = reader.read();
    controller.abort(new Error('enough'));
    await expect(rest).rejects.toThrow('enough');
    await gone.promise;
  }
});
