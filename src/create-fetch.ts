import { createClient, type EmittingClient, type EmittingClientOptions } from './observe/emitter.ts';
import {
  type BalancedInit,
  balancedFetch,
  type Classify,
  classifierOf,
  type TransportOptions,
} from './transport/fetch.ts';

export interface FetchOptions extends Omit<EmittingClientOptions, 'repeatable'>, TransportOptions {
  /** How long each attempt may take until the response's head is there, in ms. Default: 10 000. */
  readonly attemptTimeout?: number;
  /** Overrides the standard verdict on a response or error where it answers one. Not beside `classifier`. */
  readonly classify?: Classify;
}

/** A `fetch` whose host names a service: path, query, headers and body are the caller's, the instance is picked. */
export interface BalancedFetch {
  (input: string | URL | Request, init?: BalancedInit): Promise<Response>;
  /** The client under it: its events, its members. */
  readonly client: EmittingClient;
  /** Stops following discovery and refuses new calls; those that run go on. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A `fetch` spread over the instances of a service. The host in a URL is a name for people; the instance's own is
 * put in its place, in the `Host` header too, for the platform's `fetch` lets nobody else set it.
 *
 * Failed calls are repeated at another instance where that is safe. The last response is returned, whatever its
 * status; the last error is thrown. The caller's `signal` gives a call up at once, with the signal's reason.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export function createFetch(options: FetchOptions): BalancedFetch {
  const { attemptTimeout = 10_000, classify, classifier = classifierOf(classify) } = options;
  const { repeatable: _, ...rest } = options;
  const client = createClient({ ...rest, attemptTimeout, classifier });
  const fetch = balancedFetch(client, options, fault => client.report(fault));
  const close = (): Promise<void> => client.close();
  return Object.assign(fetch, { client, close, [Symbol.asyncDispose]: close });
}
