import { Readable } from 'node:stream';
import { createClient, type FetchOptions, fixed, httpClassifier } from 'fairlead';
import { describe, expect, test } from 'vitest';
import { type Answer, failing, faked, ok, type SomeBody, socketError } from './fake.ts';

/** What a network does that takes requests as Node's `fetch` does: what is no request is refused at once. */
const strict: Answer = async ({ url, init }) => {
  new Request(url, init);
  return new Response('ok');
};

describe('a status', () => {
  const isFailure = (status: number): boolean =>
    status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);

  test.each([408, 429, 500, 502, 503, 504, 507, 511, 520, 599])(
    "%i is the member's failure",
    async status => {
      const { fetch, outcomes } = faked((sent, n) =>
        n === 1 ? new Response(null, { status }) : ok(sent, n),
      );
      await fetch('/v1');
      expect(outcomes()).toEqual(['failure', 'success']);
    },
  );

  test("of any other kind shows the member at work, and is the caller's", async () => {
    for (let status = 200; status < 600; status++) {
      if (isFailure(status)) continue;
      const { fetch, outcomes } = faked(() => new Response(null, { status }));
      expect((await fetch('/v1')).status).toBe(status);
      expect(outcomes()).toEqual(['success']);
    }
  });

  test('is judged alike for whoever calls with a client of their own', async () => {
    const client = createClient({ discovery: fixed(['a:1', 'b:1']), classifier: httpClassifier });
    let n = 0;
    const task = async (): Promise<Response> => new Response(null, { status: n++ === 0 ? 503 : 404 });
    expect((await client.run(task)).status).toBe(404);
    expect(n).toBe(2);
    await client.close();
  });
});

test.each([
  socketError('ECONNRESET'),
  socketError('UND_ERR_SOCKET'),
  socketError('ECONNREFUSED'),
  socketError('DEPTH_ZERO_SELF_SIGNED_CERT'),
  new TypeError('Failed to fetch'), // all that a browser says
  Object.assign(new TypeError('The socket was closed'), { code: 'ECONNRESET' }), // Bun
  new TypeError('fetch failed', { cause: new Error('Connection reset by peer') }), // Deno
  new Error('anything'),
  'not even an error',
  undefined,
])("an error is the member's failure (%s)", async error => {
  const { fetch, outcomes } = faked((sent, n) => (n === 1 ? Promise.reject(error) : ok(sent, n)));
  expect((await fetch('/v1')).status).toBe(200);
  expect(outcomes()).toEqual(['failure', 'success']);
});

test('a transport that throws instead of rejecting is judged the same', async () => {
  let n = 0;
  const transport = (): Promise<Response> => {
    if (n++ === 0) throw socketError('ECONNRESET');
    return Promise.resolve(new Response('ok'));
  };
  const { fetch, outcomes } = faked(ok, { fetch: transport });
  expect((await fetch('/v1')).status).toBe(200);
  expect(outcomes()).toEqual(['failure', 'success']);
});

test("a transport that answers no Response blames nobody, and its answer is the caller's", async () => {
  const { fetch, outcomes, lines } = faked(() => undefined as unknown as Response);
  await expect(fetch('/v1')).resolves.toBeUndefined();
  expect(outcomes()).toEqual(['ignored']);
  expect(lines.filter(line => line.startsWith('fault classifier'))).toHaveLength(1);
});

