import { EventEmitter } from 'eventemitter3';
import { type Client, type ClientOptions, createClient as createCoreClient } from '../client.ts';
import type { CallOptions, Task } from '../model/call.ts';
import { type Fault, type Observer, tell } from '../model/observer.ts';
import type { Pool } from '../pool.ts';

/** The events of a client: what an `Observer` is told, under the same names. */
export type ClientEvents = { [K in keyof Observer]-?: Parameters<NonNullable<Observer[K]>> };

const EVENTS: readonly (keyof ClientEvents)[] = [
  'members',
  'discoveryError',
  'attempt',
  'attemptEnd',
  'retry',
  'giveUp',
  'breaker',
  'panic',
  'fault',
];

/** A client that emits what happens. Listeners are called synchronously; what they throw goes to `fault`. */
export class EmittingClient extends EventEmitter<ClientEvents> implements Client {
  readonly #client: Client;
  readonly #observer: Observer;

  /** @throws RangeError or TypeError that names the bad option */
  constructor(options: ClientOptions) {
    super();
    this.#observer = this.#observe(options.observer);
    this.#client = createCoreClient({ ...options, observer: this.#observer });
  }

  /** Makes a fault known, as those inside the client are. */
  report(fault: Fault): void {
    tell(this.#observer, 'fault', fault);
  }

  get pool(): Pool {
    return this.#client.pool;
  }

  run<T>(task: Task<T>, options?: CallOptions): Promise<T> {
    return this.#client.run(task, options);
  }

  ready(signal?: AbortSignal): Promise<void> {
    return this.#client.ready(signal);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }

  /** The listeners, and the user's observer before them. */
  #observe(observer: Observer | undefined): Observer {
    const both: Record<string, (...args: unknown[]) => void> = {};
    for (const event of EVENTS) {
      both[event] = (first, second) => {
        try {
          (observer?.[event] as ((...args: unknown[]) => void) | undefined)?.call(observer, first, second);
        } finally {
          if (this.listenerCount(event) > 0) (this.emit as (...args: unknown[]) => boolean)(event, first, second);
        }
      };
    }
    return both;
  }
}

/**
 * A client of one service, which emits what happens. Everything but `discovery` has a default.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export const createClient = (options: ClientOptions): EmittingClient => new EmittingClient(options);
