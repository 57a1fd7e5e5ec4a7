import type { BalancedInit } from 'fairlead';
import { scriptedDiscovery, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { watch } from '../helpers.ts';
import {
  type Answer,
  bytesOf,
  failing,
  faked,
  never,
  ok,
  type Sent,
  type SomeBody,
  socketError,
  textOf,
  unavailable,
} from './fake.ts';

const POST = { method: 'POST', repeatable: true } as const;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** 503 twice, then 200; reads each request's body, as a network does. */
function reading(bodies: string[]): Answer {
  return async ({ init }, n) => {
    bodies.push(await textOf(init.body));
    return new Response(null, { status: n < 3 ? 503 : 200 });
  };
}

describe('a body is sent the same each time, whatever its owner does to it once fetch has returned', () => {
  /** Sends what `make` makes, spoils it at once, and answers what arrived. */
  async function arrived<B>(body: B, spoil: (body: B) => void): Promise<string[]> {
    const bodies: string[] = [];
    const { fetch } = faked(reading(bodies));
    const call = fetch('/v1', { ...POST, body: body as SomeBody });
    spoil(body);
    expect((await call).status).toBe(200);
    return bodies;
  }
  const thrice = ['hello', 'hello', 'hello'];

  test('a string', async () => {
    expect(await arrived('hello', () => {})).toEqual(thrice);
  });
  test('bytes', async () => {
    expect(await arrived(bytes('hello'), body => body.fill(0))).toEqual(thrice);
  });
  test('a part of a buffer', async () => {
    const buffer = bytes('-hello-');
    expect(await arrived(buffer.subarray(1, 6), () => buffer.fill(0))).toEqual(thrice);
    const other = bytes('-hello-');
    expect(await arrived(new DataView(other.buffer, 1, 5), () => other.fill(0))).toEqual(thrice);
  });
  test('a Buffer', async () => {
    expect(await arrived(Buffer.from('hello'), body => body.fill(0))).toEqual(thrice);
  });
  test('an ArrayBuffer', async () => {
    expect(await arrived(bytes('hello').buffer, body => new Uint8Array(body).fill(0))).toEqual(thrice);
  });
  test('a Blob', async () => {
    expect(await arrived(new Blob(['hel', 'lo']), () => {})).toEqual(thrice);
  });
  test('URLSearchParams', async () => {
    const body = new URLSearchParams({ a: '1', b: 'ü &' });
    const bodies = await arrived(body, body => body.set('a', '2'));
    expect(bodies).toEqual(Array(3).fill('a=1&b=%C3%BC+%26'));
  });
  test('a form with a file', async () => {
    const body = new FormData();
    body.append('a', '1');
    body.append('a', '2');
    body.append('file', new File(['hello'], 'hello.txt', { type: 'text/plain' }));
    const forms: FormData[] = [];
    const { fetch } = faked(async ({ init }, n) => {
      forms.push(await new Response(init.body).formData());
      return new Response(null, { status: n < 3 ? 503 : 200 });
    });
    const call = fetch('/v1', { ...POST, body });
    body.set('a', 'spoilt');
    body.delete('file');
    await call;
    expect(forms).toHaveLength(3);
    for (const form of forms) {
      expect(form.getAll('a')).toEqual(['1', '2']);
      const file = form.get('file') as File;
      expect([file.name, file.type, await file.text()]).toEqual(['hello.txt', 'text/plain', 'hello']);
    }
  });

  test('headers as well', async () => {
    const record: Record<string, string> = { a: '1' };
    const pairs: [string, string][] = [['a', '1']];
    const headers = new Headers({ a: '1' });
    for (const given of [record, pairs, headers]) {
      const seen: unknown[] = [];
      const { fetch } = faked(({ init }, n) => {
        seen.push(new Headers(init.headers).get('a'));
        return failing(2)({ url: '', init }, n);
      });
      const call = fetch('/v1', { headers: given });
      record['a'] = '2';
      pairs[0]![1] = '2';
      headers.set('a', '2');
      await call;
      expect(seen).toEqual(['1', '1', '1']);
      record['a'] = pairs[0]![1] = '1';
      headers.set('a', '1');
    }
  });

  test('while a call waits for the first set, too', async () => {
    const { discovery, set } = scriptedDiscovery();
    const { fetch, sent } = faked(ok, { discovery });
    const body = bytes('hello');
    const headers = new Headers({ a: '1' });
    const call = fetch('/v1', { ...POST, body, headers });
    body.fill(0);
    headers.set('a', '2');
    set([{ id: 'a', host: 'a.test', port: 80 }]);
    await call;
    expect(text(await bytesOf(sent[0]!.init.body))).toBe('hello');
    expect(new Headers(sent[0]!.init.headers).get('a')).toBe('1');
  });
});

describe('the body of a Request', () => {
  test.each<[string, () => SomeBody]>([
    ['a string', () => 'hello'],
    ['bytes', () => bytes('hello')],
    ['a blob', () => new Blob(['hello'])],
  ])('made from %s is known whole, with its length, and sent again', async (_, make) => {
    const bodies: string[] = [];
    const { fetch, sent } = faked(reading(bodies));
    const request = new Request('http://users/v1', { method: 'PUT', body: make() });
    expect((await fetch(request)).status).toBe(200);
    expect(bodies).toEqual(['hello', 'hello', 'hello']);
    for (const { init } of sent) expect(init.body).toBeInstanceOf(Uint8Array);
    expect(request.bodyUsed).toBe(true);
  });

  test('keeps its content type', async () => {
    const { fetch, sent } = faked();
    await fetch(new Request('http://users/v1', { method: 'PUT', body: new URLSearchParams({ a: '1' }) }));
    expect(new Headers(sent[0]!.init.headers).get('content-type')).toMatch(
      /^application\/x-www-form-urlencoded/,
    );
  });

  test('that is a form is sent byte for byte the same', async () => {
    const form = new FormData();
    form.append('file', new File(['hello'], 'hello.txt'));
    const bodies: string[] = [];
    const { fetch, sent } = faked(reading(bodies));
    await fetch(new Request('http://users/v1', { method: 'PUT', body: form }));
    expect(bodies).toHaveLength(3);
    expect(new Set(bodies).size).toBe(1);
    const type = new Headers(sent[2]!.init.headers).get('content-type')!;
    const back = await new Response(bodies[2], { headers: { 'content-type': type } }).formData();
    expect(await (back.get('file') as File).text()).toBe('hello');
  });

  test('in one piece is repeated however large it is', async () => {
    const large = 'x'.repeat(3 << 20);
    const bodies: string[] = [];
    const { fetch } = faked(reading(bodies));
    await fetch(new Request('http://users/v1', { method: 'PUT', body: large }));
    expect(bodies.map(body => body.length)).toEqual([3 << 20, 3 << 20, 3 << 20]);
  });

  test('that comes in pieces to more than 1 MiB is sent whole, and once', async () => {
    const piece = new Uint8Array(300_000).map((_, i) => i);
    let left = 5;
    const stream = new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(piece);
        else controller.close();
      },
    });
    const got: Uint8Array[] = [];
    const { fetch, sent } = faked(async ({ init }) => {
      got.push(await bytesOf(init.body));
      return new Response(null, { status: 503 });
    });
    const init = { method: 'PUT', body: stream, duplex: 'half' } as const;
    expect((await fetch(new Request('http://users/v1', init))).status).toBe(503);
    expect(sent).toHaveLength(1);
    expect(got[0]!.length).toBe(1_500_000);
    expect(got[0]!.every((byte, i) => byte === (i % 300_000) % 256)).toBe(true);
  });

  test('of 1 MiB at the most is repeated, in whatever pieces it comes', async () => {
    let left = 4;
    const stream = new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(1 << 18));
        else controller.close();
      },
    });
    const bodies: string[] = [];
    const { fetch } = faked(reading(bodies));
    await fetch(new Request('http://users/v1', { method: 'PUT', body: stream, duplex: 'half' }));
    expect(bodies.map(body => body.length)).toEqual([1 << 20, 1 << 20, 1 << 20]);
  });

  test('that is live stays live: what is there is sent before the rest has been made', async () => {
    let source!: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        source = controller;
        controller.enqueue(bytes('first '));
      },
    });
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    const { fetch, sent, clock } = faked(async ({ init }) => {
      reader = (init.body as ReadableStream<Uint8Array>).getReader();
      return unavailable({ url: '', init }, 1);
    });
    const call = fetch(new Request('http://users/v1', { method: 'PUT', body: stream, duplex: 'half' }));
    await clock.advance(0);
    expect(text((await reader!.read()).value!)).toBe('first ');
    source.enqueue(bytes('second'));
    expect(text((await reader!.read()).value!)).toBe('second');
    source.close();
    expect((await reader!.read()).done).toBe(true);
    expect((await call).status).toBe(503);
    expect(sent).toHaveLength(1);
    expect(sent[0]!.init).toMatchObject({ duplex: 'half' });
    await fetch.close();
  });

  test.each<[string, (request: Request, fetch: (request: Request) => Promise<unknown>) => Promise<unknown>]>([
    ['read', request => request.text()],
    ['sent', (request, fetch) => fetch(request)],
    ['locked', async request => request.body!.getReader()],
    [
      'read to its end by hand',
      async request => {
        const reader = request.body!.getReader();
        while (!(await reader.read()).done);
        reader.releaseLock();
      },
    ],
  ])(
    'that has been %s is refused, as the platform does: else nothing would be sent in its place',
    async (_, use) => {
      const { fetch, sent, lines } = faked();
      const request = new Request('http://users/v1', { method: 'PUT', body: 'x' });
      await use(request, fetch);
      const before = sent.length;
      await expect(fetch(request)).rejects.toBeInstanceOf(TypeError);
      expect(sent).toHaveLength(before);
      expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(before);
    },
  );

  test('leaves no timer behind', async () => {
    const { fetch, clock } = faked();
    await fetch(new Request('http://users/v1', { method: 'PUT', body: 'x' }));
    expect(clock.pending).toBe(0);
  });
});

