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
  readonly code?: unknown;
  readonly syscall?: string;
  readonly cause?: Trace;
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
