import { Deadlines, type Waiting } from '../base/deadlines.ts';
import { checkNumber, FairleadError } from '../base/errors.ts';
import { rejection } from '../base/rejection.ts';
import type { AbortListener } from '../base/signal.ts';
import { type Call, type Judge, partOf, prompt, type Run } from '../model/call.ts';
import { blame, guarded, type Observer } from '../model/observer.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Policy } from './policy.ts';
import { promised } from './promised.ts';
import { promptly } from './prompt.ts';

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
  return (next, context): Run => {
    const { clock, classifier, observer } = context;
    const bound: Bound = { ms, deadlines: new Deadlines(clock), observer };
    const inner = promptly(next, context);
    return prompt((task, call) => {
      if (call.aborted) return Promise.reject(call.reason);
      const bounded = new Bounded(call, bound, clock.now());
      const { part } = bounded;
      return promised(inner, task, part).then(
        value => {
          bounded.end();
          if (!part.aborted) return value;
          // It was on its way here when the call was aborted.
          guarded(observer, 'classifier', () => classifier.discard?.(value));
          return rejection(part.reason);
        },
        error => {
          bounded.end();
          return rejection(part.aborted ? part.reason : error);
        },
      );
    });
  };
}

/** What the calls within one time-out have in common. */
interface Bound {
  readonly ms: number;
  readonly deadlines: Deadlines;
  readonly observer: Observer | undefined;
}

/** A call whose time is bounded. */
class Bounded implements AbortListener, Judge, Waiting {
  older: Waiting | undefined;
  newer: Waiting | undefined;
  until = Number.POSITIVE_INFINITY;
  cancel: (() => void) | undefined;
  readonly part: Call;
  readonly #whole: Call;
  readonly #bound: Bound;
  #late: FairleadError | undefined;

  constructor(whole: Call, bound: Bound, now: number) {
    const { ms, deadlines } = bound;
    this.#whole = whole;
    this.#bound = bound;
    this.part = partOf(whole, this, now + ms);
    whole.listen(this);
    // Whoever has set an earlier deadline will abort it then.
    if (!(this.part.deadline! < now + ms)) deadlines.join(this, ms, now);
  }

  end(): void {
    this.#bound.deadlines.leave(this);
    this.#whole.unlisten(this);
  }

  due(): void {
    this.#late = new FairleadError('TIMEOUT', `no answer within ${this.#bound.ms} ms`, {
      attempts: this.#whole.attempts,
    });
    this.aborted(this.#late);
  }

  aborted(reason: unknown): void {
    this.end();
    this.part.abort(reason);
  }

  blame(error: unknown): void {
    blame(this.#bound.observer, 'policy', error);
  }

  verdict(elapsed: number): Outcome | undefined {
    if (this.#late === undefined) return undefined; // it was aborted from outside
    return elapsed * 2 >= this.#bound.ms ? 'failure' : 'ignored';
  }
}
