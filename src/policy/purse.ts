import type { PolicyContext } from './policy.ts';
import { type RetryBudget, retryBudget } from './retry-budget.ts';

/** The budget that a client's policies share, unless they are given one of their own. */
export interface Purse {
  readonly budget: RetryBudget;
  /** Whether a policy pays in for each call: `retry` does, and where there is none, `hedge`. */
  fed: boolean;
}

const purses = /* @__PURE__ */ new WeakMap<PolicyContext, Purse>();

/** The purse of the client that a context belongs to. */
export function purseOf(context: PolicyContext): Purse {
  let purse = purses.get(context);
  if (purse === undefined) {
    purse = { budget: retryBudget(), fed: false };
    purses.set(context, purse);
  }
  return purse;
}
