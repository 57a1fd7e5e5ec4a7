import { createFetch, type FetchOptions, fixed } from 'fairlead';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { watch } from '../helpers.ts';
import { type Answer, bytesOf, type Fake, faked } from './fake.ts';
import { serve, serveRaw } from './servers.ts';

vi.setConfig({ testTimeout: 60_000 });

/** A body that a test sends piece by piece. */
class Piecemeal {
  readonly cancelled: unknown[] = [];
  readonly response: Response;
  #controller!: ReadableStreamDefaultController<Uint8Array>;

  constructor(headers: Record<string, string> = {}) {
    const body = new ReadableStream<Uint8Array>({
      start: controller => {
        this.#controller = controller;
      },
      cancel: reason => void this.cancelled.push(reason),
    });
    this.response = new Response(body, { headers });
  }

  send(bytes: number): void {
    this.#controller.enqueue(new Uint8Array(bytes).fill(7));
  }

  end(): void {
    this.#controller.close();
  }

  breakOff(): void {
    this.#controller.error(new TypeError('terminated'));
  }
}

/** A network that answers with such a body first, and well after that. */
function piecemeal(options: Partial<FetchOptions> = {}, headers?: Record<string, string>) {
  const body = new Piecemeal(headers);
  const answer: Answer = (_, n) => (n === 1 ? body.response : new Response('well'));
  return { body, ...faked(answer, { buffer: 100, ...options }) };
}

describe('a body that breaks off within the buffer', () => {
  const brokenOff = async (method: string, options: Partial<FetchOptions> = {}) => {
    const { body, fetch, outcomes, sent } = piecemeal(options);
    const fate = watch(fetch('/v1', { method }));
    await settled();
    body.send(10);
    body.breakOff();
    await settled();
    return { fate, outcomes: outcomes(), sent: sent.length };
  };

  test('is a failure of its member, and the call is repeated at another before the caller has any of it', async () => {
    const { fate, outcomes } = await brokenOff('GET');
    expect(outcomes).toEqual(['failure', 'success']);
    expect(await (fate.value as Response).text()).toBe('well');
  });

  test('is a failure of its member for a request that may not be repeated, too, and is not repeated', async () => {
    const { fate, outcomes, sent } = await brokenOff('POST');
    expect({ outcomes, sent }).toEqual({ outcomes: ['failure'], sent: 1 });
    expect(fate).toMatchObject({ state: 'rejected', value: { message: 'terminated' } });
  });

  test('reaches the caller where there is no buffer', async () => {
    const { fate, outcomes, sent } = await brokenOff('GET', { buffer: 0 });
    expect({ outcomes, sent }).toEqual({ outcomes: ['success'], sent: 1 });
    await expect((fate.value as Response).text()).rejects.toThrow('terminated');
  });
});

test('a body that stops within the buffer is late as its attempt is, and its request is aborted', async () => {
  const { body, fetch, clock, outcomes, sent } = piecemeal({ attemptTimeout: 500 });
  const fate = watch(fetch('/v1'));
  await settled();
  body.send(10);
  await clock.advance(499);
  expect({ state: fate.state, outcomes: outcomes() }).toEqual({ state: 'pending', outcomes: [] });
  await clock.advance(2);
  expect(sent[0]!.init.signal!.aborted).toBe(true);
  expect(outcomes()).toEqual(['failure', 'success']);
  expect(await (fate.value as Response).text()).toBe('well');
});

describe('a body is handed on as it comes', () => {
  /** Whether the caller has the response. */
  const isThere = async ({ fetch }: Pick<Fake, 'fetch'>) => {
    const fate = watch(fetch('/v1'));
    await settled();
    return fate;
  };

  test('once it is longer than the buffer; that it breaks off later is no failure of the member', async () => {
    const { body, outcomes, ...fake } = piecemeal();
    const fate = await isThere(fake);
    body.send(60);
    body.send(40);
    await settled();
    expect(fate.state).toBe('pending');
    body.send(1);
    await settled();
    expect(fate.state).toBe('resolved');
    expect(outcomes()).toEqual(['success']);
    const reader = (fate.value as Response).body!.getReader();
    let size = 0;
    while (size < 101) size += (await reader.read()).value!.length;
    body.send(5);
    expect((await reader.read()).value).toEqual(new Uint8Array(5).fill(7));
    body.breakOff();
    await expect(reader.read()).rejects.toThrow('terminated');
  });

  test('at once if its head tells that it will be', async () => {
    expect((await isThere(piecemeal({}, { 'content-length': '101' }))).state).toBe('resolved');
    expect((await isThere(piecemeal({}, { 'content-length': '100' }))).state).toBe('pending');
  });

  test('at once if it is a stream of events', async () => {
    const type = 'Text/Event-Stream; charset=utf-8';
    expect((await isThere(piecemeal({}, { 'content-type': type }))).state).toBe('resolved');
    expect((await isThere(piecemeal({}, { 'content-type': 'text/event-streams' }))).state).toBe('pending');
  });

  test('and its source is cancelled when the caller cancels it', async () => {
    const { body, ...fake } = piecemeal();
    const fate = await isThere(fake);
    body.send(101);
    await settled();
    await (fate.value as Response).body!.cancel('enough');
    expect(body.cancelled).toHaveLength(1);
  });
});

