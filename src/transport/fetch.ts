import { type Env, systemEnv } from '../base/env.ts';
import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import type { Client } from '../client.ts';
import type { Call, CallOptions } from '../model/call.ts';
import type { Fault } from '../model/observer.ts';
import { type AttemptHeaders, announcing } from './attempt-headers.ts';
import { bodyOf, sendable } from './body.ts';
import { hold } from './hold.ts';
import { markMistake } from './mistake.ts';
import { markOrigin } from './origin.ts';
import { type RequestView, readArguments } from './request.ts';
import { Upload } from './upload.ts';
import { readTarget, urlAt } from './url.ts';

export { type Classify, classifierOf, httpClassifier } from './http.ts';
export type { RequestView } from './request.ts';

/** What sends a request: any `fetch`. */
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>;

/** What a call may say beyond the standard. */
export interface BalancedInit extends RequestInit {
  /** The hash key of this call, whatever the client's `key` says. */
  readonly key?: string | undefined;
  /** Whether this call may be repeated, whatever its method. A body that is a stream never is once any of it was read. */
  readonly repeatable?: boolean | undefined;
}

export interface TransportOptions extends AttemptHeaders {
  /** What sends a request. Default: the platform's `fetch`, as it is when called. */
  readonly fetch?: FetchLike | undefined;
  /** The hash key of a call: a header's name, or a function. Default: none. */
  readonly key?: string | ((request: RequestView) => string | undefined) | undefined;
  /**
   * Whether a request may be carried out twice. Default: if its method is idempotent (GET, HEAD, OPTIONS, TRACE, PUT,
   * DELETE, QUERY) or it has an `idempotency-key` header. Whatever this says, a request is repeated if the connection
   * to the endpoint was refused (where redirects are followed: if the error tells that it was that one), and only then
   * if its body is a stream, of which moreover nothing may have been read.
   */
  readonly repeatable?: boolean | ((request: RequestView) => boolean) | undefined;
  /** The scheme of calls that give only a path. Default: `http`. */
  readonly protocol?: 'http' | 'https' | undefined;
  /**
   * Response bodies up to so many bytes belong to the attempt: one that breaks off or is late is the member's failure, and
   * the request is repeated if it may be, before the caller has anything of it. Longer ones, and `text/event-stream`, are
   * handed on as they come. Default: 0, no body is held back.
   */
  readonly buffer?: number | undefined;
}

const isIdempotent = ({ method, header }: RequestView): boolean =>
  IDEMPOTENT.has(method) || header('idempotency-key') !== undefined;

const IDEMPOTENT: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
  'QUERY',
]);

/**
 * A `fetch` over the `run` of a client: keeps everything of a request but the authority of its URL, which is that of
 * the picked endpoint.
 *
 * @throws TypeError that names the bad option
 */
export function balancedFetch(
  run: Client['run'],
  options: TransportOptions & { readonly env?: Env | undefined },
  report: (fault: Fault) => void,
): (input: string | URL | Request, init?: BalancedInit) => Promise<Response> {
  const { key, repeatable, protocol = 'http', buffer = 0, env = systemEnv } = options;
  const { fetch: send = (url, init) => globalThis.fetch(url, init) } = options;
  checkFunction('fetch', send);
  if (key === '' || (key !== undefined && typeof key !== 'string')) checkFunction('key', key);
  if (repeatable !== undefined && typeof repeatable !== 'boolean') checkFunction('repeatable', repeatable);
  if (protocol !== 'http' && protocol !== 'https') throw bad('protocol', protocol, `'http' or 'https'`);
  checkNumber('buffer', buffer, 0, Number.MAX_SAFE_INTEGER);
  const announce = announcing(options, env.clock);

  /** A function of the user's, whose errors and nonsense are reported and are no answer. */
  const asking =
    <T>(
      source: 'key' | 'repeatable',
      type: 'string' | 'boolean',
      ask: (request: RequestView) => T | undefined,
    ) =>
    (request: RequestView): T | undefined => {
      try {
        const answer = ask(request);
        if (answer === undefined || typeof answer === type) return answer;
        throw bad(`the answer of ${source}`, answer, `a ${type}`);
      } catch (error) {
        report({ source, error });
        return undefined;
      }
    };
  const keyOf =
    typeof key === 'function'
      ? asking('key', 'string', key)
      : (request: RequestView) => (key === undefined ? undefined : request.header(key));
  const mayRepeat =
    typeof repeatable === 'function'
      ? asking('repeatable', 'boolean', repeatable)
      : (request: RequestView) => repeatable ?? isIdempotent(request);

  return async (input, given) => {
    const { view, init, bodyOf: request, signalOf } = readArguments(input, given);
    const target = readTarget(view.url, protocol);
    if (typeof (given?.repeatable ?? false) !== 'boolean')
      throw bad('repeatable', given?.repeatable, 'a boolean');
    const body = request === undefined ? sendable(init.body) : await bodyOf(request, env.clock);
    const upload = body instanceof Upload ? body : undefined;
    if (upload !== undefined) init.duplex ??= 'half';
    else if (body) init.body = body as Exclude<typeof body, Upload>;
    const call: CallOptions = {
      key: given?.key ?? keyOf(view),
      signal: init.signal ?? undefined,
      repeatable: upload === undefined && (given?.repeatable ?? mayRepeat(view)) ? true : 'unsent',
    };
    try {
      const response = await run(async (endpoint, signal, part) => {
        const attempt: RequestInit = { ...init, signal: signal ?? null };
        if (upload !== undefined) attempt.body = upload.body();
        const url = urlAt(endpoint, target);
        let response: Response;
        try {
          if (announce !== undefined) attempt.headers = announce(init.headers, part);
          response = await send(url, attempt);
        } catch (error) {
          markMistake(error, attempt, upload);
          markOrigin(error, endpoint, url, attempt.redirect);
          if (upload?.begun) forbid(part);
          throw error;
        }
        return buffer > 0 ? hold(response, buffer) : response;
      }, call);
      upload?.end(false);
      if (signalOf && response.body) owners.set(response.body, signalOf);
      return response;
    } catch (error) {
      upload?.end(true, error);
      throw error;
    }
  };
}

/** Whatever the error looks like, the call may not be run again: some of its body is gone. */
function forbid(part: Call): void {
  for (let call: Call | undefined = part; call !== undefined; call = call.whole) call.repeatable = false;
}

/** Who made the signal that a body in use heeds. Node lets it be collected, and then nobody would hear of an abort. */
const owners = /* @__PURE__ */ new WeakMap<object, Request>();
