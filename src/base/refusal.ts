import { type AttemptRecord, FairleadError, type FairleadErrorCode } from './errors.ts';

/** V8's and JavaScriptCore's: how many frames a new error's stack has. */
const stacks = Error as { stackTraceLimit?: unknown };

/**
 * An error without a stack, for refusals that may come by the thousand: capturing ten frames takes three to four times
 * as long as all the rest. Each has its own, for whoever catches it may write to it.
 */
export function refusal(
  code: FairleadErrorCode,
  message: string,
  attempts: readonly AttemptRecord[],
): FairleadError {
  const before = stacks.stackTraceLimit;
  // Some have no such thing, and some have it frozen. Nothing else runs before it is put back.
  const off = typeof before === 'number' && Reflect.set(stacks, 'stackTraceLimit', 0);
  try {
    return new FairleadError(code, message, { attempts });
  } finally {
    if (off) stacks.stackTraceLimit = before;
  }
}
