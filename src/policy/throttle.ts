import { type AttemptRecord, checkFunction, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import { refusal } from '../base/refusal.ts';
import { rejected } from '../base/rejection.ts';
import { Window } from '../base/window.ts';
import { type Call, prompt } from '../model/call.ts';
import { guarded } from '../model/observer.ts';
import type { Policy } from './policy.ts';
import { watched } from './watched.ts';

export interface ThrottleOptions {
  /** So many times as many calls are let through as the service accepts, from 1. Default: 2. */
  readonly ratio?: number | undefined;
  /** Up to what share of the calls may be refused, 0 to 1; the others find out when it is well again. Default: 0.8. */
  readonly maxRefused?: number | undefined;
  /** Up to so many calls a second nothing is refused. Default: 5. */
  readonly minPerSecond?: number | undefined;
  /** Over how many ms calls are counted: about as long as it goes on refusing once all is well again. Default: 2000. */
  readonly window?: number | undefined;
  /** Whether a failure says that the service has too much to do; if not, it counts as accepted. Default: any does. */
  readonly overload?: ((failed: AttemptRecord) => boolean) | undefined;
}

/**
 * Refuses calls that would most likely fail, with a `FairleadError` `THROTTLED`, which says nothing of any member, is not
 * tried again, and has no stack: at random, with probability (requests - ratio * accepts) / (requests + 1) over the window
 * (Site Reliability Engineering, 2016, chapter 21, Client-Side Throttling), where requests include those refused here and
 * an accept is a call that did not end in a failure. So a service in which up to half of the calls fail is left in peace,
 * and one in which all fail gets a fifth of its calls. The book looks back two minutes, which is to refuse for minutes
 * after an outage of seconds: what was refused is counted among the requests.
 *
 * Outside `retry` what counts is what became of a call in the end; inside, each attempt. A call that the caller gave up, or
 * that got no member, counts as nothing.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function throttle(options: ThrottleOptions = {}): Policy {
  checkOptions('throttle', options, { ratio: 1, maxRefused: 1, minPerSecond: 1, window: 1, overload: 1 });
  const { ratio = 2, maxRefused = 0.8, minPerSecond = 5, window = 2000, overload } = options;
  checkNumber('throttle ratio', ratio, 1, 1000);
  checkNumber('throttle maxRefused', maxRefused, 0, 1);
  checkNumber('throttle minPerSecond', minPerSecond, 0, 1e9);
  checkNumber('throttle window', window, 1, Number.MAX_SAFE_INTEGER);
  if (overload !== undefined) checkFunction('throttle overload', overload);
  const floor = (minPerSecond * window) / 1000;
  return (next, { clock, random, observer }) => {
    /** Requests, and how many of them were accepted. */
    const seen = new Window(window);

    const accepted = ({ outcome, record }: Call): boolean => {
      if (outcome === 'success') return true;
      if (overload === undefined || record === undefined) return false;
      return guarded(observer, 'policy', () => overload(record)) === false;
    };
    /** The share of the calls that is to be refused now. */
    const excess = (now: number): number => {
      seen.advance(now);
      const requests = seen.first;
      if (requests < floor) return 0;
      return Math.min(maxRefused, (requests - ratio * seen.second) / (requests + 1));
    };

    return prompt((task, call) => {
      const now = clock.now();
      const share = excess(now);
      if (share > 0 && random() < share) {
        seen.add(now, 1, 0);
        const message = `${Math.round(share * 100)} % of the calls are refused, for too many fail`;
        return rejected(refusal('THROTTLED', message, call.attempts));
      }
      return watched(next, task, call, () => {
        const { outcome, pickedAt, endedAt = clock.now() } = call;
        if (outcome === undefined || outcome === 'ignored' || !(pickedAt! >= now)) return;
        seen.add(endedAt, 1, accepted(call) ? 1 : 0);
      });
    }, next);
  };
}
