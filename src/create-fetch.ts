import { bad, checkFunction } from './base/errors.ts';
import type { Names } from './base/options.ts';
import { type CloseOptions, checkClientOptions } from './client.ts';
import type { Fault } from './model/observer.ts';
import { EMITTING_OPTIONS, EmittingClient, type EmittingClientOptions } from './observe/emitter.ts';
import {
  type BalancedInit,
  balancedFetch,
  type Classify,
  classifierOf,
  type TransportOptions,
} from './transport/fetch.ts';

export interface FetchOptions extends Omit<EmittingClientOptions, 'repeatable'>, TransportOptions {
  /**
   * How long each attempt may take until the response's head is there, in ms; sending the request's body is part of
   * it, reading the response's is not. Default: 10 000.
   */
  readonly attemptTimeout?: number | undefined;
  /** Overrides the standard verdict on a response or error where it answers one. Not beside `classifier`. */
  readonly classify?: Classify | undefined;
}

/** What they are called. */
const FETCH_OPTIONS: Names<FetchOptions> = {
  ...EMITTING_OPTIONS,
  ...{ fetch: 1, key: 1, protocol: 1, buffer: 1, attemptHeader: 1, deadlineHeader: 1, classify: 1 },
};

/** A `fetch` whose host names a service: path, query, headers and body are the caller's, the instance is picked. */
export interface BalancedFetch {
  (input: string | URL | Request, init?: BalancedInit): Promise<Response>;
  /** The client under it: its events, its members. */
  readonly client: EmittingClient;
  /** Stops following discovery and refuses new calls; those that run go on, with `drain` for so many ms at most. */
  close(options?: CloseOptions): Promise<void>;
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
  checkClientOptions<FetchOptions>('createFetch', options, FETCH_OPTIONS);
  const { attemptTimeout = 10_000, classify, repeatable: _, ...rest } = options;
  if (classify !== undefined) {
    checkFunction('classify', classify);
    if (options.classifier !== undefined)
      throw bad('classify', classify, 'absent where there is a classifier');
  }
  const report = (fault: Fault): void => client.report(fault);
  const classifier =
    options.classifier ?? classifierOf(classify, error => report({ source: 'classifier', error }));
  // Before the client, which follows discovery as soon as it is made: a bad option must leave nothing running.
  const fetch = balancedFetch((task, call) => client.run(task, call), options, report);
  const client = new EmittingClient({ ...rest, attemptTimeout, classifier });
  const close = (options?: CloseOptions): Promise<void> => client.close(options);
  return Object.assign(fetch, { client, close, [Symbol.asyncDispose]: () => close() });
}
