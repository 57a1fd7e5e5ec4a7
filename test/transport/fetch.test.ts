import { createFetch, type FetchOptions, fixed, hedge, retry } from 'fairlead';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { failing, faked, ok, restOf, type SomeHeaders } from './fake.ts';

afterEach(() => vi.unstubAllGlobals());

describe('of a URL, only the authority changes', () => {
  test.each([
    ['a host that names the service', 'http://users/v1/users/42', 'http', '/v1/users/42'],
    ['a host with a port', 'http://users:8080/v1', 'http', '/v1'],
    ['https', 'https://users/v1', 'https', '/v1'],
    ['a scheme in capitals', 'HTTP://Users/V1', 'http', '/V1'],
    ['no path', 'http://users', 'http', ''],
    ['a query and no path', 'http://users?q=1', 'http', '?q=1'],
    ['a fragment and no path', 'http://users#top', 'http', '#top'],
    ['an IPv6 address', 'http://[::1]:80/v1', 'http', '/v1'],
    ['a path alone', '/v1/users?q=1', 'http', '/v1/users?q=1'],
    ['a query and a fragment', 'http://users/a?q=1&q=2#f?x', 'http', '/a?q=1&q=2#f?x'],
    ['percent-encoding', 'http://users/a%2Fb/%e4?q=%20+&r=%zz#%41', 'http', '/a%2Fb/%e4?q=%20+&r=%zz#%41'],
    ['an @ in path or query', 'http://users/@me?to=a@b', 'http', '/@me?to=a@b'],
    ['slashes in a row, dots, a backslash', 'http://users//a/../b\\c', 'http', '//a/../b\\c'],
  ])('%s', async (_, url, scheme, rest) => {
    const { fetch, sent } = faked();
    await fetch(url);
    expect(sent[0]!.url).toMatch(new RegExp(`^${scheme}://[abc]\\.test:80`));
    expect(restOf(sent[0]!.url)).toBe(rest);
  });

  test('a URL object and a Request are as good as a string', async () => {
    const { fetch, sent } = faked();
    await fetch(new URL('http://users/a%2Fb?q=%20#f'));
    await fetch(new Request('http://users/a%2Fb?q=%20'));
    expect(sent.map(({ url }) => restOf(url))).toEqual(['/a%2Fb?q=%20#f', '/a%2Fb?q=%20']);
  });

  test('calls that give only a path go by the protocol that was chosen', async () => {
    const { fetch, sent } = faked(ok, { protocol: 'https' });
    await fetch('/v1');
    await fetch('http://users/v1');
    expect(sent.map(({ url }) => url.split(':')[0])).toEqual(['https', 'http']);
  });

  test.each(['::1', '[::1]'])('an endpoint at the IPv6 address %s is put in brackets, once', async host => {
    const { fetch, sent } = faked(ok, { discovery: fixed([{ id: 'six', host, port: 8080 }]) });
    await fetch('http://users/v1');
    expect(sent[0]!.url).toBe('http://[::1]:8080/v1');
  });

  test.each([
    'ftp://users/v1',
    'users/v1',
    '//users/v1',
    '?q=1',
    '',
    'http:/users/v1',
    'http:\\\\users\\v1',
    'data:,x',
    ' http://users/',
    null,
    undefined,
    42,
    {},
  ])('%j is refused, and nothing is sent', async input => {
    const { fetch, sent } = faked();
    await expect(fetch(input as string)).rejects.toThrow(/^the URL is .*; it must be/);
    await expect(fetch(input as string)).rejects.toBeInstanceOf(TypeError);
    expect(sent).toEqual([]);
  });

  test.each([
    'http://ann:secret@users/',
    'http://ann@users/',
    'https://:secret@users/',
    new URL('http://ann:secret@users/'),
  ])(
    'credentials in a URL are refused as the platform does, and not repeated in the error (%s)',
    async url => {
      const { fetch, sent } = faked();
      const error = await fetch(url).catch(error => error);
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toMatch(/user name or password/);
      expect(error.message).not.toMatch(/secret|ann/);
      expect(sent).toEqual([]);
    },
  );
});

