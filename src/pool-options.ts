import type { Balancer } from './balancer/balancer.ts';
import { checkEnv, type Env, systemEnv } from './base/env.ts';
import { bad, checkFunction, checkNumber } from './base/errors.ts';
import type { Settled } from './base/options.ts';
import type { Discovery } from './discovery/discovery.ts';
import { checkFollow, type FollowOptions } from './discovery/follow.ts';
import { alwaysClosed, type MakeBreaker } from './model/breaker.ts';
import { PANIC, ROUNDS } from './model/call.ts';
import type { MakeHealth } from './model/health.ts';
import type { Observer } from './model/observer.ts';
import { anyError, type Classifier } from './model/outcome.ts';
import type { Restore } from './model/saved.ts';

export interface PoolOptions {
  /** Where the endpoints come from. */
  readonly discovery: Discovery;
  readonly balancer: Balancer;
  /** What takes a failing member out for a while. Default: nothing does. */
  readonly breaker?: MakeBreaker | false | undefined;
  /** Asks members whether they are well. Default: nobody does. */
  readonly health?: MakeHealth | undefined;
  /** What counts as a failure. Default: any error, and no value. */
  readonly classifier?: Classifier | undefined;
  /**
   * When too few members are available: call any of them (`true`, the default), or fail at once (`false`). Too few is
   * none, or what the options say.
   */
  readonly panic?: boolean | PanicOptions | undefined;
  /** How many attempts each member may have in flight. Default: `Infinity`. */
  readonly maxInFlight?: number | undefined;
  /** Up to what share of the members may be refused by their breakers at once, 0 to 1; one always may. Default: 1. */
  readonly maxRefused?: number | undefined;
  /** How long a call waits for discovery's first set, in ms. Default: 10 000. */
  readonly readyTimeout?: number | undefined;
  /**
   * `restoreFrom` what `pool.save()` answered, in another process perhaps: breakers go on as if there had been no interruption.
   * What is wrong with a part of it is a `fault`, and that part new.
   */
  readonly restore?: Restore | undefined;
  /** How discovery is supervised. */
  readonly follow?: FollowOptions | undefined;
  readonly observer?: Observer | undefined;
  readonly env?: Env | undefined;
}

/** When breakers are no longer to be believed, for too many of them say no. */
export interface PanicOptions {
  /** The share of the members, 0 to 1, below which too few are available. Default: 0, when there is none. */
  readonly below?: number | undefined;
  /** Then fail at once (`true`), or call any member, whatever its breaker says. Default: `false`. */
  readonly fail?: boolean | undefined;
}

/** The options of a pool, checked, with their defaults. */
export interface PoolSettings
  extends Pick<PoolOptions, 'discovery' | 'balancer' | 'health' | 'restore' | 'observer'> {
  readonly breaker: MakeBreaker;
  readonly classifier: Classifier;
  /** How many rounds a pick may take. */
  readonly rounds: number;
  readonly panicBelow: number;
  readonly maxRefused: number;
  readonly maxInFlight: number;
  readonly readyTimeout: number;
  readonly follow: Settled<FollowOptions>;
  readonly env: Env;
}

/** @throws RangeError or TypeError that names the bad option */
export function checkPool(options: PoolOptions): PoolSettings {
  const { discovery, balancer, breaker = false, health, restore, observer } = options;
  const {
    classifier = anyError,
    panic = true,
    maxRefused = 1,
    maxInFlight = Number.POSITIVE_INFINITY,
    readyTimeout = 10_000,
    env = systemEnv,
  } = options;
  checkFunction('discovery', discovery);
  checkFunction('balancer.picker', balancer?.picker);
  if (balancer.load !== undefined) checkFunction('balancer.load', balancer.load);
  if (breaker !== false) checkFunction('breaker', breaker);
  if (health !== undefined) checkFunction('health', health);
  checkFunction('classifier.value', classifier?.value);
  checkFunction('classifier.error', classifier.error);
  checkNumber('readyTimeout', readyTimeout, 0);
  if (typeof panic !== 'boolean' && (typeof panic !== 'object' || panic === null))
    throw bad('panic', panic, 'a boolean or an object');
  const { below: panicBelow = 0, fail = !panic }: PanicOptions = typeof panic === 'object' ? panic : {};
  checkNumber('panic below', panicBelow, 0, 1);
  if (typeof fail !== 'boolean') throw bad('panic fail', fail, 'a boolean');
  checkNumber('maxRefused', maxRefused, 0, 1);
  checkNumber('maxInFlight', maxInFlight, 1);
  if (typeof (observer ?? {}) !== 'object') throw bad('observer', observer, 'an object');
  const follow = checkFollow(options.follow);
  if (restore !== undefined) checkFunction('restore.member', restore?.member);
  return {
    discovery,
    balancer,
    health,
    restore,
    observer,
    breaker: breaker || (() => alwaysClosed),
    classifier,
    rounds: fail ? PANIC : ROUNDS,
    panicBelow,
    maxRefused,
    maxInFlight,
    readyTimeout,
    follow,
    env: checkEnv(env),
  };
}
