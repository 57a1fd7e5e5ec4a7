import { Readable } from 'node:stream';
import { type Balancer, createFetch, fixed } from 'fairlead';
import { settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { watch } from '../helpers.ts';
import { type Answer, faked, never, ok, type SomeBody, socketError, textOf, unavailable } from './fake.ts';
import { refusing, serve, serveRaw } from './servers.ts';

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Two pieces, and whether the source was told to stop. */
function streamed(): { readonly body: ReadableStream; readonly told: { reason?: unknown; read: number } } {
  const told: { reason?: unknown; read: number } = { read: 0 };
  const pieces = ['hello ', 'world'];
  const body = new ReadableStream(
    {
      pull(controller) {
        told.read++;
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(bytes(piece));
      },
      cancel(reason) {
        told.reason = reason;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, told };
}

async function* generated(): AsyncGenerator<Uint8Array> {
  yield bytes('hello ');
  yield bytes('world');
}

const KINDS: readonly (readonly [string, () => SomeBody])[] = [
  ['ReadableStream', () => streamed().body],
  ['async generator', () => generated() as unknown as SomeBody],
  ["Node's Readable", () => Readable.from([bytes('hello '), bytes('world')]) as unknown as SomeBody],
  [
    'the stream of a Request',
    () => new Request('http://users/', { method: 'PUT', body: streamed().body, duplex: 'half' }).body!,
  ],
];

/** The members in their order. */
const inOrder: Balancer = {
  picker: members => (call, now) => members.find(member => call.accepts(member, now)),
};

describe.each(KINDS)('a body of which nothing was read (%s), over real sockets', (_, make) => {
  test.each(['POST', 'PUT'])('goes with its %s past an instance that refuses, whole', async method => {
    await using closed = await refusing();
    const got: string[] = [];
    await using open = await serve(async (request, response) => {
      let text = '';
      for await (const chunk of request.setEncoding('utf8')) text += chunk;
      got.push(`${request.method} ${text}`);
      response.end('ok');
    });
    const ids = [closed.id, open.id].sort();
    const balancer: Balancer = {
      picker: members => inOrder.picker(closed.id === ids[0] ? members : [...members].reverse(), undefined!),
    };
    await using fetch = createFetch({ discovery: fixed([closed.id, open.id]), balancer });
    const response = await fetch('/v1', { method, body: make() });
    expect([response.status, await response.text()]).toEqual([200, 'ok']);
    expect(got).toEqual([`${method} hello world`]);
  });

  test('is not sent again once an instance may have it', async () => {
    let connections = 0;
    const rude = (): ReturnType<typeof serveRaw> =>
      serveRaw(socket => {
        connections++;
        socket.once('data', () => socket.destroy());
      });
    await using one = await rude();
    await using two = await rude();
    await using fetch = createFetch({ discovery: fixed([one.id, two.id]) });
    const reasons: string[] = [];
    fetch.client.on('giveUp', ({ reason }) => reasons.push(reason));
    await expect(fetch('/v1', { method: 'PUT', body: make(), repeatable: true })).rejects.toThrow(
      'fetch failed',
    );
    expect(reasons).toEqual(['not-repeatable']);
    expect(connections).toBe(1);
  });
});

describe('a stream', () => {
  /** Refuses so many times, then reads the body. */
  const refusingFirst =
    (times: number, got: string[]): Answer =>
    async ({ init }, n) => {
      if (n <= times) throw socketError('ECONNREFUSED');
      got.push(await textOf(init.body));
      return new Response('ok');
    };

  test.each(KINDS.slice(0, 3))(
    '(%s) is given to each attempt as new while none has read of it',
    async (_, make) => {
      const got: string[] = [];
      const { fetch, sent } = faked(refusingFirst(2, got), { protocol: 'http' });
      const init = { method: 'POST', body: make(), redirect: 'manual' } as const;
      expect((await fetch('/v1', init)).status).toBe(200);
      expect(sent).toHaveLength(3);
      expect(got).toEqual(['hello world']);
    },
  );

  test.each(KINDS.slice(0, 2))('(%s) survives a network that stops it unread', async (_, make) => {
    const got: string[] = [];
    const { fetch } = faked(async (request, n) => {
      const body = request.init.body as unknown as ReadableStream | AsyncGenerator;
      if (n === 1)
        await ('cancel' in body ? body.cancel('no') : body[Symbol.asyncIterator]().return(undefined));
      return refusingFirst(1, got)(request, n);
    });
    const init = { method: 'POST', body: make(), redirect: 'manual' } as const;
    expect((await fetch('/v1', init)).status).toBe(200);
    expect(got).toEqual(['hello world']);
  });

  test.each(KINDS.slice(0, 3))(
    '(%s) is gone once a piece was read, though the error says that nothing was sent',
    async (_, make) => {
      const { fetch, sent, lines } = faked(async ({ init }) => {
        const body = init.body as unknown as ReadableStream & AsyncIterable<unknown>;
        if ('getReader' in body) await body.getReader().read();
        else await (body as AsyncIterable<unknown>)[Symbol.asyncIterator]().next();
        throw socketError('ECONNREFUSED');
      });
      const init = { method: 'PUT', body: make(), redirect: 'manual' } as const;
      await expect(fetch('/v1', init)).rejects.toThrow('fetch failed');
      expect(sent).toHaveLength(1);
      expect(lines.at(-1)).toBe('giveUp not-repeatable');
    },
  );

  test('is gone for a classifier of the user, too, that knows only of errors', async () => {
    const { fetch, sent } = faked(
      async ({ init }) => {
        await (init.body as ReadableStream).getReader().read();
        throw socketError('ECONNREFUSED');
      },
      { classifier: { value: () => 'success', error: () => 'failure', unsent: () => true } },
    );
    await expect(fetch('/v1', { method: 'PUT', body: streamed().body })).rejects.toThrow('fetch failed');
    expect(sent).toHaveLength(1);
  });

  test('is not repeated after an answer, for the head of the request was sent', async () => {
    const { fetch, sent } = faked(unavailable);
    expect((await fetch('/v1', { method: 'PUT', body: streamed().body })).status).toBe(503);
    expect(sent).toHaveLength(1);
  });

  test.each([
    [0, 'ReadableStream'],
    [1, 'async generator'],
  ])('gives nothing to an attempt that is over (kind %i: %s)', async kind => {
    const got: string[] = [];
    const { fetch, sent } = faked(refusingFirst(1, got));
    await fetch('/v1', { method: 'POST', body: KINDS[kind]![1](), redirect: 'manual' });
    await expect(textOf(sent[0]!.init.body)).rejects.toThrow('sent by another attempt');
    expect(got).toEqual(['hello world']);
  });

  test('that no attempt could send is cancelled with the error that the caller gets', async () => {
    const { body, told } = streamed();
    const { fetch, sent } = faked(() => Promise.reject(socketError('ECONNREFUSED')));
    const error = await fetch('/v1', { method: 'POST', body, redirect: 'manual' }).catch((e: unknown) => e);
    expect(sent).toHaveLength(3);
    expect(told).toEqual({ reason: error, read: 0 });
  });

  test('is cancelled if the network does so before it answers, or after, without having read it', async () => {
    const early = streamed();
    const one = faked(async (request, n) => {
      await (request.init.body as ReadableStream).cancel('not wanted');
      return ok(request, n);
    });
    await one.fetch('/v1', { method: 'PUT', body: early.body });
    await settled();
    expect(early.told).toEqual({ reason: 'not wanted', read: 0 });
    const late = streamed();
    const two = faked(ok);
    await two.fetch('/v1', { method: 'PUT', body: late.body });
    expect(late.told).toEqual({ read: 0 });
    await (two.sent[0]!.init.body as ReadableStream).cancel('not wanted');
    expect(late.told).toEqual({ reason: 'not wanted', read: 0 });
  });

  test('that an attempt stops after the next has begun goes on', async () => {
    const { body, told } = streamed();
    const got: string[] = [];
    const { fetch, sent } = faked(async ({ init }, n) => {
      if (n === 1) throw socketError('ECONNREFUSED');
      for await (const piece of init.body as ReadableStream<Uint8Array>) {
        got.push(new TextDecoder().decode(piece));
        if (got.length === 1) await (sent[0]!.init.body as ReadableStream).cancel('too late');
      }
      return new Response('ok');
    });
    await fetch('/v1', { method: 'POST', body, redirect: 'manual' });
    expect(got).toEqual(['hello ', 'world']);
    expect(told.reason).toBeUndefined();
  });

  test('that one attempt stopped unread is not stopped once another, which leaves it alone, has an answer', async () => {
    const { body, told } = streamed();
    const { fetch, sent } = faked(async (request, n) => {
      if (n > 1) return ok(request, n);
      await (request.init.body as ReadableStream).cancel('not wanted');
      throw socketError('ECONNREFUSED');
    });
    await fetch('/v1', { method: 'POST', body, redirect: 'manual' });
    expect(sent).toHaveLength(2);
    expect(told).toEqual({ read: 0 });
  });

  test('that is stopped half-way is stopped at once, or with the call that fails', async () => {
    const early = streamed();
    const one = faked(async ({ init }) => {
      const reader = (init.body as ReadableStream).getReader();
      await reader.read();
      await reader.cancel('enough');
      expect(early.told).toEqual({ reason: 'enough', read: 1 });
      return new Response('ok');
    });
    await one.fetch('/v1', { method: 'PUT', body: early.body });
    const late = streamed();
    const reset = socketError('ECONNRESET');
    const two = faked(async ({ init }) => {
      await (init.body as ReadableStream).getReader().read();
      throw reset;
    });
    await expect(two.fetch('/v1', { method: 'PUT', body: late.body })).rejects.toBe(reset);
    expect(late.told).toEqual({ reason: reset, read: 1 });
  });

  test('gives its bytes alone, to whatever reader, and leaves those of its owner whole', async () => {
    const pieces = [bytes(''), bytes('hel'), bytes(''), bytes('lo')];
    const body = new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece);
        controller.close();
      },
    });
    const { fetch } = faked(async ({ init }) => {
      const reader = (init.body as ReadableStream).getReader({ mode: 'byob' });
      let text = '';
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(10));
        if (done) return new Response(text);
        text += new TextDecoder().decode(value);
      }
    });
    expect(await (await fetch('/v1', { method: 'PUT', body })).text()).toBe('hello');
    expect(pieces.map(({ length }) => length)).toEqual([0, 3, 0, 2]);
  });

  test('of Node that the network has destroyed unread is not sent again, for nothing is left', async () => {
    const body = Readable.from([bytes('hello')]);
    const { fetch, sent } = faked(({ init }) => {
      (init.body as unknown as Readable).destroy();
      return Promise.reject(socketError('ECONNREFUSED'));
    });
    const init = { method: 'POST', body: body as unknown as SomeBody, redirect: 'manual' } as const;
    await expect(fetch('/v1', init)).rejects.toThrow('fetch failed');
    expect(sent).toHaveLength(1);
  });

  test('is not repeated after a time-out, for who knows what was sent', async () => {
    const { fetch, sent, clock } = faked(never, { attemptTimeout: 100 });
    const fate = watch(fetch('/v1', { method: 'PUT', body: streamed().body }));
    await settled();
    await clock.advance(100);
    expect(fate.value).toMatchObject({ code: 'TIMEOUT' });
    expect(sent).toHaveLength(1);
  });

  test('whose generator throws is at fault itself', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield bytes('hel');
      throw new Error('gone');
    }
    const { fetch, outcomes } = faked(async ({ init }) => {
      try {
        for await (const _ of init.body as unknown as AsyncIterable<unknown>);
      } catch (cause) {
        throw new TypeError('fetch failed', { cause });
      }
      return new Response('ok');
    });
    const body = broken() as unknown as SomeBody;
    await expect(fetch('/v1', { method: 'PUT', body })).rejects.toThrow('fetch failed');
    expect(outcomes()).toEqual(['ignored']);
  });
});
