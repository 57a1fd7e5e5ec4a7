import { checkFunction, FairleadError } from '../base/errors.ts';
import { type FailureKind, kindOf } from '../base/failure-kind.ts';
import { uncalled } from '../base/options.ts';
import { refusal } from '../base/refusal.ts';
import { rejected, rejection } from '../base/rejection.ts';
import type { BreakerState, MakeBreaker } from '../model/breaker.ts';
import { type Call, prompt, type Task } from '../model/call.ts';
import { blame, guarded, tell } from '../model/observer.ts';
import { kindBy, type Outcome } from '../model/outcome.ts';
import type { Policy } from './policy.ts';
import { promised } from './promised.ts';

/**
 * A breaker round the whole service, beside those of its members: while it is open, calls are refused with a
 * `FairleadError` `OPEN`, which says nothing of any member, is not tried again, and has no stack. Half-open it lets
 * its probes through and refuses the rest.
 *
 * Outside `retry` it learns what became of each call in the end, inside it of each attempt, as the classifier judges what
 * the caller gets. A call that ran out of time failed, whoever set the deadline; one that the caller gave up, that got
 * no member, or that another policy refused counts as nothing.
 *
 * @param make such as `failureRate()`
 * @throws TypeError for what makes no breaker
 */
export function serviceBreaker(make: MakeBreaker, ...more: []): Policy {
  if (more.length > 0) throw uncalled('serviceBreaker'); // it is in a policy's place itself
  checkFunction('serviceBreaker', make);
  return (next, context) => {
    const { clock, classifier, observer } = context;
    const breaker = make(context);
    for (const name of ['allows', 'begin', 'end'] as const)
      checkFunction(`serviceBreaker ${name}`, breaker?.[name]);
    context.enlist?.(breaker);

    /** Its code may be the user's: what it throws must not reach the call, and lets it through. */
    const allows = (now: number): boolean => {
      try {
        return breaker.allows(now);
      } catch (error) {
        blame(observer, 'breaker', error);
        return true;
      }
    };
    const moved = (from: BreakerState): void => {
      const to = breaker.state;
      if (to !== from) tell(observer, 'serviceBreaker', { from, to });
    };
    const begin = (now: number): void => {
      const from = breaker.state;
      try {
        breaker.begin(now);
      } catch (error) {
        blame(observer, 'breaker', error);
      }
      moved(from);
    };
    const end = (outcome: Outcome, startedAt: number, epoch: number, kind?: FailureKind): void => {
      const now = clock.now();
      const from = breaker.state;
      try {
        breaker.end(outcome, now - startedAt, epoch, now, kind);
      } catch (error) {
        blame(observer, 'breaker', error);
      }
      moved(from);
    };
    /** Not the call's own outcome: that is its last attempt's, which may have had little time. */
    const judge = (call: Call, threw: boolean, result: unknown): Outcome => {
      if (threw && result instanceof FairleadError) return result.code === 'TIMEOUT' ? 'failure' : 'ignored';
      if (call.aborted) return 'ignored';
      const outcome = guarded(observer, 'classifier', () => classifier[threw ? 'error' : 'value'](result));
      return outcome === 'success' || outcome === 'failure' ? outcome : 'ignored';
    };
    const kindOfError = (error: unknown): FailureKind => kindBy(classifier, error, observer) ?? kindOf(error);

    return prompt(<T>(task: Task<T>, call: Call): Promise<T> => {
      const now = clock.now();
      if (!allows(now)) {
        const message = `the breaker round the service is ${breaker.state}`;
        return rejected(refusal('OPEN', message, call.attempts));
      }
      begin(now);
      const { epoch } = breaker;
      const before = call.attempt;
      return promised(next, task, call).then(
        value => {
          const outcome = call.attempt === before ? 'ignored' : judge(call, false, value);
          end(outcome, now, epoch, outcome === 'failure' ? 'answer' : undefined);
          return value;
        },
        error => {
          const outcome = call.attempt === before ? 'ignored' : judge(call, true, error);
          end(outcome, now, epoch, outcome === 'failure' ? kindOfError(error) : undefined);
          return rejection(error);
        },
      );
    }, next);
  };
}
