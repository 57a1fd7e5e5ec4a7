import type { GiveUpReason } from '../model/observer.ts';

/** Why results were the last: held weakly, beside them, for the user's errors reach the user untouched. */
const reasons = /* @__PURE__ */ new WeakMap<object, GiveUpReason>();

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

/**
 * Why `retry` did not try again after this error, or this bad answer such as a response of 503, if it gave up on it. Of
 * an error that several calls end with, such as a signal's reason, the latest call's; of what is no object, nothing.
 */
export const giveUpReasonOf = (result: unknown): GiveUpReason | undefined =>
  isObject(result) ? reasons.get(result) : undefined;

/** Remembers it. */
export function gaveUp(result: unknown, reason: GiveUpReason): void {
  if (isObject(result)) reasons.set(result, reason);
}
