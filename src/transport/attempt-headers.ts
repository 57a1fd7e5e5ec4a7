import type { Clock } from '../base/env.ts';
import { bad } from '../base/errors.ts';
import type { Call } from '../model/call.ts';

/** What servers are told of an attempt, in headers of those names, which replace the caller's. */
export interface AttemptHeaders {
  /** The header for the number of the attempt, from 1, over retries and hedges. Default: none. Envoy: `x-envoy-attempt-count`. */
  readonly attemptHeader?: string | undefined;
  /**
   * The header for how long the answer is still waited for, in whole ms, at least 1: the least of what is left of
   * `timeout` and of `attemptTimeout`. Default: none. Envoy: `x-envoy-expected-rq-timeout-ms`.
   */
  readonly deadlineHeader?: string | undefined;
}

/** Adds what servers are told to a request's headers, which it leaves as they are. */
export type Announce = (headers: RequestInit['headers'], call: Call) => Headers;

/**
 * Nothing where no header is named.
 *
 * @throws TypeError for what is not the name of a header
 */
export function announcing(
  { attemptHeader, deadlineHeader }: AttemptHeaders,
  clock: Clock,
): Announce | undefined {
  for (const [option, name] of Object.entries({ attemptHeader, deadlineHeader }))
    if (name !== undefined && !(typeof name === 'string' && NAME.test(name)))
      throw bad(option, name, 'the name of a header');
  if (attemptHeader === undefined && deadlineHeader === undefined) return undefined;
  return (given, call) => {
    const headers = new Headers(given);
    if (attemptHeader !== undefined) headers.set(attemptHeader, String(call.attempt));
    if (deadlineHeader !== undefined) {
      if (call.deadline === undefined) headers.delete(deadlineHeader);
      // At least 1: to some servers 0 means for ever.
      else headers.set(deadlineHeader, String(Math.max(1, Math.floor(call.deadline - clock.now()))));
    }
    return headers;
  };
}

/** A token, in the words of RFC 9110, 5.6.2. */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;
