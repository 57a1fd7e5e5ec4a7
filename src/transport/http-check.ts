import { bad, checkFunction, checkNumber, shown } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { HealthCheck } from '../model/health.ts';
import type { FetchLike } from './fetch.ts';
import { urlAt } from './url.ts';

export interface HttpCheckOptions {
  /** What is asked for: a path, and a query if you like. */
  readonly path: string;
  /** Default: `GET`. */
  readonly method?: string | undefined;
  /** Headers of the request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The status that tells of health, the first and the last of several, or what decides. Default: `[200, 299]`. */
  readonly status?: number | readonly [from: number, to: number] | ((status: number) => boolean) | undefined;
  /**
   * Headers that the answer must have, with this value or one that the pattern fits: so a port that another service has
   * taken over is found out. Default: none.
   */
  readonly expectHeaders?: Readonly<Record<string, string | RegExp>> | undefined;
  /** The port that is asked. Default: the endpoint's own. */
  readonly port?: number | undefined;
  /** Default: `http`. */
  readonly protocol?: 'http' | 'https' | undefined;
  /** What sends the request. Default: the platform's `fetch`, as it is when called. */
  readonly fetch?: FetchLike | undefined;
}

/** So much of a body is read, in bytes, so that its connection can be used again. */
const MOST = 1 << 14;

/**
 * A health check by HTTP: passes if the status and the headers of the answer are as expected. Redirects are not followed:
 * they count by their own status. The body must come to its end, or to 16 KiB, in the check's time, and is thrown away.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export function httpCheck(options: HttpCheckOptions): HealthCheck {
  checkOptions('httpCheck', options, {
    path: 1,
    method: 1,
    headers: 1,
    status: 1,
    expectHeaders: 1,
    port: 1,
    protocol: 1,
    fetch: 1,
  });
  const { path, method = 'GET', headers = {}, expectHeaders = {}, port, protocol = 'http' } = options;
  const { fetch: send = (url, init) => globalThis.fetch(url, init) } = options;
  if (typeof path !== 'string' || !/^\/(?!\/)/.test(path))
    throw bad('httpCheck path', path, 'a path that begins with /');
  if (typeof method !== 'string' || method === '') throw bad('httpCheck method', method, 'a method');
  const { status: wanted = [200, 299] } = options;
  const isWanted = typeof wanted === 'function' ? wanted : within(wanted);
  const expected = Object.entries(checkObject('httpCheck expectHeaders', expectHeaders));
  for (const [name, value] of expected)
    if (typeof value !== 'string' && !(value instanceof RegExp))
      throw bad(`httpCheck expectHeaders ${name}`, value, 'a string or a pattern');
  if (port !== undefined) checkNumber('httpCheck port', port, 1, 65_535, true);
  if (protocol !== 'http' && protocol !== 'https')
    throw bad('httpCheck protocol', protocol, `'http' or 'https'`);
  checkFunction('httpCheck fetch', send);
  // Here, not at each check: a header that cannot be sent is a mistake in the options.
  const sent = Object.fromEntries(new Headers(checkObject('httpCheck headers', headers)));
  const target = { scheme: protocol, rest: path };

  return async (endpoint, signal) => {
    const url = urlAt(port === undefined ? endpoint : { ...endpoint, port }, target);
    const response = await send(url, { method, headers: { ...sent }, redirect: 'manual', signal });
    await readAway(response);
    const { status } = response;
    if (!isWanted(status)) {
      const instead = typeof wanted === 'function' ? '' : `, not ${[wanted].flat().join(' to ')}`;
      throw new Error(`${method} ${url} answered ${status}${instead}`);
    }
    for (const [name, pattern] of expected) {
      const value = response.headers.get(name);
      if (value === null || !(typeof pattern === 'string' ? value === pattern : value.search(pattern) >= 0))
        throw new Error(`${method} ${url} answered with ${name} ${shown(value)}, not ${pattern}`);
    }
  };
}

function within(wanted: unknown): (status: number) => boolean {
  const [from, to, ...more] = Array.isArray(wanted) ? wanted : [wanted, wanted];
  if (more.length > 0)
    throw bad('httpCheck status', wanted, 'a status, the first and the last, or a function');
  checkNumber('httpCheck status', from, 100, 599, true);
  checkNumber('httpCheck status', to, from, 599, true);
  return status => status >= from && status <= to;
}

function checkObject<T>(name: string, value: T): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(name, value, 'an object');
  return value;
}

/** What breaks off, breaks off here; what is longer than need be is cancelled. */
async function readAway(response: Response): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  for (let size = 0; size <= MOST; ) {
    const { done, value } = await reader.read();
    if (done) return;
    size += value.length;
  }
  reader.cancel().catch(() => {});
}
