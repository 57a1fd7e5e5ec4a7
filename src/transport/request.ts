/** What `key` and `repeatable` may look at. */
export interface RequestView {
  /** As the caller gave it. */
  readonly url: string;
  /** In capitals. */
  readonly method: string;
  /** A header's value, whatever the case of its name. */
  header(name: string): string | undefined;
}

/** The arguments of `fetch` in one form. Its headers are a copy; its body is still the caller's. */
export interface Given {
  readonly view: RequestView;
  readonly init: RequestInit;
  /** The `Request` whose body is to be sent, which `init` does not hold. */
  readonly bodyOf: Request | undefined;
  /** The `Request` whose signal `init` holds. */
  readonly signalOf: Request | undefined;
}

/** As the standard has it, `init` overrides what a `Request` says, and what is undefined is not there. */
export function readArguments(input: string | URL | Request, given: RequestInit | undefined): Given {
  const init: Record<string, unknown> = {};
  const requests = [input, given].filter(isRequest);
  for (const request of requests) carry(request, init);
  let bodyOf = requests.findLast(({ body }) => body);
  let signalOf = requests.at(-1);
  if (!isRequest(given)) {
    for (const name in given) {
      const value = given[name as keyof RequestInit];
      if (value !== undefined && name !== 'key' && name !== 'repeatable') init[name] = value;
    }
    if (given?.body !== undefined && given.body !== null) bodyOf = undefined;
    if (given?.signal !== undefined) signalOf = undefined;
  }
  const headers = copied(init['headers'] as RequestInit['headers']);
  if (headers !== undefined) init['headers'] = headers;
  const view: RequestView = {
    url: isRequest(input) ? input.url : String(input),
    method: String(init['method'] ?? 'GET').toUpperCase(),
    header: name => headerOf(headers, name),
  };
  return { view, init, bodyOf, signalOf };
}

const isRequest = (value: unknown): value is Request =>
  typeof value === 'object' && value !== null && 'method' in value && 'bodyUsed' in value;

/** A `Request` as the second argument of `fetch`: making one for each attempt would cost more than all the rest. */
function carry(request: Request, init: Record<string, unknown>): void {
  for (const name of CARRIED) if (request[name] !== undefined) init[name] = request[name];
  if (init['mode'] === 'navigate') delete init['mode']; // nobody may ask for that
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
  'signal',
] as const satisfies readonly (keyof Request)[];

/** The caller may change its headers as soon as `fetch` has returned. */
function copied(headers: RequestInit['headers']): RequestInit['headers'] {
  if (typeof headers !== 'object' || headers === null) return headers;
  if (headers instanceof Headers) return new Headers(headers);
  if (!(Symbol.iterator in headers)) return { ...headers };
  return Array.from(headers as Iterable<[string, string]>, pair => [...pair]);
}

function headerOf(headers: RequestInit['headers'], name: string): string | undefined {
  if (headers === undefined || headers === null) return undefined;
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const wanted = name.toLowerCase();
  let found: string | undefined;
  for (const [key, value] of Array.isArray(headers) ? headers : Object.entries(headers)) {
    if (String(key).toLowerCase() === wanted)
      found = found === undefined ? String(value) : `${found}, ${value}`;
  }
  return found;
}
