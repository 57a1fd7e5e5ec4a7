/** A body that can be read but once: it can be sent elsewhere only as long as nobody has asked for any of it. */
export abstract class Upload {
  /** The body for one attempt. Those for earlier ones give nothing any more. */
  abstract body(): NonNullable<RequestInit['body']>;
  /** Whether some of it has been asked for, and so may have been sent. */
  abstract readonly begun: boolean;
  /** Whether its source broke off: no member is to blame for that. */
  abstract readonly broken: boolean;
  /** There will be no further attempt: a source that nobody has asked for anything may stop. */
  end(_failed: boolean, _reason?: unknown): void {}
}

type Bytes = Uint8Array<ArrayBuffer>;
type Reader = ReadableStreamDefaultReader<Bytes>;

/** A `ReadableStream`, by its reader. */
export class StreamUpload extends Upload {
  begun = false;
  broken = false;
  readonly #reader: Reader;
  readonly #chunks: Bytes[];
  #next: ReturnType<Reader['read']> | undefined;
  #turn = 0;
  #ended = false;
  #cancelled: { readonly reason: unknown } | undefined;

  /** Of what a reader has read already, is reading, and will read. */
  constructor(reader: Reader, chunks: Bytes[] = [], next?: ReturnType<Reader['read']>) {
    super();
    next?.catch(() => {}); // whoever reads the body will hear of it
    this.#reader = reader;
    this.#chunks = chunks;
    this.#next = next;
  }

  /** Of type `bytes`, and so read no sooner than it is sent: of any other, `fetch` makes branches that read ahead at once. */
  body(): NonNullable<RequestInit['body']> {
    const turn = ++this.#turn;
    this.#cancelled = undefined;
    return new ReadableStream({
      type: 'bytes',
      pull: async (controller: ReadableByteStreamController) => {
        if (turn !== this.#turn) throw new Error('the body is sent by another attempt');
        this.begun = true;
        const chunk = await this.#read();
        if (chunk === undefined) {
          controller.close();
          controller.byobRequest?.respond(0);
        } else controller.enqueue(new Uint8Array(chunk)); // a copy: what it takes, its owner has no more
      },
      cancel: async reason => {
        if (turn !== this.#turn) return;
        if (this.begun || this.#ended) await this.#reader.cancel(reason);
        else this.#cancelled = { reason }; // another attempt may need it yet
      },
    });
  }

  override end(failed: boolean, reason?: unknown): void {
    this.#ended = true;
    const cancelled = failed ? { reason } : this.#cancelled;
    if (cancelled !== undefined) this.#reader.cancel(cancelled.reason).catch(() => {});
  }

  /** The next bytes; nothing at the end. */
  async #read(): Promise<Bytes | undefined> {
    try {
      for (;;) {
        let chunk = this.#chunks.shift();
        if (chunk === undefined) {
          const next = this.#next ?? this.#reader.read();
          this.#next = undefined;
          const { done, value } = await next;
          if (done) return undefined;
          chunk = value;
        }
        if (!isBytes(chunk)) throw new TypeError('the body gives what are no bytes');
        if (chunk.length > 0) return chunk; // what is of type `bytes` may not give less
      }
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }
}

/** An async iterable, which some platforms take for a body. */
export class IterableUpload extends Upload {
  begun = false;
  broken = false;
  readonly #source: AsyncIterable<unknown>;
  #turn = 0;

  constructor(source: AsyncIterable<unknown>) {
    super();
    this.#source = source;
  }

  body(): NonNullable<RequestInit['body']> {
    const turn = ++this.#turn;
    // A generator that is told to stop before it has begun does not touch its source.
    const pieces = { [Symbol.asyncIterator]: () => this.#pieces(turn) };
    return pieces as unknown as NonNullable<RequestInit['body']>;
  }

  async *#pieces(turn: number): AsyncGenerator<unknown> {
    if (turn !== this.#turn) throw new Error('the body is sent by another attempt');
    this.begun = true;
    try {
      yield* this.#source;
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }
}

/** A stream of Node, which is handed on as it is, for there are `fetch`es that take nothing else. It tells if it was read. */
export class NodeUpload extends Upload {
  readonly #source: NodeSource;

  constructor(source: NodeSource) {
    super();
    this.#source = source;
  }

  body(): NonNullable<RequestInit['body']> {
    return this.#source as unknown as NonNullable<RequestInit['body']>;
  }

  get begun(): boolean {
    return this.#source.readableDidRead !== false || this.#source.destroyed !== false;
  }

  get broken(): boolean {
    return Boolean(this.#source.errored);
  }
}

/** What of Node's `Readable` is asked. */
interface NodeSource {
  readonly readableDidRead?: boolean;
  readonly destroyed?: boolean;
  readonly errored?: unknown;
}

/** Whether a body can be read but once. */
export const isStream = (body: unknown): boolean =>
  typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body);

/**
 * Such a body as one that may be sent elsewhere while that is safe.
 *
 * @throws TypeError for a `ReadableStream` that is being read, or has been
 */
export function uploadOf(body: object): Upload {
  // By way of a Response, which refuses a stream that has been read, as nothing else does that leaves it whole.
  if ('getReader' in body)
    return new StreamUpload(new Response(body as ReadableStream<Bytes>).body!.getReader() as Reader);
  return 'pipe' in body
    ? new NodeUpload(body as NodeSource)
    : new IterableUpload(body as AsyncIterable<unknown>);
}

export const isBytes = (value: unknown): boolean =>
  Object.prototype.toString.call(value) === '[object Uint8Array]';
