import type { Clock } from '../base/env.ts';

/** The most that is held in memory so that a request can be repeated. */
const MOST = 1 << 20;

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

/** Whether a body can be read but once. */
export const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body);

/** A body that is sent as it comes, and therefore once. */
export class Upload {
  /** The bytes, read no sooner than they are asked for. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Whether its source broke off: no member is to blame for that. */
  broken = false;
  readonly #reader: Reader;

  /** Of what a reader has read already, is reading, and will read. */
  constructor(reader: Reader, chunks: Uint8Array<ArrayBuffer>[] = [], next?: ReturnType<Reader['read']>) {
    next?.catch(() => {}); // whoever reads the stream will hear of it
    let pending = next;
    this.#reader = reader;
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull: async controller => {
          let chunk = chunks.shift();
          if (chunk === undefined) {
            let read: Awaited<ReturnType<Reader['read']>>;
            try {
              read = await (pending ?? reader.read());
            } catch (error) {
              this.broken = true;
              throw error;
            }
            pending = undefined;
            if (read.done) return controller.close();
            chunk = read.value;
          }
          if (!isBytes(chunk)) this.broken = true; // `fetch` will not have it
          controller.enqueue(chunk);
        },
        cancel: reason => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /** For when nobody will read it. */
  cancel(reason: unknown): void {
    this.#reader.cancel(reason).catch(() => {});
  }
}

/**
 * A body as it can be sent, again and again unless it is a stream: with what its owner may change meanwhile copied,
 * for `fetch` promises to have read it when it returns.
 *
 * @throws TypeError for a stream that is being read, or has been
 */
export function sendable(body: RequestInit['body']): RequestInit['body'] | Upload {
  if (typeof body !== 'object' || body === null) return body;
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
  if (!('getReader' in body)) return body;
  // By way of a Response, which refuses a stream that has been read, as nothing else does that leaves it whole.
  return new Upload(new Response(body).body!.getReader() as Reader);
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
      if (waited) return new Upload(reader, chunks, next);
      const { done, value } = await next;
      if (done) return joined(chunks, size);
      chunks.push(value);
      if (!isBytes(value) || (size > 0 && size + value.length > MOST)) return new Upload(reader, chunks);
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

const isBytes = (value: unknown): boolean => Object.prototype.toString.call(value) === '[object Uint8Array]';
