import type { Classifier, Outcome } from '../model/outcome.ts';

/** Errors of `fetch` that are the caller's doing: a bad header, a used body. No member is to blame for them. */
export const callersErrors: WeakSet<object> = new WeakSet();

/** Says of a result what it means, or nothing, for the standard verdict. */
export type Classify = (response: Response | undefined, error: unknown) => Outcome | undefined;

/**
 * The verdict on an HTTP exchange. Failures: no answer (refused, reset, timed out), 408, 429, and 5xx but for
 * 501 and 505, which tell of the request and not of the member. Everything else shows the member working.
 */
export function classifierOf(classify?: Classify): Classifier {
  return {
    value: response => classify?.(response as Response, undefined) ?? ofStatus((response as Response).status),
    error: error => classify?.(undefined, error) ?? (isCallers(error) ? 'ignored' : 'failure'),
    arriving: response => (response as Response).body,
    discard: response => void (response as Response).body?.cancel().catch(() => {}),
  };
}

/** The standard verdict, for clients of your own that deal in `Response`s. */
export const httpClassifier: Classifier = classifierOf();

const ofStatus = (status: number): Outcome =>
  (status >= 500 && status !== 501 && status !== 505) || status === 429 || status === 408 ? 'failure' : 'success';

const isCallers = (error: unknown): boolean => typeof error === 'object' && error !== null && callersErrors.has(error);

/** Marks an error if the request itself is what `fetch` could not accept. Elsewhere than in Node only trying tells. */
export function blame(error: unknown, url: string, init: RequestInit): void {
  if (!(error instanceof TypeError) || 'code' in error) return;
  const { cause } = error as { cause?: { code?: unknown } };
  if (cause !== undefined) {
    if (REQUESTS_FAULT.has(cause?.code)) callersErrors.add(error);
    return;
  }
  try {
    const body = isStream(init.body) ? null : init.body;
    new Request(url, { ...init, signal: null, ...(body === undefined ? {} : { body }) });
  } catch {
    callersErrors.add(error);
  }
}

const REQUESTS_FAULT: ReadonlySet<unknown> = new Set([
  'ERR_INVALID_URL',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

/** Whether a body can be read but once. */
export const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body);