test('whatever its pieces and the buffer, the caller has every byte in its order', async () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat(200), async (chunks, buffer) => {
      const { fetch } = faked(
        () =>
          new Response(
            new ReadableStream({
              start(controller) {
                for (const chunk of chunks) controller.enqueue(chunk);
                controller.close();
              },
            }),
          ),
        { buffer },
      );
      const response = await fetch('/v1');
      expect([...(await bytesOf(response.body))]).toEqual(chunks.flatMap(chunk => [...chunk]));
    }),
  );
});

test.each([204, 304])('an answer that has no body (%i) is there at once', async status => {
  const { fetch } = faked(() => new Response(null, { status }), { buffer: 100 });
  expect((await fetch('/v1')).status).toBe(status);
});

describe('over real sockets', () => {
  test('the response is the one that `fetch` gave: status, headers, URL and body', async () => {
    await using server = await serve((_, response) => {
      response.writeHead(203, { 'x-there': 'yes' });
      response.write('hel');
      setImmediate(() => response.end('lo'));
    });
    const fetch = createFetch({ discovery: fixed([server.id]), buffer: 100 });
    const response = await fetch('http://service/v1?a=b');
    const { status, url, redirected, bodyUsed, headers } = response;
    expect({ status, url, redirected, bodyUsed }).toEqual({
      status: 203,
      url: `http://${server.id}/v1?a=b`,
      redirected: false,
      bodyUsed: false,
    });
    expect(headers.get('x-there')).toBe('yes');
    expect(await response.clone().text()).toBe('hello');
    expect(await response.text()).toBe('hello');
  });

  test('a connection that is reset in the body costs no call', async () => {
    await using good = await serve((_, response) => response.end('hello'));
    await using bad = await serveRaw(socket => {
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe');
        setTimeout(() => socket.resetAndDestroy(), 5);
      });
    });
    const failures: unknown[] = [];
    const fetch = createFetch({ discovery: fixed([good.id, bad.id]), buffer: 100 });
    fetch.client.on('attemptEnd', ({ endpoint, outcome }) => {
      if (outcome === 'failure') failures.push(endpoint.id);
    });
    for (let i = 0; i < 20; i++) expect(await (await fetch('/')).text()).toBe('hello');
    expect(new Set(failures)).toEqual(new Set([bad.id]));
  });

  test('an abort by the caller ends the wait for the body at once, and blames nobody', async () => {
    let closed = (): void => {};
    const gone = new Promise<void>(resolve => {
      closed = resolve;
    });
    const controller = new AbortController();
    await using server = await serve((_, response) => {
      response.on('close', closed);
      response.write('he', () => setImmediate(() => controller.abort('enough')));
    });
    const fetch = createFetch({ discovery: fixed([server.id]), buffer: 100 });
    const outcomes: unknown[] = [];
    fetch.client.on('attemptEnd', ({ outcome }) => outcomes.push(outcome));
    await expect(fetch('/', { signal: controller.signal })).rejects.toBe('enough');
    await gone;
    expect(outcomes).toEqual(['ignored']);
  });

  test('what a redirect led to is not held: a body that breaks off there is no failure of the member', async () => {
    await using elsewhere = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 5 });
      response.write('he', () => setTimeout(() => response.destroy(), 5));
    });
    await using server = await serve((_, response) =>
      response.writeHead(302, { location: `http://${elsewhere.id}/` }).end(),
    );
    const fetch = createFetch({ discovery: fixed([server.id]), buffer: 100 });
    const outcomes: unknown[] = [];
    fetch.client.on('attemptEnd', ({ outcome }) => outcomes.push(outcome));
    const response = await fetch('/');
    expect(outcomes).toEqual(['success']);
    await expect(response.text()).rejects.toThrow();
  });
});

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '1'])('a buffer of %s is refused', buffer => {
  expect(() => faked(undefined, { buffer: buffer as number })).toThrow(/buffer/);
});
