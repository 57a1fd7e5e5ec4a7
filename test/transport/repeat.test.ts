import type { BalancedInit, FetchOptions } from 'fairlead';
import { settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { failing, faked, ok, type SomeHeaders, socketError } from './fake.ts';

/** How often a request is sent when the first answer is 503. */
async function sendings(options: Partial<FetchOptions>, init: BalancedInit): Promise<number> {
  const { fetch, sent } = faked(failing(1), options);
  await fetch('/v1', init);
  return sent.length;
}

describe('after a 503', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY', 'get', 'Put'])(
    '%s is repeated, for it is idempotent',
    async method => {
      expect(await sendings({}, { method })).toBe(2);
    },
  );

  test.each(['POST', 'PATCH', 'post', 'LOCK'])('%s is not', async method => {
    const { fetch, sent, lines } = faked(failing(1));
    expect((await fetch('/v1', { method })).status).toBe(503);
    expect(sent).toHaveLength(1);
    expect(lines.at(-1)).toBe('giveUp not-repeatable');
  });

  test.each([
    ['a record', { 'Idempotency-Key': '1' }],
    ['Headers', new Headers({ 'idempotency-key': '1' })],
    ['pairs', [['IDEMPOTENCY-KEY', '']]],
  ])('a POST with an idempotency key in %s is repeated', async (_, headers) => {
    expect(await sendings({}, { method: 'POST', headers: headers as SomeHeaders })).toBe(2);
  });

  test('the option decides for all methods', async () => {
    expect(await sendings({ repeatable: true }, { method: 'POST' })).toBe(2);
    expect(await sendings({ repeatable: false }, { method: 'GET' })).toBe(1);
    expect(
      await sendings({ repeatable: false }, { method: 'POST', headers: { 'idempotency-key': '1' } }),
    ).toBe(1);
  });

  test('the option may be a function of the request', async () => {
    const repeatable: FetchOptions['repeatable'] = ({ method, url, header }) =>
      method === 'POST' && url === '/v1' && header('x-safe') === 'yes';
    expect(await sendings({ repeatable }, { method: 'post', headers: { 'X-Safe': 'yes' } })).toBe(2);
    expect(await sendings({ repeatable }, { method: 'post' })).toBe(1);
    expect(await sendings({ repeatable }, { method: 'GET' })).toBe(1);
  });

  test('the call decides before all', async () => {
    expect(await sendings({}, { method: 'POST', repeatable: true })).toBe(2);
    expect(await sendings({}, { method: 'GET', repeatable: false })).toBe(1);
    expect(await sendings({ repeatable: false }, { repeatable: true })).toBe(2);
    expect(await sendings({ repeatable: () => true }, { repeatable: false })).toBe(1);
  });

  test('a function that throws or answers anything else is reported, and the call is not repeated', async () => {
    const throws = (): boolean => {
      throw new Error('who knows');
    };
    for (const repeatable of [throws, async () => true, () => 1, () => 'yes']) {
      const { fetch, sent, lines } = faked(failing(1), { repeatable: repeatable as () => boolean });
      expect((await fetch('/v1')).status).toBe(503);
      expect(sent).toHaveLength(1);
      expect(lines.filter(line => line.startsWith('fault repeatable'))).toHaveLength(1);
    }
  });

  test('a call that says anything but yes or no is refused by name', async () => {
    const { fetch, sent } = faked();
    await expect(fetch('/v1', { repeatable: 'yes' as unknown as boolean })).rejects.toThrow(
      /^repeatable is "yes"/,
    );
    expect(sent).toEqual([]);
  });

  test('a repeated request goes to another instance, otherwise the same', async () => {
    const { fetch, sent } = faked(failing(2));
    await fetch('http://users/v1?q=1', { method: 'PUT', headers: { a: '1' }, body: 'x' });
    expect(new Set(sent.map(({ url }) => url))).toEqual(
      new Set(['a', 'b', 'c'].map(host => `http://${host}.test:80/v1?q=1`)),
    );
    for (const { init } of sent)
      expect(init).toMatchObject({ method: 'PUT', headers: { a: '1' }, body: 'x' });
  });
});

