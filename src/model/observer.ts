import type { AttemptRecord } from '../base/errors.ts';
import type { BreakerState } from './breaker.ts';
import type { Call } from './call.ts';
import type { Endpoint } from './endpoint.ts';
import type { Attempt, Member } from './member.ts';

/**
 * Told of everything that happens. All methods are optional, are called synchronously and should be quick;
 * what they throw goes to `fault` and no further.
 */
export interface Observer {
  /** Discovery gave a set that differs from the one before. */
  members?(change: MembersChange): void;
  /** Discovery failed, or gave something unusable; the last good set stands. */
  discoveryError?(error: unknown): void;
  attempt?(attempt: Attempt, call: Call): void;
  /** The attempt has its outcome; `elapsed` is known. */
  attemptEnd?(attempt: Attempt): void;
  retry?(retry: RetryEvent): void;
  /** An attempt is late, and another member is tried as well. */
  hedge?(hedge: HedgeEvent): void;
  /** A failed call is not tried again. */
  giveUp?(end: GiveUpEvent): void;
  breaker?(move: BreakerMove): void;
  /** The breaker of a `serviceBreaker` moved. */
  serviceBreaker?(move: ServiceBreakerMove): void;
  /** A member's health checks begin to fail, or pass again. */
  health?(change: HealthChange): void;
  /** No member was available, and one was picked all the same. */
  panic?(member: Member, call: Call): void;
  /** Code supplied by the user threw, or answered nonsense. The call went on as the event table says. */
  fault?(fault: Fault): void;
}

export interface MembersChange {
  readonly added: readonly Endpoint[];
  readonly removed: readonly Endpoint[];
  /** Those that stay, with another weight, zone, priority or metadata. */
  readonly updated: readonly Endpoint[];
  /** How many there are now, drained ones included. */
  readonly size: number;
}

export interface RetryEvent {
  readonly call: Call;
  /** The number of the attempt to come: 2 for the first retry. */
  readonly attempt: number;
  /** The wait before it, in ms. */
  readonly delay: number;
  /** The failed attempt that is made good. */
  readonly failed: AttemptRecord;
}

export interface HedgeEvent {
  readonly call: Call;
  /** The number of the attempt to come, among those that run side by side: 2 for the first hedge. */
  readonly attempt: number;
  /** After how long a wait, in ms. */
  readonly delay: number;
}

export interface GiveUpEvent {
  readonly call: Call;
  readonly reason: GiveUpReason;
  readonly failed: AttemptRecord;
}

export type GiveUpReason =
  | 'attempts' // all attempts are used up
  | 'budget' // the retry budget is used up
  | 'not-repeatable' // the task may not be run again
  | 'deadline' // another attempt would not fit into the time that is left
  | 'pushback' // the answer asks not to try again, or all members ask to be left alone for too long
  | 'aborted'; // the caller gave up, or the call's time is over

export interface BreakerMove {
  readonly member: Member;
  readonly from: BreakerState;
  readonly to: BreakerState;
}

export interface ServiceBreakerMove {
  readonly from: BreakerState;
  readonly to: BreakerState;
}

export interface HealthChange {
  readonly member: Member;
  readonly healthy: boolean;
  /** What the last check failed with, if it did. */
  readonly error?: unknown;
}

export interface Fault {
  /** Whose code it was. */
  readonly source:
    | 'balancer'
    | 'breaker'
    | 'health'
    | 'load'
    | 'classifier'
    | 'policy'
    | 'observer'
    | 'key'
    | 'repeatable';
  readonly error: unknown;
}

type Told<K extends keyof Observer> = Parameters<NonNullable<Observer[K]>>;

/** Tells an observer something, and keeps its errors from the call. */
export function tell<K extends keyof Observer>(
  observer: Observer | undefined,
  event: K,
  first: Told<K>[0],
  second?: Told<K>[1],
): void {
  if (observer?.[event] === undefined) return;
  try {
    (observer[event] as (first: unknown, second: unknown) => void)(first, second);
  } catch (error) {
    if (event !== 'fault') blame(observer, 'observer', error);
  }
}

/** Reports an error of code that the user supplied. */
export const blame = (observer: Observer | undefined, source: Fault['source'], error: unknown): void =>
  tell(observer, 'fault', { source, error });

/** Runs code of the user's off the hot path: what it throws is reported, and is nothing to the call. */
export function guarded<T>(
  observer: Observer | undefined,
  source: Fault['source'],
  code: () => T,
): T | undefined {
  try {
    return code();
  } catch (error) {
    blame(observer, source, error);
    return undefined;
  }
}
