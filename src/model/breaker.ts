import type { Env } from '../base/env.ts';
import type { FailureKind } from '../base/failure-kind.ts';
import type { Outcome } from './outcome.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

/** Decides whether a member may be called, from how its calls ended. One per member. */
export interface Breaker {
  readonly state: BreakerState;
  /** Changes with the state: an outcome of an earlier epoch is void. */
  readonly epoch: number;
  /** Says that it moves only when told: by `begin`, `end` or `hint`. While it is closed it is not asked then. */
  readonly passive?: true;
  /** Whether a call may begin. Asking changes nothing. */
  allows(now: number): boolean;
  begin(now: number): void;
  /** Something else says that the member is well: an open breaker need not wait any longer to probe it. */
  hint?(now: number): void;
  /** `elapsed` in ms, `epoch` as it was when the attempt had begun; `kind` says how it failed, if it did. */
  end(outcome: Outcome, elapsed: number, epoch: number, now: number, kind?: FailureKind): void;
  /** Forgets what it has counted while closed: a breaker beside it has shown the member to be well. */
  forgive?(): void;
  /** What another process must know to go on as this one would: plain JSON data. Nothing if it need not know anything. */
  save?(now: number): unknown;
  /**
   * Goes on as a breaker did that has saved this `age` ms ago, in another process. Called on a new breaker, if at all.
   *
   * @throws TypeError or RangeError for what no breaker like it has saved
   */
  restore?(saved: unknown, age: number, now: number): void;
}

/** For pools without a breaker. */
export const alwaysClosed: Breaker = {
  state: 'closed',
  epoch: 0,
  passive: true,
  allows: () => true,
  begin() {},
  end() {},
};

/** The breakers of a pool's members as they are now, drained ones left out. */
export type Peers = () => Iterable<Peer>;

export interface Peer {
  readonly breaker: Breaker;
  /** Whether it is out for any reason: by its breaker, or by its checks. */
  readonly refused: boolean;
}

/** Makes the breaker of one member: what `consecutiveFailures()` and its like answer. `peers` is one for each pool. */
export type MakeBreaker = (env: Env, peers?: Peers) => Breaker;
