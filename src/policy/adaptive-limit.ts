import type { Env } from '../base/env.ts';
import type { Outcome } from '../model/outcome.ts';

/** Says how many may be in flight, by how those went that were. One per client. */
export interface AdaptiveLimit {
  /** How many may be in flight, at least 1. Read once at first, and after each `ended`. */
  readonly current: number;
  /**
   * One is over: with what outcome, after how many ms, and how many were in flight when it began, itself included.
   * Not told of those that never got as far as a member.
   */
  ended(outcome: Outcome, elapsed: number, inFlight: number, now: number): void;
}

/** Makes the limit of one client: what `gradient()` answers. */
export type MakeAdaptiveLimit = (env: Env) => AdaptiveLimit;
