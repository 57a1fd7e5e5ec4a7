import type { Clock } from '../base/env.ts';

/** The most that is held in memory so that a request can be repeated. */
const MOST = 1 << 20;

/**
 * Reads a request's body if it is there to be read: of up to 1 MiB, and at once, as that of a `Request` made from
 * a string or bytes is. Else answers a stream of the same bytes, which keeps a live upload live.
 */
export async function readAtOnce(
  body: ReadableStream<Uint8Array>,
  clock: Clock,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  let waited = false;
  const moment = new Promise<void>(resolve => {
    clock.after(0, () => {
      waited = true;
      resolve();
    });
  });
  for (;;) {
    const next = reader.read();
    await Promise.race([next, moment]);
    if (waited || size > MOST) return resumed(chunks, next, reader);
    const { done, value } = await next;
    if (done) return joined(chunks, size);
    chunks.push(value);
    size += value.length;
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** What was read, what is being read, and the rest. */
function resumed(
  chunks: Uint8Array[],
  next: ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>,
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  next.catch(() => {}); // whoever reads the stream will hear of it
  let pending: typeof next | undefined = next;
  return new ReadableStream({
    async pull(controller) {
      const first = chunks.shift();
      if (first !== undefined) return controller.enqueue(first);
      const { done, value } = await (pending ?? reader.read());
      pending = undefined;
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: reason => reader.cancel(reason),
  });
}
