import { type Env, systemEnv } from '../base/env.ts';
import { bad, checkFunction } from '../base/errors.ts';
import type { Client } from '../client.ts';
import type { CallOptions, Repeatable } from '../model/call.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Fault } from '../model/observer.ts';
import { readAtOnce } from './body.ts';
import { blame, isStream } from './http.ts';

export { type Classify, classifierOf, httpClassifier } from './http.ts';

/** The standard signature. */
export type FetchLike = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** What a call may say beyond the standard. */
export interface BalancedInit extends RequestInit {
  /** The hash key of this call, whatever the client's `key` says. */
  readonly key?: string | undefined;
  /** Whether this call may be repeated, whatever its method. A body that is a stream never is. */
  readonly repeatable?: boolean | undefined;
}

/** What `key` and `repeatable` may look at. */
export interface RequestView {
  /** As the caller gave it. */
  readonly url: string;
  /** In capitals. */
  readonly method: string;
  /** A header's value, whatever the case of its name. */
  header(name: string): string | undefined;
}

export interface TransportOptions {
  /** What sends a request. Default: the platform's `fetch`, as it is when called. */
  readonly fetch?: FetchLike;
  /** The hash key of a call: a header's name, or a function. Default: none. */
  readonly key?: string | ((request: RequestView) => string | undefined);
  /**
   * Whether a request may be carried out twice. Default: if its method is idempotent (GET, HEAD, OPTIONS, TRACE, PUT,
   * DELETE, QUERY) or it has an `idempotency-key` header. Whatever this says, a request is repeated if the connection
   * was refused, and is not if its body is a stream.
   */
  readonly repeatable?: boolean | ((request: RequestView) => boolean);
  /** The scheme of calls that give only a path. Default: `http`. */
  readonly protocol?: 'http' | 'https';
}

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY']);

/**
 * A `fetch` over a client: keeps everything of a request but the authority of its URL, which is the picked endpoint's.
 *
 * @throws TypeError that names the bad option
 */
export function balancedFetch(
  client: Client,
  options: TransportOptions & { readonly env?: Env },
  report: (fault: Fault) => void,
): (input: string | URL | Request, init?: BalancedInit) => Promise<Response> {
  const { key, repeatable, protocol = 'http', env = systemEnv } = options;
  const send: FetchLike = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  checkFunction('fetch', send);
  if (key !== undefined && typeof key !== 'string') checkFunction('key', key);
  if (repeatable !== undefined && typeof repeatable !== 'boolean') checkFunction('repeatable', repeatable);
  if (protocol !== 'http' && protocol !== 'https') throw bad('protocol', protocol, `'http' or 'https'`);

  /** Asks a function of the user's, which must not break the call. */
  const ask = <T>(source: Fault['source'], question: () => T): T | undefined => {
    try {
      return question();
    } catch (error) {
      report({ source, error });
      return undefined;
    }
  };
  const keyOf = (request: RequestView, init: BalancedInit | undefined): string | undefined => {
    if (init?.key !== undefined) return init.key;
    if (key === undefined) return undefined;
    if (typeof key === 'string') return request.header(key);
    const found = ask('key', () => key(request));
    if (found === undefined || typeof found === 'string') return found;
    report({ source: 'key', error: bad('the key', found, 'a string or undefined') });
    return undefined;
  };
  const mayRepeat = (request: RequestView, init: BalancedInit | undefined): Repeatable => {
    if (init?.repeatable !== undefined) return init.repeatable || 'unsent';
    if (typeof repeatable === 'boolean') return repeatable || 'unsent';
    const said = repeatable && ask('repeatable', () => repeatable(request));
    const usual = IDEMPOTENT.has(request.method) || request.header('idempotency-key') !== undefined;
    return (repeatable ? said === true : usual) || 'unsent';
  };

  return async (input, init) => {
    const request = typeof input === 'object' && 'method' in input ? input : undefined;
    const url = typeof input === 'string' ? input : input instanceof URL ? input.href : (request?.url ?? String(input));
    const { scheme, rest } = split(url, protocol);
    const headers = init?.headers ?? request?.headers;
    const view: RequestView = {
      url,
      method: (init?.method ?? request?.method ?? 'GET').toUpperCase(),
      header: name => headerOf(headers, name),
    };
    const given: RequestInit = request === undefined ? { ...init } : { ...initOf(request), ...init };
    const { signal } = given;
    if (request?.body && init?.body === undefined) given.body = await readAtOnce(request.body, env.clock);
    else if (given.body) given.body = owned(given.body);
    const stream = isStream(given.body);
    if (stream) (given as { duplex?: string }).duplex ??= 'half';
    const call: CallOptions = {
      key: keyOf(view, init),
      signal: signal ?? undefined,
      repeatable: stream ? false : mayRepeat(view, init),
    };
    return client.run((endpoint, attemptSignal) => {
      const target = `${scheme}://${authority(endpoint)}${rest}`;
      const attempt = { ...given, signal: attemptSignal ?? null };
      return send(target, attempt).then(undefined, error => {
        blame(error, target, attempt);
        throw error;
      });
    }, call);
  };
}

/** What stays of a URL without its authority. */
function split(url: string, protocol: string): { readonly scheme: string; readonly rest: string } {
  if (url.startsWith('/') && !url.startsWith('//')) return { scheme: protocol, rest: url };
  const match = /^(https?):\/\/([^/?#\\]*)/i.exec(url);
  if (match === null) throw bad('the URL', url, 'an http or https URL, or a path that begins with /');
  if (match[2]!.includes('@')) throw bad('the URL', url, 'without a user name and password');
  return { scheme: match[1]!.toLowerCase(), rest: url.slice(match[0].length) };
}

const authority = ({ host, port }: Endpoint): string =>
  host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;

function headerOf(headers: RequestInit['headers'], name: string): string | undefined {
  if (headers === undefined) return undefined;
  if ('get' in headers && typeof headers.get === 'function') return headers.get(name) ?? undefined;
  const wanted = name.toLowerCase();
  const entries = Array.isArray(headers) ? headers : Object.entries(headers);
  for (const [key, value] of entries) if (String(key).toLowerCase() === wanted) return String(value);
  return undefined;
}

/** A request as the second argument of `fetch`: building a `Request` per attempt would cost more than all the rest. */
function initOf(request: Request): RequestInit {
  const init: Record<string, unknown> = { signal: request.signal };
  for (const name of CARRIED) if (request[name] !== undefined) init[name] = request[name];
  if (init['mode'] === 'navigate') delete init['mode'];
  return init;
}

const CARRIED = [
  'method',
  'headers',
  'redirect',
  'credentials',
  'cache',
  'mode',
  'referrer',
  'referrerPolicy',
  'integrity',
  'keepalive',
] as const satisfies readonly (keyof Request)[];

/** A copy of a body that its owner may change, for `fetch` promises to have read it when it returns. */
function owned<B extends NonNullable<RequestInit['body']>>(body: B): NonNullable<RequestInit['body']> {
  if (body instanceof ArrayBuffer) return body.slice(0);
  if (ArrayBuffer.isView(body)) {
    return new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength).slice();
  }
  return body instanceof URLSearchParams ? new URLSearchParams(body) : body;
}
