import { checkNumber, FairleadError } from '../base/errors.ts';
import { relay, relayWhile } from '../base/signal.ts';
import type { Run } from '../model/call.ts';
import type { Policy } from './policy.ts';

/**
 * Gives up on what it is around after so many ms, with a `FairleadError` `TIMEOUT`, and aborts the signal that
 * the task was given. Inside `retry` it bounds each attempt; outside it the whole call, its waits included.
 * `Infinity` bounds nothing. A member is blamed for an attempt that had at least half of the time.
 *
 * @throws RangeError if `ms` is not a number above 0
 */
export function timeout(ms: number): Policy {
  checkNumber('timeout', ms, Number.MIN_VALUE);
  if (ms === Number.POSITIVE_INFINITY) return next => next;
  return (next, { clock, classifier }): Run =>
    (task, call) =>
      new Promise((resolve, reject) => {
        const outer = call.signal;
        if (outer?.aborted) return reject(outer.reason);
        const controller = new AbortController();
        const part = call.part(controller.signal, ms);
        const leave = outer && relay(outer, controller, reject);
        const cancel = clock.after(ms, () => {
          leave?.();
          part.late = new FairleadError('TIMEOUT', `no answer within ${ms} ms`, { attempts: call.attempts });
          controller.abort(part.late);
          reject(part.late);
        });
        next(task, part).then(
          value => {
            cancel();
            leave?.();
            const arriving = outer && classifier.arriving?.(value);
            if (arriving) relayWhile(arriving, outer, controller);
            resolve(value);
          },
          error => {
            cancel();
            leave?.();
            reject(error);
          },
        );
      });
}
