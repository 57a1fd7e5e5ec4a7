import type { FailureKind } from './failure-kind.ts';

/**
 * What went wrong, for programs:
 * - `NO_ENDPOINTS`: discovery has given no endpoint to call, or none in time;
 * - `NO_AVAILABLE_ENDPOINT`: every endpoint is refused by its breaker, and `panic` is off;
 * - `TIMEOUT`: a `timeout` policy's time ran out;
 * - `OVERLOADED`: as much is in flight as may be, and there is no room, or no more time, to wait;
 * - `THROTTLED`: the service fails so many calls that `throttle` has not let this one through;
 * - `OPEN`: the breaker round the service, of `serviceBreaker`, is open;
 * - `CLOSED`: the client was closed;
 * - `BAD_ENDPOINTS`: discovery gave something that is not a usable set of endpoints;
 * - `DISCOVERY`: a discovery source failed in a way it cannot express by an error of its own.
 */
export type FairleadErrorCode =
  | 'NO_ENDPOINTS'
  | 'NO_AVAILABLE_ENDPOINT'
  | 'TIMEOUT'
  | 'OVERLOADED'
  | 'THROTTLED'
  | 'OPEN'
  | 'CLOSED'
  | 'BAD_ENDPOINTS'
  | 'DISCOVERY';

/** One attempt of a call that is over, for errors and logs. */
export interface AttemptRecord {
  /** The endpoint's id. */
  readonly endpoint: string;
  readonly outcome: 'success' | 'failure' | 'ignored';
  /** How it failed, if it did. */
  readonly kind?: FailureKind | undefined;
  /** How long it took, in ms. */
  readonly elapsed: number;
  /** What it threw, if it threw. */
  readonly error?: unknown;
  /** What it answered, if it answered: for `fetch`, the response. */
  readonly value?: unknown;
}

/** An error of fairlead's own: never the user's, which pass through untouched. */
export class FairleadError extends Error {
  readonly code: FairleadErrorCode;
  /** The attempts of the call that did not succeed, in order. Empty for errors outside a call. */
  readonly attempts: readonly AttemptRecord[];

  constructor(
    code: FairleadErrorCode,
    message: string,
    { attempts = [], cause }: { readonly attempts?: readonly AttemptRecord[]; readonly cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'FairleadError';
    this.code = code;
    this.attempts = attempts;
  }
}

/** A value as an error message shows it. */
export const shown = (value: unknown): string => {
  if (typeof value === 'function') return 'a function';
  try {
    if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
    return String(value);
  } catch {
    return typeof value; // an object whose toString throws
  }
};

/** Says in an error what an option is and should be. */
export const bad = (
  name: string,
  value: unknown,
  expected: string,
  Kind: ErrorConstructor = TypeError,
): Error => {
  // Where an async function has no place, nobody will wait for what it gives.
  if (value instanceof Promise) value.catch(() => {});
  return new Kind(`${name} is ${shown(value)}; it must be ${expected}`);
};

/** Checks a numeric option: a number from `least` to `most`, whole if asked. Answers the value. */
export function checkNumber(
  name: string,
  value: number,
  least: number,
  most: number = Infinity,
  whole = false,
): number {
  if (!(typeof value === 'number' && value >= least && value <= most && !(whole && value % 1))) {
    const kind = whole ? 'whole ' : value === Infinity ? 'finite ' : '';
    // The least and the largest numbers that there are would tell nobody anything.
    const from = least && least < 1e-9 ? 'above 0' : `of at least ${least}`;
    const to = most < 1e15 ? ` and at most ${most}` : '';
    throw bad(
      name,
      value,
      `a ${kind}number ${from}${to}`,
      typeof value === 'number' ? RangeError : TypeError,
    );
  }
  return value;
}

/** Checks an option that is a function. Answers the value. */
export function checkFunction<F>(name: string, value: F): F {
  if (typeof value !== 'function') throw bad(name, value, 'a function');
  return value;
}