describe("the caller's mistake blames nobody and is not repeated", () => {
  test.each<[string, RequestInit]>([
    ["a header's name", { headers: { 'no such': 'x' } }],
    ["a header's value", { headers: { a: 'x\0' } }],
    ['headers that are no pairs', { headers: [['a']] as unknown as [string, string][] }],
    ['a body with GET', { body: 'x' }],
    ['a stream with GET', { body: new Blob(['x']).stream() }],
    ['a method', { method: 'A B' }],
    ['a method that is forbidden', { method: 'CONNECT' }],
    ['a redirect', { redirect: 'upward' as 'follow' }],
    ['a body', { method: 'PUT', body: Symbol('x') as unknown as string }],
  ])('%s that fetch refuses', async (_, init) => {
    const { fetch, sent, outcomes } = faked(strict);
    await expect(fetch('/v1', init)).rejects.toBeInstanceOf(TypeError);
    expect(sent).toHaveLength(1);
    expect(outcomes()).toEqual(['ignored']);
  });

  test('a used stream of a kind that only fetch can look into', async () => {
    const readable = (async function* () {})() as unknown as SomeBody;
    const { fetch, outcomes } = faked(() => Promise.reject(new TypeError('disturbed or locked')));
    await expect(fetch('/v1', { method: 'PUT', body: readable })).rejects.toThrow('disturbed');
    expect(outcomes()).toEqual(['ignored']);
  });

  test('a Node stream that broke off, though its error is that of a socket', async () => {
    const broken = new Readable({ read() {} }).on('error', () => {});
    broken.destroy(new Error('aborted'));
    const { fetch, outcomes } = faked(() => Promise.reject(socketError('ECONNRESET')));
    await expect(fetch('/v1', { method: 'PUT', body: broken as unknown as SomeBody })).rejects.toThrow();
    expect(outcomes()).toEqual(['ignored']);
  });

  test.each([
    socketError('UND_ERR_INVALID_ARG'),
    socketError('UND_ERR_NOT_SUPPORTED'),
    socketError('UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'),
    Object.assign(new TypeError('no body with GET'), { code: 'ERR_INVALID_ARG_VALUE' }),
    Object.assign(new TypeError('Request body already used'), { code: 'ERR_BODY_ALREADY_USED' }),
  ])('what Node and Bun tell by a code (%s)', async error => {
    const { fetch, sent, outcomes } = faked(() => Promise.reject(error));
    await expect(fetch('/v1')).rejects.toBe(error);
    expect(sent).toHaveLength(1);
    expect(outcomes()).toEqual(['ignored']);
  });
});

test.each(['no^host', 'a<b.test', 'fe80::1%eth0'])(
  'an endpoint whose host makes no URL (%s) is to blame itself: calls go elsewhere, and it is taken out',
  async host => {
    const { fetch, outcomes } = faked(strict, {
      discovery: fixed([
        { id: 'bad', host, port: 80 },
        { id: 'good', host: 'good.test', port: 80 },
      ]),
    });
    for (let i = 0; i < 20; i++) expect((await fetch('/v1')).status).toBe(200);
    expect(outcomes().filter(outcome => outcome === 'failure')).toHaveLength(5); // then its breaker is open
    expect(outcomes()).not.toContain('ignored');
  },
);

describe('classify', () => {
  test('overrides the verdict on a response, and leaves the rest to the standard', async () => {
    const classify: FetchOptions['classify'] = response =>
      response?.status === 404 ? 'failure' : response?.status === 503 ? 'success' : undefined;
    const answers: [number, string[]][] = [
      [404, ['failure', 'success']],
      [503, ['success']],
      [500, ['failure', 'success']],
      [200, ['success']],
    ];
    for (const [status, expected] of answers) {
      const { fetch, outcomes } = faked((sent, n) => (n === 1 ? new Response('', { status }) : ok(sent, n)), {
        classify,
      });
      await fetch('/v1');
      expect(outcomes()).toEqual(expected);
    }
  });

  test('overrides the verdict on an error', async () => {
    const classify: FetchOptions['classify'] = (_, error) =>
      error instanceof Error && error.message === 'mine' ? 'ignored' : undefined;
    for (const [message, expected] of [
      ['mine', ['ignored']],
      ['other', ['failure', 'failure', 'failure']],
    ] as const) {
      const { fetch, outcomes } = faked(() => Promise.reject(new Error(message)), { classify });
      await expect(fetch('/v1')).rejects.toThrow(message);
      expect(outcomes()).toEqual(expected);
    }
  });

  test('is given a response or an error, never both', async () => {
    const seen: unknown[][] = [];
    const error = socketError('ECONNRESET');
    const classify: FetchOptions['classify'] = (...given) => {
      seen.push(given);
      return undefined;
    };
    const { fetch } = faked((_, n) => (n === 1 ? Promise.reject(error) : new Response('ok')), { classify });
    const response = await fetch('/v1');
    expect(seen).toEqual([
      [undefined, error],
      [response, undefined],
    ]);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('oops');
      },
    ],
    ['answers nonsense', () => true],
    ['answers a promise', () => Promise.resolve('success')],
  ])('that %s is reported, and the standard verdict holds', async (_, classify) => {
    const { fetch, outcomes, lines } = faked(failing(1), { classify: classify as () => undefined });
    expect((await fetch('/v1')).status).toBe(200);
    expect(outcomes()).toEqual(['failure', 'success']);
    expect(lines.filter(line => line.startsWith('fault classifier'))).toHaveLength(2);
  });

  test('may be a whole classifier instead', async () => {
    const classifier: FetchOptions['classifier'] = { value: () => 'success', error: () => 'ignored' };
    const { fetch, outcomes } = faked(failing(1), { classifier });
    expect((await fetch('/v1')).status).toBe(503);
    expect(outcomes()).toEqual(['success']);
  });
});
