/** What an attempt says of its member: not whether the caller is pleased. */
export type Outcome =
  | 'success' // the member did its work: a 404 is a success
  | 'failure' // the member is at fault: refused, reset, timed out, 5xx
  | 'ignored'; // no evidence either way: the caller gave up, or made a mistake

/** Judges the results of one protocol. */
export interface Classifier {
  value(value: unknown): Outcome;
  error(error: unknown): Outcome;
  /** Whether the error shows that nothing was sent, so that any task may be run again. */
  unsent?(error: unknown): boolean;
  /** What of a value is still to come, such as the body of a response: while it lives, the caller may abort it. */
  arriving?(value: unknown): object | null | undefined;
  /** Lets go of a value nobody will read, such as the body of a response to be retried. */
  discard?(value: unknown): void;
}

/** Any value is a success, any error the member's failure. The default where the protocol is unknown. */
export const anyError: Classifier = {
  value: () => 'success',
  error: () => 'failure',
  unsent: error => UNSENT.has(codeOf(error)),
};

/** Codes of errors that come before the first byte is sent. */
const UNSENT: ReadonlySet<unknown> = new Set([
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
