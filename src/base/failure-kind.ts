import { bad } from './errors.ts';

/** How an attempt failed, as far as this side can tell. */
export type FailureKind =
  | 'connect' // nothing was sent: refused, unreachable, name not found, no connection in time
  | 'timeout' // its time ran out
  | 'answer' // there was an answer, and it is bad
  | 'error'; // anything else the task threw: a connection that broke, or an error of the protocol

export const KINDS: readonly unknown[] = ['connect', 'timeout', 'answer', 'error'];

/** @throws TypeError for what is no kind. Answers it */
export function checkKind(name: string, kind: FailureKind): FailureKind {
  if (!KINDS.includes(kind)) throw bad(name, kind, KINDS.join(', '));
  return kind;
}

/** What an error says of how an attempt failed, by the codes and names that Node, undici and Bun use. */
export function kindOf(error: unknown): FailureKind {
  try {
    // `fetch` wraps the socket's error in a TypeError.
    for (let e = error as Trace | null | undefined, depth = 0; e && depth < 4; depth++, e = e.cause) {
      if (e.name === 'TimeoutError') return 'timeout';
      if (typeof e.code !== 'string') continue;
      // Of several addresses tried, what became of the first.
      const { syscall } = e.errors?.[0] ?? e;
      const before = /^connect$|^getaddrinfo$|^query/.test(syscall ?? '');
      if (TIMEOUTS.test(e.code)) return before ? 'connect' : 'timeout';
      // Unreachable may come later, too; then it is not `connect` that failed.
      return UNSENT.test(e.code) && (before || syscall === undefined) ? 'connect' : 'error';
    }
  } catch {
    // An error that cannot be read.
  }
  return 'error';
}

/** Whether an error shows that nothing had been sent: refused, unreachable, name not found, no connection in time. */
export const isUnsent = (error: unknown): boolean => kindOf(error) === 'connect';

interface Trace {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly syscall?: string;
  readonly cause?: Trace;
  readonly errors?: readonly Trace[];
}

/** Codes of errors that come before the first byte is sent. The last is Bun's. */
const UNSENT =
  /^(E(CONNREFUSED|NOTFOUND|AI_AGAIN|(HOST|NET)UNREACH|ADDRNOTAVAIL)|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$/;

/** Codes of errors that come when somebody's time is over, fairlead's own among them. */
const TIMEOUTS = /^(E(SOCKET)?TIMEDOUT|ETIMEOUT|UND_ERR_(HEADERS|BODY)_TIMEOUT|TIMEOUT)$/;
