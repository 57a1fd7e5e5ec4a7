import type { Clock } from '../base/env.ts';
import { isBytes, isStream, StreamUpload, type Upload, uploadOf } from './upload.ts';

/** The most that is held in memory so that a request can be repeated. */
const MOST = 1 << 20;

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

/**
 * A body as it can be sent, again and again unless it is an upload: with what its owner may change meanwhile copied,
 * for `fetch` promises to have read it when it returns.
 *
 * @throws TypeError for a stream that is being read, or has been
 */
export function sendable(body: RequestInit['body']): RequestInit['body'] | Upload {
  if (typeof body !== 'object' || body === null) return body;
  if (isStream(body)) return uploadOf(body);
  if (body instanceof ArrayBuffer) return body.slice(0);
  if (ArrayBuffer.isView(body)) {
    return new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength).slice();
  }
  if (body instanceof URLSearchParams) return new URLSearchParams(body);
  if (body instanceof FormData) {
    const copy = new FormData();
    for (const [name, value] of body) copy.append(name, value as string);
    return copy;
  }
  return body;
}

/**
 * The body of a `Request`: its bytes if they are there to be read at once, as those of a string, a form or a blob are,
 * and come to 1 MiB or in one piece. Else an upload, which keeps live what is live.
 *
 * @throws TypeError if it is being read, or has been
 */
export async function bodyOf(request: Request, clock: Clock): Promise<Uint8Array<ArrayBuffer> | Upload> {
  if (request.bodyUsed) throw new TypeError('the body of the Request has been read already');
  const reader = request.body!.getReader() as Reader;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  let waited = false;
  let cancel = (): void => {};
  const moment = new Promise<void>(resolve => {
    cancel = clock.after(0, () => {
      waited = true;
      resolve();
    });
  });
  try {
    for (;;) {
      const next = reader.read();
      await Promise.race([next, moment]);
      if (waited) return new StreamUpload(reader, chunks, next);
      const { done, value } = await next;
      if (done) return joined(chunks, size);
      chunks.push(value);
      if (!isBytes(value) || (size > 0 && size + value.length > MOST))
        return new StreamUpload(reader, chunks);
      size += value.length;
    }
  } finally {
    cancel();
  }
}

function joined(chunks: readonly Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
