import { isStream, StreamUpload, type Upload } from './upload.ts';

/** Errors of `fetch` that are the caller's doing: a bad header, a used body. No member is to blame for them. */
const mistakes = /* @__PURE__ */ new WeakSet<object>();

export const isCallers = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && mistakes.has(error);

/** Marks an error of `fetch` if the request is at fault, and not who was to answer it. */
export function markMistake(error: unknown, init: RequestInit, upload: Upload | undefined): void {
  if (typeof error === 'object' && error !== null && isMistake(error, init, upload)) mistakes.add(error);
}

function isMistake(error: object, init: RequestInit, upload: Upload | undefined): boolean {
  const { body } = init;
  if (upload?.broken || (body as { errored?: unknown } | null | undefined)?.errored) return true;
  if (!(error instanceof TypeError)) return false;
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  if (code !== undefined || cause !== undefined) return MISTAKES.has(code ?? cause?.code);
  // An error of the network has one or the other but in browsers, where nothing tells but trying.
  if (isStream(body) && !(upload instanceof StreamUpload)) return true;
  try {
    new Request('http://localhost/', { ...init, signal: null, ...(upload && { body: '' }) });
    return false;
  } catch {
    return true;
  }
}

/** Codes of what Node and Bun refuse to send. */
const MISTAKES: ReadonlySet<unknown> = /* @__PURE__ */ new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  'ERR_INVALID_ARG_VALUE',
  'ERR_INVALID_ARG_TYPE',
  'ERR_BODY_ALREADY_USED',
]);
