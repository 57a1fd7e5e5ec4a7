import { type HttpCheckOptions, httpCheck } from 'fairlead';
import { afterEach, describe, expect, test } from 'vitest';
import { endpoint } from '../helpers.ts';
import { type Running, refusing, serve, serveRaw } from './servers.ts';

const NEVER = new AbortController().signal;
const open: Running[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.stop();
});

type Handler = Parameters<typeof serve>[0];

/** Checks a real server that answers so. Resolves, or rejects, as the check does. */
async function checked(
  handler: Handler,
  options: Partial<HttpCheckOptions> = {},
  signal: AbortSignal = NEVER,
): Promise<unknown> {
  const server = await serve(handler);
  open.push(server);
  return httpCheck({ path: '/healthz', ...options })(at(server), signal);
}

const at = ({ port }: Running) => endpoint('a', { host: '127.0.0.1', port });

/** Checks without a network: the server answers this. */
const checkedFor = (response: Response, options: Partial<HttpCheckOptions> = {}): Promise<unknown> =>
  Promise.resolve(httpCheck({ path: '/', fetch: async () => response, ...options })(endpoint('a'), NEVER));

describe('what it asks', () => {
  test('the path with its query, by GET, at the address of the endpoint', async () => {
    const asked: string[] = [];
    await checked(
      (request, response) => {
        asked.push(`${request.method} ${request.headers.host} ${request.url}`);
        response.end();
      },
      { path: '/healthz?deep=1' },
    );
    expect(asked).toEqual([`GET ${open[0]!.id} /healthz?deep=1`]);
  });

  test('by another method, with headers, at another port, by https, of a host with colons, as told', async () => {
    const sent: { url: string; init: RequestInit }[] = [];
    const check = httpCheck({
      path: '/live',
      method: 'HEAD',
      headers: { Authorization: 'Bearer secret' },
      port: 9000,
      protocol: 'https',
      fetch: async (url, init) => {
        sent.push({ url, init });
        return new Response(null);
      },
    });
    await check(endpoint('a', { host: '::1' }), NEVER);
    expect(sent).toEqual([
      {
        url: 'https://[::1]:9000/live',
        init: {
          method: 'HEAD',
          headers: { authorization: 'Bearer secret' },
          redirect: 'manual',
          signal: NEVER,
        },
      },
    ]);
  });
});

describe('the status', () => {
  test.each<[HttpCheckOptions['status'], readonly number[], readonly number[]]>([
    [undefined, [200, 204, 299], [199 + 101, 404, 429, 500, 503]],
    [204, [204], [200, 205]],
    [
      [200, 399],
      [200, 304, 399],
      [400, 500],
    ],
    [status => status !== 503, [200, 500], [503]],
  ])('%o', async (status, good, ill) => {
    const options = status === undefined ? {} : { status };
    for (const each of good) await checkedFor(new Response(null, { status: each }), options);
    for (const each of ill)
      await expect(checkedFor(new Response(null, { status: each }), options)).rejects.toThrow(
        `GET http://a.test:80/ answered ${each}`,
      );
  });

  test('that was wanted is told beside the one that came', async () => {
    const gone = new Response(null, { status: 410 });
    await expect(checkedFor(gone)).rejects.toThrow('answered 410, not 200 to 299');
  });

  test('redirects are not followed: who sends one is as well as its status says', async () => {
    const paths: unknown[] = [];
    const handler: Handler = (request, response) => {
      paths.push(request.url);
      response.writeHead(302, { location: '/elsewhere' }).end();
    };
    await expect(checked(handler)).rejects.toThrow('answered 302');
    await checked(handler, { status: 302 });
    expect(paths).toEqual(['/healthz', '/healthz']);
  });
});