describe('init', () => {
  test('is passed on as it is, with keys that no standard knows; our own are kept', async () => {
    const { fetch, sent } = faked();
    const dispatcher = { dispatch() {} };
    const init = {
      method: 'PATCH',
      cache: 'no-store',
      dispatcher,
      tls: { ca: 'x' },
      key: 'k',
      repeatable: true,
    } as const;
    await fetch('/v1', init as object);
    const { signal, ...rest } = sent[0]!.init;
    expect(rest).toEqual({ method: 'PATCH', cache: 'no-store', dispatcher, tls: { ca: 'x' } });
    expect(rest.dispatcher).toBe(dispatcher);
    expect(signal).toBeInstanceOf(AbortSignal);
  });

  test('may inherit', async () => {
    const { fetch, sent } = faked();
    await fetch('/v1', Object.create({ method: 'PUT', body: 'x' }));
    expect(sent[0]!.init).toMatchObject({ method: 'PUT', body: 'x' });
  });

  test('of a Request, everything that can be read of it is carried over', async () => {
    const { fetch, sent } = faked();
    const request = new Request('http://users/v1', {
      method: 'DELETE',
      headers: { 'x-user': 'ann' },
      redirect: 'manual',
      cache: 'no-cache',
      credentials: 'omit',
      mode: 'same-origin',
      referrerPolicy: 'no-referrer',
      integrity: 'sha256-x',
      keepalive: true,
    } as RequestInit);
    await fetch(request);
    const { headers, ...rest } = sent[0]!.init;
    expect(rest).toMatchObject({
      method: 'DELETE',
      redirect: 'manual',
      cache: 'no-cache',
      credentials: 'omit',
      mode: 'same-origin',
      referrerPolicy: 'no-referrer',
      integrity: 'sha256-x',
      keepalive: true,
    });
    expect(new Headers(headers).get('x-user')).toBe('ann');
  });

  test('overrides a Request; what is undefined in it is not there', async () => {
    const { fetch, sent } = faked();
    const request = new Request('http://users/v1', { method: 'PUT', headers: { a: '1' }, body: 'old' });
    await fetch(request.clone(), {
      method: undefined,
      headers: undefined,
      body: undefined,
      signal: undefined,
    } as object);
    await fetch(request.clone(), { method: 'POST', headers: { b: '2' }, body: 'new' });
    await fetch(request.clone(), { body: null });
    await fetch(request.clone(), { body: '' });
    const seen = await Promise.all(
      sent.map(async ({ init }) => [
        init.method,
        [...new Headers(init.headers).keys()].filter(name => name !== 'content-type').join(),
        await new Response(init.body).text(),
      ]),
    );
    expect(seen).toEqual([
      ['PUT', 'a', 'old'],
      ['POST', 'b', 'new'],
      ['PUT', 'a', 'old'], // as the standard has it: a body that is null overrides none
      ['PUT', 'a', ''],
    ]);
  });

  test('may be a Request itself', async () => {
    const { fetch, sent } = faked();
    await fetch(
      'http://users/v2',
      new Request('http://other/v1', { method: 'PUT', headers: { a: '1' }, body: 'x' }),
    );
    const { url, init } = sent[0]!;
    expect(restOf(url)).toBe('/v2');
    expect(init.method).toBe('PUT');
    expect(new Headers(init.headers).get('a')).toBe('1');
    expect(await new Response(init.body).text()).toBe('x');
  });

  test('a signal of null rids a Request of its own', async () => {
    const { fetch } = faked();
    const request = new Request('http://users/v1', { signal: AbortSignal.abort('over') });
    await expect(fetch(request)).rejects.toBe('over');
    await expect(fetch(request, { signal: null })).resolves.toMatchObject({ status: 200 });
  });

  test('with something else than a signal is refused by name', async () => {
    const { fetch, sent } = faked();
    await expect(fetch('/v1', { signal: {} as AbortSignal })).rejects.toThrow(/^signal is/);
    expect(sent).toEqual([]);
  });
});

