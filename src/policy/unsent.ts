/** Whether an error shows that nothing had been sent: refused, unreachable, name not found. */
export const isUnsent = (error: unknown): boolean => UNSENT.has(codeOf(error));

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

/** The code of an error or of what caused it: `fetch` wraps the socket's error in a TypeError. */
function codeOf(error: unknown): unknown {
  for (let e = error as { code?: unknown; cause?: unknown } | undefined, depth = 0; e && depth < 4; depth++) {
    if (typeof e.code === 'string') return e.code;
    e = e.cause as typeof e;
  }
  return undefined;
}