describe('an error that shows that nothing was sent', () => {
  const refused: readonly [string, Error][] = [
    ['refused', socketError('ECONNREFUSED')],
    ['name not found', socketError('ENOTFOUND')],
    ['unreachable', socketError('EHOSTUNREACH')],
    ['no connection in time', socketError('UND_ERR_CONNECT_TIMEOUT')],
    [
      'refused, in the words of Bun',
      Object.assign(new TypeError('Unable to connect'), { code: 'ConnectionRefused' }),
    ],
    [
      'refused, in the words of Deno',
      new TypeError('fetch failed', {
        cause: new Error('error sending request: client error (Connect): refused'),
      }),
    ],
    ['a port that fetch refuses', new TypeError('fetch failed', { cause: new Error('bad port') })],
    [
      'a host that makes no URL',
      new TypeError('Failed to parse', { cause: socketErrorLike('ERR_INVALID_URL') }),
    ],
  ];

  test.each(refused)('lets even a POST be sent elsewhere: %s', async (_, error) => {
    const { fetch, sent, outcomes } = faked((sent, n) => (n === 1 ? Promise.reject(error) : ok(sent, n)));
    expect((await fetch('/v1', { method: 'POST', body: 'x', redirect: 'manual' })).status).toBe(200);
    expect(sent.map(({ init }) => init.body)).toEqual(['x', 'x']);
    expect(outcomes()).toEqual(['failure', 'success']);
  });

  test.each(refused)(
    'lets no POST be sent again if it may have been redirected before: %s',
    async (_, error) => {
      const again = Object.assign(Object.create(error) as Error, { cause: error.cause });
      const { fetch, sent } = faked(() => Promise.reject(again));
      await expect(fetch('/v1', { method: 'POST', body: 'x' })).rejects.toBe(again);
      expect(sent).toHaveLength(1);
    },
  );

  test('lets a call be sent elsewhere that must not be repeated', async () => {
    const { fetch, sent } = faked((sent, n) =>
      n === 1 ? Promise.reject(socketError('ECONNREFUSED')) : ok(sent, n),
    );
    expect((await fetch('/v1', { repeatable: false, redirect: 'error' })).status).toBe(200);
    expect(sent).toHaveLength(2);
  });

  test.each(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT', 'ETIMEDOUT'])(
    'is not %s: a POST may have been carried out',
    async code => {
      const error = socketError(code);
      const { fetch, sent, outcomes } = faked(() => Promise.reject(error));
      await expect(fetch('/v1', { method: 'POST', body: 'x' })).rejects.toBe(error);
      expect(sent).toHaveLength(1);
      expect(outcomes()).toEqual(['failure']);
    },
  );

  test('is not a time-out of ours', async () => {
    const { fetch, sent, clock } = faked(() => new Promise(() => {}), { attemptTimeout: 100 });
    const call = fetch('/v1', { method: 'POST' });
    const rejected = expect(call).rejects.toMatchObject({ code: 'TIMEOUT' });
    await clock.advance(100);
    await rejected;
    expect(sent).toHaveLength(1);
  });
});

describe('when attempts run out', () => {
  test('the last response is returned, its body whole, and those before it are let go of', async () => {
    const bodies: ReadableStream[] = [];
    const { fetch } = faked((_, n) => {
      const response = new Response(`answer ${n}`, { status: [500, 502, 503][n - 1]! });
      bodies.push(response.body!);
      return response;
    });
    const response = await fetch('/v1');
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('answer 3');
    for (const body of bodies.slice(0, 2)) {
      // Cancelled: it is closed, though nobody has read it.
      expect(await body.getReader().read()).toEqual({ done: true, value: undefined });
    }
  });

  test('a response without a body is let go of as well', async () => {
    const { fetch, lines } = faked((_, n) => new Response(null, { status: n < 3 ? 503 : 204 }));
    expect((await fetch('/v1')).status).toBe(204);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
  });

  test('the last error is thrown, untouched', async () => {
    const errors = [1, 2, 3].map(n => new Error(`reset ${n}`));
    const { fetch } = faked((_, n) => Promise.reject(errors[n - 1]));
    await expect(fetch('/v1')).rejects.toBe(errors[2]);
  });

  test('an answer that comes after its attempt has timed out is let go of', async () => {
    const late = new Response('late');
    let answer = (_: Response): void => {};
    const { fetch, clock } = faked(
      (sent, n) => (n === 1 ? new Promise(resolve => (answer = resolve)) : ok(sent, n)),
      { attemptTimeout: 100 },
    );
    const call = fetch('/v1');
    await clock.advance(100);
    expect(await (await call).text()).toBe('ok');
    answer(late);
    await settled();
    expect(await late.body!.getReader().read()).toEqual({ done: true, value: undefined });
  });
});

function socketErrorLike(code: string): Error {
  return Object.assign(new TypeError('Invalid URL'), { code });
}
