import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { HealthCheck, MakeHealth } from '../model/health.ts';
import { type HealthCheckSettings, Rounds } from './rounds.ts';

export interface HealthCheckOptions {
  /** How a member is asked: `httpCheck`, `tcpCheck`, or any function. */
  readonly check: HealthCheck;
  /** From the end of one check of a healthy member to the next, in ms. Default: 10 000. */
  readonly interval?: number | undefined;
  /** The same while it is unhealthy. Default: 5000. */
  readonly unhealthyInterval?: number | undefined;
  /** The same while it is about to change: a check has told otherwise, but not often enough. Default: 1000. */
  readonly edgeInterval?: number | undefined;
  /** By what share either way an interval is drawn, 0 to 1. Default: 0.1. */
  readonly jitter?: number | undefined;
  /** How long a check may take, in ms. Default: 1000. */
  readonly timeout?: number | undefined;
  /** So many failures in a row make a healthy member unhealthy. Default: 3. */
  readonly unhealthyThreshold?: number | undefined;
  /** So many passes in a row make an unhealthy member healthy. Default: 2. */
  readonly healthyThreshold?: number | undefined;
  /**
   * What a newcomer counts as until its checks say otherwise. `unhealthy`: it gets no calls but in panic until a check of it
   * has passed, the first of which will do. Default: `healthy`.
   */
  readonly initially?: 'healthy' | 'unhealthy' | undefined;
  /** Checks that run at the same time, at most. Default: 10. */
  readonly concurrency?: number | undefined;
  /**
   * Checks begun in any second, at most. Where there are more members, each is checked more seldom, but for those about to
   * change, whose checks have every other turn. Default: 20.
   */
  readonly perSecond?: number | undefined;
}

/**
 * Asks the members from time to time whether they are well, and takes those out that are not.
 *
 * With what calls teach it goes together thus (docs/decisions/0036): a member is available if its breaker allows it and
 * its checks do not fail; either alone takes it out.
 * - Checks pass and calls fail: the breaker decides, for a member may answer checks and no calls. A check that passes
 *   closes no open breaker, but lets it probe at once, once for each check.
 * - Checks fail and calls succeed: the checks decide. Its calls go elsewhere until checks pass.
 * - Neither leaves a member: in panic neither is believed, and any is called, unless `panic` is to fail. So a check that is
 *   itself broken stops nothing but fail-fast clients; and `maxRefused` bounds both together.
 *
 * No check holds the process up, and those that run are aborted once their member has left or the pool is closed.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function healthChecks(options: HealthCheckOptions): MakeHealth {
  checkOptions('healthChecks', options, {
    check: 1,
    interval: 1,
    unhealthyInterval: 1,
    edgeInterval: 1,
    jitter: 1,
    timeout: 1,
    unhealthyThreshold: 1,
    healthyThreshold: 1,
    initially: 1,
    concurrency: 1,
    perSecond: 1,
  });
  const { interval = 10_000, unhealthyInterval = 5000, edgeInterval = 1000, jitter = 0.1 } = options;
  const { timeout = 1000, unhealthyThreshold = 3, healthyThreshold = 2 } = options;
  const { initially = 'healthy', concurrency = 10, perSecond = 20 } = options;
  const check = checkFunction('healthChecks check', options.check);
  checkNumber('healthChecks interval', interval, 1);
  checkNumber('healthChecks unhealthyInterval', unhealthyInterval, 1);
  checkNumber('healthChecks edgeInterval', edgeInterval, 1);
  checkNumber('healthChecks jitter', jitter, 0, 1);
  checkNumber('healthChecks timeout', timeout, 1);
  checkNumber('healthChecks unhealthyThreshold', unhealthyThreshold, 1, Number.MAX_SAFE_INTEGER, true);
  checkNumber('healthChecks healthyThreshold', healthyThreshold, 1, Number.MAX_SAFE_INTEGER, true);
  if (initially !== 'healthy' && initially !== 'unhealthy')
    throw bad('healthChecks initially', initially, `'healthy' or 'unhealthy'`);
  checkNumber('healthChecks concurrency', concurrency, 1, Number.MAX_SAFE_INTEGER, true);
  checkNumber('healthChecks perSecond', perSecond, Number.MIN_VALUE);
  const settings: HealthCheckSettings = {
    ...{ check, interval, unhealthyInterval, edgeInterval, jitter, timeout },
    ...{ unhealthyThreshold, healthyThreshold, initially, concurrency, perSecond },
  };
  return (env, report) => new Rounds(settings, env, report);
}
