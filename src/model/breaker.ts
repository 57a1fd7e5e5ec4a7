import type { Env } from '../base/env.ts';
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
  /** `elapsed` in ms, `epoch` as it was when the attempt had begun. */
  end(outcome: Outcome, elapsed: number, epoch: number, now: number): void;
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
export type Peers = () => Iterable<{ readonly breaker: Breaker }>;

/** Makes the breaker of one member: what `consecutiveFailures()` and its like answer. `peers` is one for each pool. */
export type MakeBreaker = (env: Env, peers?: Peers) => Breaker;