describe('the key of a call', () => {
  /** The key that a call was made with. */
  async function keyOf(options: Partial<FetchOptions>, ...given: Parameters<typeof fetch>) {
    let key: string | undefined;
    const { fetch, lines } = faked(ok, options);
    fetch.client.on('attempt', (_, call) => {
      key = call.key;
    });
    await fetch(...given);
    return { key, faults: lines.filter(line => line.startsWith('fault')) };
  }

  test.each([
    ['a record, whatever the case', { 'X-USER': 'ann' }],
    ['Headers', new Headers({ 'x-user': 'ann' })],
    ['pairs', [['X-User', 'ann']]],
    ['a map', new Map([['x-User', 'ann']])],
  ])('comes from a header in %s', async (_, headers) => {
    const { key } = await keyOf({ key: 'x-User' }, '/v1', { headers: headers as SomeHeaders });
    expect(key).toBe('ann');
  });

  test.each([
    [
      'Headers',
      new Headers([
        ['k', 'a'],
        ['k', 'b'],
      ]),
    ],
    [
      'pairs',
      [
        ['k', 'a'],
        ['K', 'b'],
      ],
    ],
  ])('is the same however a header of two values is given: %s', async (_, headers) => {
    expect((await keyOf({ key: 'k' }, '/v1', { headers: headers as SomeHeaders })).key).toBe('a, b');
  });

  test('comes from the headers of a Request, or from those that override them', async () => {
    const request = new Request('http://users/', { headers: { k: 'ann' } });
    expect((await keyOf({ key: 'k' }, request)).key).toBe('ann');
    expect((await keyOf({ key: 'k' }, request, { headers: { k: 'bob' } })).key).toBe('bob');
  });

  test('comes from a function of URL, method and headers', async () => {
    const key: FetchOptions['key'] = ({ url, method, header }) =>
      `${method} ${url} ${header('K')} ${header('none')}`;
    const found = await keyOf({ key }, '/v1?q=1', { method: 'put', headers: { k: 'ann' } });
    expect(found).toEqual({ key: 'PUT /v1?q=1 ann undefined', faults: [] });
  });

  test('comes from the call itself before all', async () => {
    const init = { headers: { k: 'header' }, key: 'own' };
    expect((await keyOf({ key: 'k' }, '/v1', init)).key).toBe('own');
    expect((await keyOf({ key: () => 'function' }, '/v1', init)).key).toBe('own');
    expect((await keyOf({}, '/v1', init)).key).toBe('own');
  });

  test('is missing where nothing says it', async () => {
    expect(await keyOf({}, '/v1')).toEqual({ key: undefined, faults: [] });
    expect(await keyOf({ key: 'k' }, '/v1')).toEqual({ key: undefined, faults: [] });
    expect(await keyOf({ key: () => undefined }, '/v1')).toEqual({ key: undefined, faults: [] });
  });

  test('is missing, and a fault is reported, if its function throws or answers anything else', async () => {
    const throws = (): string => {
      throw new Error('no user');
    };
    expect(await keyOf({ key: throws }, '/v1')).toEqual({ key: undefined, faults: ['fault key no user'] });
    for (const nonsense of [42, null, Promise.resolve('ann')]) {
      const { key, faults } = await keyOf({ key: () => nonsense as unknown as string }, '/v1');
      expect(key).toBeUndefined();
      expect(faults).toEqual([expect.stringMatching(/^fault key the answer of key is .* a string/)]);
    }
  });

  test('is refused by name if the call gives one that is not a string', async () => {
    const { fetch, sent } = faked();
    await expect(fetch('/v1', { key: 42 as unknown as string })).rejects.toThrow(/^key is 42/);
    expect(sent).toEqual([]);
  });
});

