import { type Env, jittered } from '../base/env.ts';
import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import { within } from '../base/signal.ts';
import type { HealthCheck, HealthMonitor, MakeHealth } from '../model/health.ts';
import type { Member } from '../model/member.ts';

export interface HealthCheckOptions {
  /** How a member is asked. */
  readonly check: HealthCheck;
  /** From the end of one check of a healthy member to the next, in ms. Default: 10 000. */
  readonly interval?: number;
  /** The same while it is unhealthy. Default: 5000. */
  readonly unhealthyInterval?: number;
  /** The same while it is about to change: a check has told otherwise, but not often enough. Default: 1000. */
  readonly edgeInterval?: number;
  /** By what share either way an interval is drawn, 0 to 1. Default: 0.1. */
  readonly jitter?: number;
  /** How long a check may take, in ms. Default: 1000. */
  readonly timeout?: number;
  /** So many failures in a row make a healthy member unhealthy. Default: 3. */
  readonly unhealthyThreshold?: number;
  /** So many passes in a row make an unhealthy member healthy. Default: 2. */
  readonly healthyThreshold?: number;
  /** Checks that run at the same time, at most. Default: 10. */
  readonly concurrency?: number;
  /** Checks a second, at most: where there are more members, each is checked more seldom. Default: 20. */
  readonly perSecond?: number;
}

/**
 * Asks the members from time to time whether they are well, and takes those out that are not.
 *
 * With what calls teach it goes together thus: a member is available if its breaker allows it and its checks do not
 * fail. Checks that pass close no open breaker, for a member may answer checks and no calls; but they let the breaker
 * probe at once. A newcomer counts as healthy until its checks say otherwise, and is checked first of all.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function healthChecks(options: HealthCheckOptions): MakeHealth {
  if (typeof options !== 'object' || options === null) throw bad('healthChecks', options, 'an object');
  const { interval = 10_000, unhealthyInterval = 5000, edgeInterval = 1000, jitter = 0.1 } = options;
  const { timeout = 1000, unhealthyThreshold = 3, healthyThreshold = 2 } = options;
  const { concurrency = 10, perSecond = 20 } = options;
  const check = checkFunction('healthChecks check', options.check);
  checkNumber('healthChecks interval', interval, 1);
  checkNumber('healthChecks unhealthyInterval', unhealthyInterval, 1);
  checkNumber('healthChecks edgeInterval', edgeInterval, 1);
  checkNumber('healthChecks jitter', jitter, 0, 1);
  checkNumber('healthChecks timeout', timeout, 1);
  checkNumber('healthChecks unhealthyThreshold', unhealthyThreshold, 1, Number.MAX_SAFE_INTEGER, true);
  checkNumber('healthChecks healthyThreshold', healthyThreshold, 1, Number.MAX_SAFE_INTEGER, true);
  checkNumber('healthChecks concurrency', concurrency, 1, Number.MAX_SAFE_INTEGER, true);
  checkNumber('healthChecks perSecond', perSecond, Number.MIN_VALUE);
  const settings: Settings = {
    ...{ check, interval, unhealthyInterval, edgeInterval, jitter, timeout },
    ...{ unhealthyThreshold, healthyThreshold, concurrency, perSecond },
  };
  return (env, report) => new Rounds(settings, env, report);
}

type Settings = Required<HealthCheckOptions>;

interface Patient {
  readonly member: Member;
  /** Checks in a row that told otherwise than what it counts as. */
  otherwise: number;
  /** Calls off the next check, while one is due. */
  cancel: (() => void) | undefined;
  gone: boolean;
}

class Rounds implements HealthMonitor {
  readonly #settings: Settings;
  readonly #env: Env;
  readonly #report: Parameters<MakeHealth>[1];
  readonly #patients = new Map<Member, Patient>();
  readonly #stop = new AbortController();
  /** Those whose check is due, and waits for others to end. */
  readonly #line: Patient[] = [];
  #running = 0;

  constructor(settings: Settings, env: Env, report: Parameters<MakeHealth>[1]) {
    this.#settings = settings;
    this.#env = env;
    this.#report = report;
  }

  set(members: readonly Member[]): void {
    const present = new Set(members);
    for (const [member, patient] of this.#patients) {
      if (present.has(member)) continue;
      patient.gone = true;
      patient.cancel?.();
      this.#patients.delete(member);
    }
    const newcomers = members.filter(member => !this.#patients.has(member));
    newcomers.forEach((member, i) => {
      const patient: Patient = { member, otherwise: 0, cancel: undefined, gone: false };
      this.#patients.set(member, patient);
      const { perSecond } = this.#settings;
      if (i < perSecond) this.#due(patient);
      else patient.cancel = this.#env.clock.after((i / perSecond) * 1000, () => this.#due(patient));
    });
  }

  close(): void {
    this.set([]);
    this.#stop.abort();
  }

  #due(patient: Patient): void {
    patient.cancel = undefined;
    if (this.#running < this.#settings.concurrency) this.#check(patient);
    else this.#line.push(patient);
  }

  #check(patient: Patient): void {
    const { check, timeout } = this.#settings;
    const { clock } = this.#env;
    this.#running++;
    const { endpoint } = patient.member;
    within(
      clock,
      timeout,
      this.#stop.signal,
      () => new Error(`no answer within ${timeout} ms`),
      signal => check(endpoint, signal),
    ).then(
      answer => this.#ended(patient, answer !== false, undefined),
      error => this.#ended(patient, false, error),
    );
  }

  #ended(patient: Patient, passed: boolean, error: unknown): void {
    this.#running--;
    for (let next = this.#line.shift(); next !== undefined; next = this.#line.shift()) {
      if (next.gone) continue;
      this.#check(next);
      break;
    }
    if (patient.gone) return;
    const { unhealthyThreshold, healthyThreshold, interval, unhealthyInterval, edgeInterval } =
      this.#settings;
    const { member } = patient;
    const { unhealthy } = member;
    patient.otherwise = passed === unhealthy ? patient.otherwise + 1 : 0;
    if (patient.otherwise >= (unhealthy ? healthyThreshold : unhealthyThreshold)) {
      patient.otherwise = 0;
      this.#report(member, passed, error);
    } else if (passed && !unhealthy && member.breaker.state === 'open') {
      this.#report(member, true);
    }
    if (patient.gone) return; // whoever was told may have closed the pool
    const regular = member.unhealthy ? unhealthyInterval : interval;
    const wait = patient.otherwise > 0 ? Math.min(edgeInterval, regular) : regular;
    const least = (this.#patients.size / this.#settings.perSecond) * 1000;
    const { clock, random } = this.#env;
    const delay = jittered(random, Math.max(wait, least), this.#settings.jitter);
    patient.cancel = clock.after(delay, () => this.#due(patient));
  }
}