describe('a stream', () => {
  const streams: readonly [string, () => SomeBody][] = [
    ['ReadableStream', () => new Blob(['hello']).stream()],
    [
      'async iterable',
      () =>
        (async function* () {
          yield bytes('hello');
        })() as unknown as SomeBody,
    ],
  ];

  test.each(streams)('(%s) is sent whole, and never again, whatever anybody says', async (_, make) => {
    const answers: Answer[] = [unavailable, () => Promise.reject(socketError('ECONNREFUSED'))];
    for (const answer of answers) {
      const got: string[] = [];
      const { fetch, sent, lines } = faked(async (request, n) => {
        got.push(await textOf(request.init.body));
        return answer(request, n);
      });
      await fetch('/v1', { method: 'PUT', body: make(), repeatable: true }).catch(() => {});
      expect(got).toEqual(['hello']);
      expect(sent[0]!.init).toMatchObject({ duplex: 'half' });
      expect(lines.at(-1)).toBe('giveUp not-repeatable');
    }
  });

  test('is read no sooner than the network asks for it', async () => {
    let pulled = 0;
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const { fetch } = faked();
    await fetch('/v1', { method: 'PUT', body });
    await settled();
    expect(pulled).toBe(0);
  });

  test("that is being read, or has been, is the caller's mistake: nothing is sent, nobody blamed", async () => {
    const locked = new Blob(['hello']).stream();
    locked.getReader();
    const read = new Blob(['hello']).stream();
    const reader = read.getReader();
    await reader.read();
    reader.releaseLock();
    for (const body of [locked, read]) {
      const { fetch, sent, outcomes } = faked();
      await expect(fetch('/v1', { method: 'PUT', body })).rejects.toBeInstanceOf(TypeError);
      expect([sent, outcomes()]).toEqual([[], []]);
    }
  });

  /** Reads the body as a network does, and fails as `fetch` does if it cannot. */
  const consume = async ({ init }: Sent): Promise<Response> => {
    try {
      await bytesOf(init.body);
    } catch (cause) {
      throw new TypeError('fetch failed', { cause });
    }
    return new Response('ok');
  };

  test.each<[string, (source: ReadableStreamDefaultController) => void]>([
    ['breaks off', source => source.error(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))],
    ['gives what are no bytes', source => source.enqueue('text')],
  ])("whose source %s is nobody's fault but its own", async (_, spoil) => {
    const make = (): ReadableStream =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(bytes('hel'));
          spoil(controller);
        },
      });
    const { fetch, outcomes } = faked(consume);
    await expect(fetch('/v1', { method: 'PUT', body: make() })).rejects.toThrow('fetch failed');
    expect(outcomes()).toEqual(['ignored']);
  });

  test('that is cancelled as the member fails has not broken off', async () => {
    const body = new ReadableStream({ pull: () => new Promise(() => {}) });
    const { fetch, outcomes } = faked(async ({ init }) => {
      const reader = (init.body as ReadableStream).getReader();
      const read = reader.read();
      await reader.cancel();
      await read;
      throw socketError('ECONNRESET');
    });
    await expect(fetch('/v1', { method: 'PUT', body })).rejects.toThrow('fetch failed');
    expect(outcomes()).toEqual(['failure']);
  });

  test('that breaks off while its Request is looked at fails the call, and nothing is sent', async () => {
    const broken = new Error('gone');
    const body = new ReadableStream({ start: controller => controller.error(broken) });
    const { fetch, sent } = faked();
    await expect(fetch(new Request('http://users/', { method: 'PUT', body, duplex: 'half' }))).rejects.toBe(
      broken,
    );
    expect(sent).toEqual([]);
  });

  test.each([
    ['Node', socketError('ECONNRESET')],
    ['browsers', new TypeError('Failed to fetch')],
  ])('to a member that fails is its failure, as %s tell of it', async (_, error) => {
    const { fetch, outcomes } = faked(async ({ init }) => {
      await (init.body as ReadableStream).getReader().read();
      throw error;
    });
    const body = new Blob(['hello']).stream();
    await expect(fetch('/v1', { method: 'PUT', body })).rejects.toBe(error);
    expect(outcomes()).toEqual(['failure']);
  });

  test.each<[string, (body: ReadableStream) => [string | Request, BalancedInit]]>([
    ['init', body => ['/v1', { method: 'PUT', body }]],
    ['a Request', body => [new Request('http://users/', { method: 'PUT', body, duplex: 'half' }), {}]],
  ])('in %s that was never sent is cancelled, so that its source can stop', async (_, make) => {
    let reason: unknown;
    const body = new ReadableStream({
      cancel(why) {
        reason = why;
      },
    });
    const { fetch, clock } = faked(never, { discovery: scriptedDiscovery().discovery });
    const controller = new AbortController();
    const [input, init] = make(body);
    const fate = watch(fetch(input, { ...init, signal: controller.signal }));
    await clock.advance(0);
    controller.abort('enough');
    await settled();
    expect(fate).toEqual({ state: 'rejected', value: 'enough' });
    expect(reason).toBe('enough');
    await fetch.close();
  });
});
