import { type Env, jittered } from '../base/env.ts';
import { bad } from '../base/errors.ts';
import type { Settled } from '../base/options.ts';
import { within } from '../base/signal.ts';
import type { HealthMonitor, MakeHealth } from '../model/health.ts';
import type { Member } from '../model/member.ts';
import type { HealthCheckOptions } from './health-checks.ts';
import { Pace } from './pace.ts';

/** Checked, with defaults in. */
export type HealthCheckSettings = Settled<HealthCheckOptions>;

type Report = Parameters<MakeHealth>[1];

interface Patient {
  readonly member: Member;
  /** Ends the check that runs, once nobody wants to know any more. */
  readonly stop: AbortController;
  /** No check of it has ended yet. */
  fresh: boolean;
  /** Checks in a row that told otherwise than what it counts as. */
  otherwise: number;
  /** Calls off the next check, while one is to come. */
  cancel: (() => void) | undefined;
}

/** Checks each member over and over, within the bounds that the settings have for all of them. */
export class Rounds implements HealthMonitor {
  readonly #settings: HealthCheckSettings;
  readonly #env: Env;
  readonly #report: Report;
  readonly #pace: Pace;
  readonly #patients = new Map<Member, Patient>();
  /** Those whose check is due, first come, first served; every other turn is of those about to change, if there are any. */
  readonly #urgent = new Set<Patient>();
  readonly #due = new Set<Patient>();
  #urgentFirst = true;
  #running = 0;
  /** Calls off the wait for the pace to allow one more. */
  #wake: (() => void) | undefined;

  constructor(settings: HealthCheckSettings, env: Env, report: Report) {
    this.#settings = settings;
    this.#env = env;
    this.#report = report;
    this.#pace = new Pace(settings.perSecond);
  }

  set(members: readonly Member[]): void {
    const present = new Set(members);
    for (const [member, patient] of this.#patients) if (!present.has(member)) this.#dismiss(patient);
    const newcomers = members.filter(member => !this.#patients.has(member));
    for (const member of newcomers) {
      const stop = new AbortController();
      const patient: Patient = { member, stop, fresh: true, otherwise: 0, cancel: undefined };
      this.#patients.set(member, patient);
      this.#due.add(patient);
    }
    // Last of all: whoever is told may close the pool.
    if (this.#settings.initially === 'unhealthy') for (const member of newcomers) this.#report(member, false);
    this.#next();
  }

  close(): void {
    this.set([]);
    this.#wake?.();
    this.#wake = undefined;
  }

  #dismiss(patient: Patient): void {
    this.#patients.delete(patient.member);
    this.#urgent.delete(patient);
    this.#due.delete(patient);
    patient.cancel?.();
    patient.stop.abort();
  }

  /** Begins as many checks as are due and may begin. */
  #next(): void {
    const { clock } = this.#env;
    while (this.#running < this.#settings.concurrency && this.#wake === undefined) {
      const urgent = this.#urgent.size > 0 && (this.#urgentFirst || this.#due.size === 0);
      const line = urgent ? this.#urgent : this.#due;
      const [patient] = line;
      if (patient === undefined) return;
      const now = clock.now();
      const wait = this.#pace.wait(now);
      if (wait > 0) {
        this.#wake = clock.after(wait, () => {
          this.#wake = undefined;
          this.#next();
        });
        return;
      }
      this.#pace.began(now);
      line.delete(patient);
      this.#urgentFirst = !urgent;
      this.#check(patient);
    }
  }

  #check(patient: Patient): void {
    const { check, timeout } = this.#settings;
    this.#running++;
    const { endpoint } = patient.member;
    within(
      this.#env.clock,
      timeout,
      patient.stop.signal,
      () => new Error(`no answer within ${timeout} ms`),
      signal => check(endpoint, signal),
    ).then(
      answer => {
        // That of what makes a check, given in a check's place. Whatever else there is, somebody has answered it.
        const strange = typeof answer === 'function';
        const error = strange ? bad('what healthChecks check answered', answer, 'anything else') : undefined;
        this.#ended(patient, answer !== false && !strange, error);
      },
      error => this.#ended(patient, false, error),
    );
  }

  #ended(patient: Patient, passed: boolean, error: unknown): void {
    this.#running--;
    if (!patient.stop.signal.aborted) this.#learn(patient, passed, error);
    if (!patient.stop.signal.aborted) this.#later(patient); // whoever was told may have closed the pool
    this.#next();
  }

  #learn(patient: Patient, passed: boolean, error: unknown): void {
    const { unhealthyThreshold, healthyThreshold } = this.#settings;
    const { member, fresh } = patient;
    const { unhealthy } = member;
    patient.fresh = false;
    patient.otherwise = passed === unhealthy ? patient.otherwise + 1 : 0;
    const enough = !unhealthy
      ? unhealthyThreshold
      : fresh && this.#settings.initially === 'unhealthy'
        ? 1
        : healthyThreshold;
    if (patient.otherwise >= enough) {
      patient.otherwise = 0;
      this.#report(member, passed, error);
    } else if (passed && !unhealthy && member.breaker.state === 'open') {
      this.#report(member, true);
    }
  }

  #later(patient: Patient): void {
    const { interval, unhealthyInterval, edgeInterval, jitter, perSecond } = this.#settings;
    const { clock, random } = this.#env;
    const regular = patient.member.unhealthy ? unhealthyInterval : interval;
    const edge = patient.otherwise > 0;
    const wait = edge
      ? Math.min(edgeInterval, regular)
      : Math.max(regular, (this.#patients.size / perSecond) * 1000);
    patient.cancel = clock.after(jittered(random, wait, jitter), () => {
      patient.cancel = undefined;
      (edge ? this.#urgent : this.#due).add(patient);
      this.#next();
    });
  }
}
