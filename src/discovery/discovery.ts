import { type Clock, type Env, jittered } from '../base/env.ts';
import { bad, checkFunction, checkNumber, FairleadError } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import { sleep, within } from '../base/signal.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { readSet } from './endpoints.ts';

/**
 * A source of endpoints: a stream of full sets, each replacing the one before; usually an async generator. It may
 * throw, and is then started afresh; it may end, and its last set then stands. When the signal aborts it should
 * end soon; nobody waits for it. Its timers do not keep the process alive. What goes wrong without ending the
 * stream it can `report`.
 */
export type Discovery = (
  env: Env,
  signal: AbortSignal,
  report: (error: unknown) => void,
) => AsyncIterable<readonly Endpoint[]>;

/**
 * A set that never changes. A string is `host:port`, and is its own id; an IPv6 address goes in brackets.
 *
 * @throws TypeError for what is not an array, or not `host:port`; FairleadError BAD_ENDPOINTS for an unusable endpoint
 */
export function fixed(endpoints: readonly (Endpoint | string)[]): Discovery {
  if (!Array.isArray(endpoints)) throw bad('endpoints', endpoints, 'an array');
  const set = endpoints.map((endpoint: Endpoint | string) =>
    typeof endpoint === 'string' ? parsed(endpoint) : endpoint,
  );
  readSet(set, error => {
    throw error;
  });
  return async function* () {
    yield set;
  };
}

/** An endpoint from `host:port`. */
export function parsed(text: string): Endpoint {
  const match = /^(\[[^\]]+\]|[^:/]+):(\d+)$/.exec(text);
  if (match === null) throw bad('endpoint', text, '"host:port"');
  return { id: text, host: match[1]!, port: Number(match[2]) };
}

export interface PollOptions {
  /** How long to wait after each answer, in ms, give or take a tenth. Default: 10 000. */
  readonly interval?: number | undefined;
  /** How long an answer may take, in ms. Default: 5000. */
  readonly timeout?: number | undefined;
}

/**
 * Asks again and again. An answer that is late or an error makes `follow` start it afresh, after a back-off.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function poll(
  list: (signal: AbortSignal) => PromiseLike<readonly Endpoint[]>,
  options: PollOptions = {},
): Discovery {
  const { interval = 10_000, timeout = 5000 } = checkOptions('poll', options, { interval: 1, timeout: 1 });
  checkFunction('poll list', list);
  checkNumber('poll interval', interval, 1);
  checkNumber('poll timeout', timeout, 1);
  return async function* ({ clock, random }, signal) {
    while (!signal.aborted) {
      yield await inTime(clock, timeout, signal, list);
      await sleep(clock, jittered(random, interval, 0.1), signal);
    }
  };
}

/** Bounds one question to a registry. */
export const inTime = <T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => PromiseLike<T>,
): Promise<T> =>
  within(
    clock,
    ms,
    signal,
    () => new FairleadError('DISCOVERY', `discovery gave no answer within ${ms} ms`),
    ask,
  );
