import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import { Histogram } from '../base/histogram.ts';
import { checkOptions } from '../base/options.ts';
import { refusal } from '../base/refusal.ts';
import { rejected } from '../base/rejection.ts';
import { type Call, prompt, type Task } from '../model/call.ts';
import { blame } from '../model/observer.ts';
import type { AdaptiveLimit, MakeAdaptiveLimit } from './adaptive-limit.ts';
import type { Policy } from './policy.ts';
import { waiting } from './waiting.ts';
import { type Order, type Waiter, WaitingLine } from './waiting-line.ts';
import { watched } from './watched.ts';

export interface LimitOptions {
  /** How many may be in flight: a number, `Infinity` included, or what finds it out, such as `gradient()`. */
  readonly concurrency: number | MakeAdaptiveLimit;
  /** How many may wait for their turn beyond that; further ones are refused at once. Default: 0. */
  readonly queue?: number | undefined;
  /**
   * Who of them goes first: who came first (`fifo`); or, once somebody has been waiting at all times of the last 100 ms, who
   * came last, and whoever then comes to a full queue takes the place of who has waited longest (`lifo`). Default: `fifo`.
   */
  readonly order?: Order | undefined;
  /** How long one may wait, in ms. Default: 1000. */
  readonly timeout?: number | undefined;
}

/** Over how many ms it is observed how long successes take. */
const OBSERVED = 10_000;
/** With fewer observed nothing is known. */
const ENOUGH = 30;
/** What a turn is worth: nine of ten calls that get one are to end in time, for each that does not takes another's. */
const IN_TIME = 0.9;

/**
 * Lets so many calls be in flight at once, of one client, and refuses what is beyond with a `FairleadError` `OVERLOADED`,
 * which says nothing of any member, is not tried again, and has no stack. Outside `retry` it counts calls, their waits
 * for the next attempt included; inside, attempts. A caller's abort, and whatever else ends a call, makes room at once.
 * Whoever waits does so until the call's signal aborts, and is refused when its turn comes and less time is left before the
 * call's deadline than nine of ten successes took: it would be begun in vain, for who turns away is worked for all the same.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function limit(options: LimitOptions): Policy {
  checkOptions('limit', options, { concurrency: 1, queue: 1, order: 1, timeout: 1 });
  const { concurrency, queue = 0, order = 'fifo', timeout = 1000 } = options;
  if (typeof concurrency !== 'function') checkNumber('limit concurrency', concurrency, 1, Infinity, true);
  checkNumber('limit queue', queue, 0, Number.MAX_SAFE_INTEGER, true);
  if (order !== 'fifo' && order !== 'lifo') throw bad('limit order', order, `'fifo' or 'lifo'`);
  checkNumber('limit timeout', timeout, 0);
  return (next, context) => {
    const { clock, observer } = context;
    let adaptive: AdaptiveLimit | undefined;
    if (typeof concurrency === 'function') {
      adaptive = concurrency(context);
      checkFunction('limit concurrency ended', adaptive?.ended);
    }
    let most = adaptive === undefined ? (concurrency as number) : whole(adaptive.current);
    let inFlight = 0;
    const line = new WaitingLine(clock, queue, order, timeout);
    /** How long successes took, of calls that have a deadline, where calls may wait. */
    const observed = queue > 0 ? new Histogram(OBSERVED) : undefined;

    /** What nobody picked a member for says nothing; the rest by its last attempt. */
    const learn = (from: AdaptiveLimit, call: Call, since: number, among: number): void => {
      const { outcome, pickedAt, endedAt = clock.now() } = call;
      if (outcome === undefined || !(pickedAt! >= since)) return;
      try {
        from.ended(outcome, endedAt - pickedAt!, among, endedAt);
        most = whole(from.current);
      } catch (error) {
        blame(observer, 'policy', error);
      }
    };
    const observe = (
      by: Histogram,
      { deadline, outcome, endedAt = clock.now() }: Call,
      since: number,
    ): void => {
      if (deadline !== undefined && outcome === 'success') by.add(endedAt - since, endedAt);
    };
    const leave = (call: Call, since: number, among: number): void => {
      inFlight--;
      if (observed !== undefined) observe(observed, call, since);
      if (adaptive !== undefined) learn(adaptive, call, since, among);
      while (line.size > 0 && inFlight < most) line.call(clock.now());
    };
    const enter = <T>(task: Task<T>, call: Call, among: number): Promise<T> => {
      const since = adaptive === undefined && observed === undefined ? 0 : clock.now();
      return watched(next, task, call, () => leave(call, since, among));
    };
    const inVain = ({ deadline }: Call): boolean => {
      if (deadline === undefined) return false;
      const now = clock.now();
      return observed!.count(now) >= ENOUGH && now + observed!.quantile(IN_TIME, now) > deadline;
    };
    const refused = (call: Call, more = ''): Error =>
      refusal('OVERLOADED', `${most} in flight, as many as may be${more}`, call.attempts);

    /** Resolves when its turn has come, as how many are then in flight with it. */
    const turn = (call: Call): Promise<number> =>
      new Promise((resolve, reject) => {
        if (call.aborted) return reject(call.reason);
        const waiter: Waiter = {
          enter() {
            over();
            if (inVain(call)) reject(refused(call, '; too little time was left'));
            else resolve(++inFlight);
          },
          refuse(why) {
            over();
            const reason = why === 'late' ? `waited ${timeout} ms` : 'made room for a later one';
            reject(refused(call, `; ${reason}`));
          },
        };
        const place = line.join(waiter, clock.now());
        if (place === undefined) return reject(refused(call, `, and ${queue} waiting`));
        const over = waiting(call, context, reason => {
          line.leave(place);
          reject(reason);
        });
      });

    return prompt((task, call) => {
      if (inFlight < most) return enter(task, call, ++inFlight);
      if (queue === 0) return rejected(refused(call));
      return turn(call).then(among => enter(task, call, among)); // in the call's own asynchronous context
    }, next);
  };
}

/** @throws RangeError or TypeError for what is no limit */
const whole = (current: number): number => Math.floor(checkNumber('limit concurrency current', current, 1));
