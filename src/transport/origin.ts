import type { Endpoint } from '../model/endpoint.ts';

/** Errors of connections that were not to the endpoint: it had answered, with a redirect. */
const elsewhere = /* @__PURE__ */ new WeakSet<object>();
/** Errors of connections that may not have been to the endpoint. */
const doubtful = /* @__PURE__ */ new WeakSet<object>();

const isIn = (errors: WeakSet<object>, error: unknown): boolean =>
  typeof error === 'object' && error !== null && errors.has(error);

/** Whether the endpoint had done its part when this happened. */
export const isElsewhere = (error: unknown): boolean => isIn(elsewhere, error);

/** Whether the request may have been carried out before this happened, though it looks as if nothing had been sent. */
export const isDoubtful = (error: unknown): boolean => isIn(doubtful, error);

/**
 * Marks an error by the connection it came from. `fetch` follows redirects by itself: a refused connection may be that
 * to the place a redirect named, and then the request has been carried out. What cannot be told is doubtful.
 */
export function markOrigin(
  error: unknown,
  { port }: Endpoint,
  url: string,
  redirect: string = 'follow',
): void {
  if (redirect !== 'follow' || typeof error !== 'object' || error === null) return;
  const bare = hostIn(url);
  const told = traceOf(error);
  const isAddress = bare !== undefined && /^[\d.]+$|:/.test(bare);
  if (
    (told.hostname !== undefined && told.hostname !== bare) ||
    (told.port !== undefined && told.port !== port) ||
    (told.address !== undefined && isAddress && told.address !== bare)
  ) {
    elsewhere.add(error);
  }
  const known =
    (told.hostname !== undefined && told.hostname === bare) ||
    (told.port === port && told.address === bare) ||
    told.input === url || // the URL could not be read
    told.path?.startsWith(url.slice(0, url.indexOf('/', 8) + 1)) || // Bun
    told.message?.includes(`(${url.slice(0, url.indexOf('/', 8) + 1)}`); // Deno
  if (!known) doubtful.add(error);
}

/** A URL's host as `fetch` reads it, and as errors name it: in small letters, an address in its usual form. */
function hostIn(url: string): string | undefined {
  try {
    return new URL(url).hostname.replace(/^\[|\]$/g, '');
  } catch {
    return undefined; // then it was not so much as tried
  }
}

interface Trace {
  readonly code?: unknown;
  readonly cause?: Trace;
  readonly errors?: readonly Trace[];
  readonly message?: string;
  readonly hostname?: string;
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;
  readonly input?: string;
}

/** The error that says where: what others wrap, or the first of several. */
function traceOf(error: object): Trace {
  let trace = error as Trace;
  for (let depth = 0; depth < 4; depth++) {
    const inner: Trace | undefined = trace.errors?.[0] ?? trace.cause;
    if (typeof inner !== 'object' || inner === null) break;
    trace = inner;
  }
  return trace;
}
