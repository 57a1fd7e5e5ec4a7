import { checkNumber, FairleadError } from '../base/errors.ts';
import { listen, onAbort, relay, relayWhile } from '../base/signal.ts';
import { partOf, type Run } from '../model/call.ts';
import { guarded } from '../model/observer.ts';
import type { Policy } from './policy.ts';

/**
 * Gives up on what it is around after so many ms, with a `FairleadError` `TIMEOUT`, and aborts the signal that
 * the task was given. Inside `retry` it bounds each attempt; outside it the whole call, its waits included.
 * `Infinity` bounds nothing, and an earlier deadline outside it stands. A member is blamed for an attempt that had at
 * least half of the time.
 *
 * @throws RangeError if `ms` is not a number above 0
 */
export function timeout(ms: number): Policy {
  checkNumber('timeout', ms, Number.MIN_VALUE);
  if (ms === Number.POSITIVE_INFINITY) return next => next;
  return (next, { clock, classifier, observer }): Run =>
    (task, call) =>
      new Promise((resolve, reject) => {
        const outer = call.signal;
        if (outer?.aborted) return reject(outer.reason);
        const controller = new AbortController();
        const until = clock.now() + ms;
        let late: FairleadError | undefined;
        const part = partOf(
          call,
          controller.signal,
          (elapsed, reason) => {
            if (late === undefined || reason !== late) return undefined;
            return elapsed * 2 >= ms ? 'failure' : 'ignored';
          },
          until,
        );
        // Only the caller's signal may be shared by many.
        const leave = outer && relay(outer, controller, reject, call.whole === undefined ? onAbort : listen);
        const expire = (): void => {
          leave?.();
          late = new FairleadError('TIMEOUT', `no answer within ${ms} ms`, { attempts: call.attempts });
          controller.abort(late);
          reject(late);
        };
        // Whoever has set an earlier deadline will abort it then.
        const cancel = part.deadline! < until ? nothing : clock.after(ms, expire);
        const fail = (error: unknown): void => {
          cancel();
          leave?.();
          // The client has closed over it: the task still runs.
          if (error instanceof FairleadError && error.code === 'CLOSED') controller.abort(error);
          reject(error);
        };
        try {
          next(task, part).then(value => {
            cancel();
            leave?.();
            // It may come while the news of an abort is on its way here; then nobody will have it.
            if (controller.signal.aborted) guarded(observer, 'classifier', () => classifier.discard?.(value));
            else if (outer && classifier.arriving) {
              guarded(observer, 'classifier', () => {
                const arriving = classifier.arriving?.(value);
                if (arriving) relayWhile(arriving, outer, controller);
              });
            }
            resolve(value);
          }, fail);
        } catch (error) {
          fail(error); // a policy inside that throws instead of rejecting
        }
      });
}

const nothing = (): void => {};
