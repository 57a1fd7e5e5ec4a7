import type { Env } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import type { Names, Settled } from '../base/options.ts';
import { abortable, sleep } from '../base/signal.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Discovery } from './discovery.ts';
import { readSet, sameSet } from './endpoints.ts';

export interface FollowOptions {
  /**
   * For how many ms a source must go on saying that there is no endpoint, or none but drained ones, before it is
   * believed: a registry that has just restarted is empty, too. `Infinity`: for ever. Default: 30 000.
   */
  readonly emptyAfter?: number | undefined;
  /** The wait before the first restart of a source that failed, in ms; doubles with each. Default: 100. */
  readonly restartAfter?: number | undefined;
  /** The longest such wait, in ms. Default: 30 000. */
  readonly maxRestartAfter?: number | undefined;
}

/** What they are called. */
export const FOLLOW_OPTIONS: Names<FollowOptions> = { emptyAfter: 1, restartAfter: 1, maxRestartAfter: 1 };

/** What hears of a source. */
export interface Follower {
  /** A set that differs from the one before, checked, without duplicates, sorted by id. May refuse it by throwing. */
  set(endpoints: readonly Endpoint[]): void;
  /** What went wrong. The last good set stands. */
  error(error: unknown): void;
}

/** @throws RangeError for an option out of range */
export function checkFollow(options: FollowOptions = {}): Settled<FollowOptions> {
  const {
    emptyAfter = 30_000,
    restartAfter = 100,
    maxRestartAfter = Math.max(30_000, restartAfter),
  } = options;
  checkNumber('follow emptyAfter', emptyAfter, 0);
  checkNumber('follow restartAfter', restartAfter, 1);
  checkNumber('follow maxRestartAfter', maxRestartAfter, restartAfter);
  return { emptyAfter, restartAfter, maxRestartAfter };
}

/**
 * Follows a source for as long as the signal lets it: checks its sets, drops those equal to the last, starts it
 * afresh when it fails, after a wait that grows and is jittered, and keeps the last good set meanwhile. Resolves
 * when the source has ended or the signal aborts; never rejects. A source that takes no notice of the signal is
 * left behind.
 */
export async function follow(
  source: Discovery,
  env: Env,
  signal: AbortSignal,
  follower: Follower,
  options?: FollowOptions,
): Promise<void> {
  const { emptyAfter, restartAfter, maxRestartAfter } = checkFollow(options);
  const { clock, random } = env;
  const report = (error: unknown): void => {
    if (!signal.aborted) follower.error(error);
  };
  let last: readonly Endpoint[] | undefined;
  /** The latest empty set, and what calls off believing it. */
  let doubted: readonly Endpoint[] = [];
  let trust: (() => void) | undefined;
  const callOff = (): void => {
    trust?.();
    trust = undefined;
  };
  signal.addEventListener('abort', callOff, { once: true });

  const take = (set: readonly Endpoint[]): void => {
    if (last !== undefined && sameSet(last, set)) return;
    follower.set(set);
    last = set;
  };
  const consider = (given: unknown): void => {
    const set = readSet(given, report);
    if (isEmpty(set) && last !== undefined && !isEmpty(last) && emptyAfter > 0) {
      doubted = set;
      trust ??= clock.after(emptyAfter, () => {
        trust = undefined;
        tried(() => take(doubted));
      });
    } else {
      callOff();
      take(set);
    }
  };
  /** A set that is nonsense, or that the follower refuses, is no reason to start the source afresh. */
  const tried = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      report(error);
    }
  };

  for (let failures = 0; !signal.aborted; failures++) {
    let sets: AsyncIterator<unknown> | undefined;
    let given = 0;
    try {
      sets = source(env, signal, report)[Symbol.asyncIterator]();
      for (;;) {
        const { done, value } = await abortable(sets.next(), signal);
        if (done || signal.aborted) return;
        tried(() => consider(value));
        failures = 0;
        // A source that gives sets without ever waiting would leave the process no time for anything else.
        if (++given % 100 === 0) await sleep(clock, 1, signal);
      }
    } catch (error) {
      callOff(); // a registry that goes down right after saying "nobody" has not gone on saying so
      report(error);
    } finally {
      leave(sets);
    }
    const wait = Math.min(maxRestartAfter, restartAfter * 2 ** failures);
    await sleep(clock, wait * (0.5 + random() / 2), signal).catch(() => {});
  }
}

const isEmpty = (set: readonly Endpoint[]): boolean => set.every(endpoint => endpoint.weight === 0);

/** Tells a source that nobody listens any more, without waiting for what it does about it, or minding. */
function leave(sets: AsyncIterator<unknown> | undefined): void {
  (async () => sets?.return?.())().catch(() => {});
}
