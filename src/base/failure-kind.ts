/** How an attempt failed, as far as this side can tell. */
export type FailureKind =
  | 'connect' // nothing was sent: refused, unreachable, name not found, no connection in time
  | 'timeout' // its time ran out
  | 'answer' // there was an answer, and it is bad
  | 'error'; // anything else the task threw: a connection that broke, or an error of the protocol

export const FAILURE_KINDS: readonly FailureKind[] = ['connect', 'timeout', 'answer', 'error'];

/** What an error says of how an attempt failed, by the codes and names that Node, undici and Bun use. */
export function kindOf(error: unknown): FailureKind {
  try {
    // `fetch` wraps the socket's error in a TypeError.
    for (let e = error as Trace | null | undefined, depth = 0; e && depth < 4; depth++, e = e.cause) {
      if (e.name === 'TimeoutError') return 'timeout';
      if (typeof e.code !== 'string') continue;
      if (isUnsent(e)) return 'connect';
      if (!TIMEOUTS.has(e.code)) return 'error';
      // Several addresses tried make one error of several, which does not say `connect` itself.
      return /^connect$|^query/.test(e.syscall ?? '') || Array.isArray(e.errors) ? 'connect' : 'timeout';
    }
  } catch {
    // An error that cannot be read.
  }
  return 'error';
}

/**
 * Whether an error shows that nothing had been sent: refused, unreachable, name not found. Unreachable may come later,
 * too; then it is not `connect` that failed.
 */
export function isUnsent(error: unknown): boolean {
  // `fetch` wraps the socket's error in a TypeError.
  for (let e = error as Trace | null | undefined, depth = 0; e && depth < 4; depth++, e = e.cause) {
    if (typeof e.code === 'string') {
      return (
        UNSENT.has(e.code) && (e.syscall === undefined || /^connect$|^getaddrinfo$|^query/.test(e.syscall))
      );
    }
  }
  return false;
}

interface Trace {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly syscall?: string;
  readonly cause?: Trace;
  readonly errors?: unknown;
}

/** Codes of errors that come before the first byte is sent. */
const UNSENT: ReadonlySet<unknown> = /* @__PURE__ */ new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ConnectionRefused', // Bun
]);

/** Codes of errors that come when somebody's time is over, fairlead's own among them. */
const TIMEOUTS: ReadonlySet<unknown> = /* @__PURE__ */ new Set([
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'ETIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'TIMEOUT',
]);