describe('the headers', () => {
  const expectHeaders = { 'x-service': 'users', 'X-Version': /^2\./ };
  test.each<[Record<string, string>, string | undefined]>([
    [{ 'x-service': 'users', 'x-version': '2.1' }, undefined],
    [{ 'x-service': 'orders', 'x-version': '2.1' }, 'with x-service "orders", not users'],
    [{ 'x-service': 'users', 'x-version': '12.1' }, 'with X-Version "12.1", not /^2\\./'],
    [{ 'x-service': 'users' }, 'with X-Version null'],
  ])('%o', async (headers, complaint) => {
    const check = checkedFor(new Response(null, { headers }), { expectHeaders });
    if (complaint === undefined) await check;
    else await expect(check).rejects.toThrow(complaint);
  });

  test('a pattern with a memory is as good at each check', async () => {
    const check = httpCheck({
      path: '/',
      expectHeaders: { 'x-service': /users/g },
      fetch: async () => new Response(null, { headers: { 'x-service': 'users' } }),
    });
    for (let i = 0; i < 3; i++) await check(endpoint('a'), NEVER);
  });
});

describe('the body', () => {
  test('a short one is read to its end, so that its connection is used again', async () => {
    const ports = new Set<unknown>();
    const server = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('well, thank you');
    });
    open.push(server);
    const check = httpCheck({ path: '/' });
    for (let i = 0; i < 10; i++) {
      await check(at(server), NEVER);
      await new Promise(setImmediate);
    }
    // Not by one alone: the platform may learn a little later than its reader that a body is over.
    expect(ports.size).toBeLessThan(5);
  });

  test('one without end is let go of after a little, and the check passes', async () => {
    let read = 0;
    let cancelled = false;
    const body = new ReadableStream({
      pull(controller) {
        read += 1000;
        controller.enqueue(new Uint8Array(1000));
      },
      cancel: () => void (cancelled = true),
    });
    await checkedFor(new Response(body));
    expect(read).toBeLessThan(20_000);
    expect(cancelled).toBe(true);
  });

  test('one that breaks off fails the check', async () => {
    await expect(
      checked((_, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('well, th', () => response.destroy());
      }),
    ).rejects.toThrow('terminated');
  });

  test('one that never comes fails it when its time is over, and the connection is closed', async () => {
    const stop = new AbortController();
    let closed: Promise<void> | undefined;
    const check = checked(
      (request, response) => {
        closed = new Promise(resolve => request.socket.once('close', () => resolve()));
        response.writeHead(200).write('well', () => stop.abort(new Error('late')));
      },
      {},
      stop.signal,
    );
    await expect(check).rejects.toThrow('late');
    await closed;
  });
});

test('a server that is not there, that hangs up, or that talks something else fails it', async () => {
  const nobody = await refusing();
  const rude = await serveRaw(socket => socket.destroy());
  const other = await serveRaw(socket => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
  open.push(nobody, rude, other);
  for (const server of [nobody, rude, other])
    await expect(httpCheck({ path: '/' })(at(server), NEVER)).rejects.toThrow('fetch failed');
});

test.each<[string, unknown]>([
  ['httpCheck', undefined],
  ['httpCheck', null],
  ['httpCheck path', {}],
  ...['', 'healthz', '//evil.test/', 5, null].map(path => ['httpCheck path', { path }] as [string, unknown]),
  ...(
    [
      ['method', ['', 5, null]],
      ['status', [null, '200', 99, 600, 200.5, [], [200], [300, 200], [200, 299, 301], {}]],
      ['headers', [null, 5, 'a', []]],
      ['expectHeaders', [null, 5, 'a', [], { 'x-a': 5 }]],
      ['port', [null, '80', 0, 65_536, 1.5]],
      ['protocol', [null, 'ftp', 5]],
      ['fetch', [null, 5, {}]],
    ] as const
  ).flatMap(([name, values]) =>
    values.map(value => [`httpCheck ${name}`, { path: '/', [name]: value }] as [string, unknown]),
  ),
])('%s: %o is refused by name', (name, options) => {
  expect(() => httpCheck(options as never)).toThrow(name);
});

test('headers that cannot be sent are refused when they are given, not at each check', () => {
  expect(() => httpCheck({ path: '/', headers: { 'no such header': 'x' } })).toThrow(TypeError);
});