describe('options', () => {
  const nothing = async (): Promise<Response> => new Response();

  test.each<[RegExp, object]>([
    [/^fetch is 42/, { fetch: 42 }],
    [/^key is 42/, { key: 42 }],
    [/^key is ""/, { key: '' }],
    [/^repeatable is "yes"/, { repeatable: 'yes' }],
    [/^protocol is "ftp"/, { protocol: 'ftp' }],
    [/^classify is 42/, { classify: 42 }],
    [
      /^classify is a function; it must be absent/,
      { classify: () => undefined, classifier: { value() {}, error() {} } },
    ],
    [/^attemptTimeout is 0/, { attemptTimeout: 0 }],
    [/^attemptTimeout is NaN/, { attemptTimeout: Number.NaN }],
  ])('%s: a bad one is refused by name, and nothing is left running', (message, bad) => {
    const discovery = vi.fn();
    const make = () => createFetch({ discovery, fetch: nothing, ...bad } as FetchOptions);
    expect(make).toThrow(message);
    expect(discovery).not.toHaveBeenCalled();
  });

  test('those that are undefined are not there', async () => {
    const { fetch } = faked(ok, {
      key: undefined,
      repeatable: undefined,
      protocol: undefined,
      classify: undefined,
    });
    expect((await fetch('/v1')).status).toBe(200);
  });

  test("without one, it is the platform's fetch as it is when called that sends", async () => {
    const fetch = createFetch({ discovery: fixed(['a.test:80']) });
    const platform = vi.fn(async () => new Response('stubbed'));
    vi.stubGlobal('fetch', platform);
    expect(await (await fetch('/v1')).text()).toBe('stubbed');
    expect(platform).toHaveBeenCalledWith('http://a.test:80/v1', expect.objectContaining({}));
    await fetch.close();
  });
});

test('however often a request is sent, no Request, no URL and no AbortSignal.any is made for it', async () => {
  const made: string[] = [];
  const request = new Request('http://users/v1', { headers: { a: '1' } });
  const { fetch, sent } = faked(failing(2));
  const counted = (name: string, original: new (...args: never[]) => object) =>
    vi.stubGlobal(
      name,
      new Proxy(original, {
        construct(target, args, self) {
          made.push(name);
          return Reflect.construct(target, args, self);
        },
      }),
    );
  counted('Request', Request);
  counted('URL', URL);
  const any = vi.spyOn(AbortSignal, 'any');
  const signal = new AbortController().signal;
  await fetch('http://users/v1?q=1', { signal, method: 'PUT', body: 'x', headers: { a: '1' } });
  expect(sent).toHaveLength(3);
  await fetch(request);
  expect(made).toEqual([]);
  expect(any).not.toHaveBeenCalled();
  new URL('http://a/'); // the counting itself works
  expect(made).toEqual(['URL']);
});

test.each([
  ['none without a time-out', { attemptTimeout: Infinity }, 0],
  ['one for each attempt, as by default', {}, 3],
  ['one for each attempt, if the whole call is bounded', { attemptTimeout: Infinity, timeout: 1000 }, 3],
  [
    'one for each attempt, if both are bounded, and hedged',
    { timeout: 1000, policies: [retry(), hedge({ delay: 500 })] },
    3,
  ],
])('AbortControllers that a call of three attempts makes: %s', async (_, options, count) => {
  const { fetch, sent } = faked(failing(2), options);
  await fetch.client.ready();
  let made = 0;
  vi.stubGlobal(
    'AbortController',
    new Proxy(AbortController, {
      construct(target, args, self) {
        made++;
        return Reflect.construct(target, args, self);
      },
    }),
  );
  await fetch('/v1', { signal: AbortSignal.timeout(60_000) });
  expect([sent.length, made]).toEqual([3, count]);
});
