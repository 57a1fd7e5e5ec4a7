import { checkEnv, systemEnv } from './base/env.ts';
import { bad, checkFunction, checkNumber } from './base/errors.ts';
import { HeldClock } from './base/held-clock.ts';
import { checkOptions, type Names } from './base/options.ts';
import { FOLLOW_OPTIONS } from './discovery/follow.ts';
import { Call, type CallOptions, type Repeatable, type Run, type Task } from './model/call.ts';
import { anyError } from './model/outcome.ts';
import { compose, type Policy } from './policy/policy.ts';
import { Pool } from './pool.ts';
import type { PoolOptions } from './pool-options.ts';

export interface ClientOptions extends PoolOptions {
  /** What happens around an attempt, outermost first. Default: nothing. */
  readonly policies?: readonly Policy[] | undefined;
  /** Whether a task may be run again, unless the call says otherwise. Default: true. */
  readonly repeatable?: Repeatable | undefined;
}

export interface CloseOptions {
  /** For how many ms to wait for running calls before they are aborted. Default: it does not wait, and aborts nothing. */
  readonly drain?: number | undefined;
}

export interface Client {
  /** The members of the service. */
  readonly pool: Pool;
  /**
   * Runs a task at a picked endpoint, and again at another one if it fails. Settles as the last run does; rejects
   * with the signal's reason when the caller aborts, or with a `FairleadError`.
   */
  run<T>(task: Task<T>, options?: CallOptions): Promise<T>;
  /** Resolves once discovery has given its first set; rejects as a call would. */
  ready(signal?: AbortSignal): Promise<void>;
  /**
   * Stops following discovery and refuses new calls; those that run go on, and with `drain` it waits for them, for so many ms
   * at most, and then aborts them. Nothing of it keeps the process alive, but that wait.
   */
  close(options?: CloseOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What they are called. */
export const CLIENT_OPTIONS: Names<ClientOptions> = {
  ...{ discovery: 1, balancer: 1, breaker: 1, health: 1, classifier: 1, restore: 1 },
  ...{ policies: 1, repeatable: 1, panic: 1, maxInFlight: 1, maxRefused: 1, readyTimeout: 1, follow: 1 },
  ...{ observer: 1, env: 1 },
};

/** Those within options, too. */
export function checkClientOptions<Options extends Pick<ClientOptions, 'panic' | 'follow'>>(
  name: string,
  options: Options,
  names: Names<Options>,
): Options {
  const { panic, follow } = checkOptions(name, options, names);
  if (typeof panic === 'object' && panic !== null) checkOptions('panic', panic, { below: 1, fail: 1 });
  if (follow !== undefined) checkOptions('follow', follow, FOLLOW_OPTIONS);
  return options;
}

/**
 * A client of one service, with nothing in it that is not named: what the package root's `createClient` adds by default,
 * the core leaves to you, and out of your bundle.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export const createClient = (options: ClientOptions): Client =>
  clientOf(checkClientOptions('createClient', options, CLIENT_OPTIONS));

/** For those who have checked what the options are called. */
export function clientOf(options: ClientOptions): Client {
  const { env: outside = systemEnv, classifier = anyError, observer } = options;
  const { policies = [], repeatable = true } = options;
  if (!Array.isArray(policies)) throw bad('policies', policies, 'an array');
  for (const policy of policies) checkFunction('policy', policy);
  if (typeof repeatable !== 'boolean' && repeatable !== 'unsent') {
    throw bad('repeatable', repeatable, `true, false or 'unsent'`);
  }
  const around = compose(...policies);
  const clock = new HeldClock(checkEnv(outside).clock);
  const env = { clock, random: outside.random };
  const pool = new Pool({ ...options, env });
  let run: Run;
  try {
    run = around(pool.run, {
      ...env,
      classifier,
      observer,
      hasUntried: pool.hasUntried,
      ready: call => (pool.size > 0 ? undefined : pool.ready(call.signal)),
      waits: pool.waits,
      enlist: pool.enlist,
    });
    checkFunction('what a policy made', run);
  } catch (error) {
    pool.close();
    throw error;
  }
  // It serves as a callback, too: whatever it is called with, and be it wrong, it closes.
  const close = async (given?: CloseOptions): Promise<void> => {
    const drain = given?.drain;
    if (drain === undefined) pool.close();
    else await pool.drain(checkNumber('close drain', drain, 0));
    if (typeof given === 'object' && given !== null) checkOptions('close', given, { drain: 1 });
  };
  return {
    pool,
    run(task, given) {
      try {
        checkFunction('task', task);
        const call = new Call(given);
        if (!pool.closed) call.admit();
        if (given?.repeatable === undefined) call.repeatable = repeatable;
        // Until the task begins, or something is waited for, it is the same moment.
        clock.hold();
        const running = run(task, call);
        if (typeof running?.then !== 'function')
          throw bad('what a policy answers a call', running, 'a promise');
        return running;
      } catch (error) {
        return Promise.reject(error);
      } finally {
        clock.release();
      }
    },
    ready: signal => pool.ready(signal),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
