import type { Env } from '../base/env.ts';
import type { AbortListener } from '../base/signal.ts';
import type { Breaker } from '../model/breaker.ts';
import type { Call, Run } from '../model/call.ts';
import type { Observer } from '../model/observer.ts';
import type { Classifier } from '../model/outcome.ts';

/** What a policy may look at. */
export interface PolicyContext extends Env {
  readonly classifier: Classifier;
  readonly observer: Observer | undefined;
  /** Whether a member is available that the call has not tried yet. */
  hasUntried(call: Call, now: number): boolean;
  /** What to wait for before the first attempt, lest a time-out inside counts it; nothing where endpoints are known. */
  ready?(call: Call): Promise<void> | undefined;
  /** A breaker round the service, for the pool to show, save and restore. */
  enlist?(breaker: Breaker): void;
  /**
   * A call waits for its turn or its next attempt, until what this answers is called: a client that drains waits for it, and
   * tells the listener when it has done so for as long as it may.
   */
  waits?(listener: AbortListener): () => void;
}

/** Adds behaviour around running a task. Made once per client; the `Run` it answers serves all calls. */
export type Policy = (next: Run, context: PolicyContext) => Run;

/** One policy made of several. The first is the outermost: it sees a call first and its result last. */
export const compose =
  (...policies: readonly Policy[]): Policy =>
  (next, context) =>
    policies.reduceRight((inner, policy) => policy(inner, context), next);
