import type { Flight, Load, LoadReport } from '../model/load.ts';
import type { Outcome } from '../model/outcome.ts';
import { positive } from './utilization.ts';

/** Time constant of what is measured here, in ms: about what servers average over, for then the two sway least. */
const MEMORY = 5000;

export interface ReportedSettings {
  readonly blackout: number;
  readonly expiry: number;
  readonly errorPenalty: number;
  /** How busy the member is by its report; 0 if that does not say. */
  readonly utilization: (report: LoadReport) => number;
}

/** Where a member's weight stands: known, or why not. */
export type Standing =
  | 'known'
  | 'no report yet'
  | 'reporting not for long enough'
  | 'its reports have stopped';

/** What a member reports of itself, and what of that is not reported but can be measured from here. */
export class Reported implements Load {
  readonly #settings: ReportedSettings;
  /** By the latest report; 0 while there is none. */
  utilization = 0;
  /** Calls a second by the latest report; 0 if it does not say. */
  rps = 0;
  /** Errors by call in the latest report. */
  #errors = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  /** Since when it has reported without a break of `expiry`. */
  #since = 0;
  /** Since the latest `measure`. */
  #begun = 0;
  #succeeded = 0;
  #failed = 0;
  /** The same before that, and how long it took, each faded by age. */
  #calls = 0;
  #ends = 0;
  #failures = 0;
  #time = 0;
  #measuredAt: number | undefined;

  constructor(settings: ReportedSettings) {
    this.#settings = settings;
  }

  begin({ startedAt }: Flight): void {
    this.#measuredAt ??= startedAt;
    this.#begun++;
  }

  end(_: Flight, outcome: Outcome): void {
    if (outcome === 'success') this.#succeeded++;
    else if (outcome === 'failure') this.#failed++;
  }

  /** A report without a utilization says nothing. */
  report(report: LoadReport, now: number): void {
    const utilization = this.#settings.utilization(report);
    if (utilization === 0) return;
    if (now - this.#reportedAt >= this.#settings.expiry) this.#since = now;
    this.#reportedAt = now;
    this.utilization = utilization;
    this.rps = positive(report.rps);
    this.#errors = this.rps === 0 ? 0 : Math.min(1, positive(report.eps) / this.rps);
  }

  /** As after a restart: it has to report for a while again. */
  forgive(): void {
    this.#reportedAt = Number.NEGATIVE_INFINITY;
    this.#failed = this.#failures = 0;
  }

  /** What a call takes of the member, as far as is known. */
  cost(): number {
    const weight = this.weight();
    return weight > 0 ? 1 / weight : 0;
  }

  /** Adds up what has been counted since the last time. */
  measure(now: number): void {
    const elapsed = now - (this.#measuredAt ?? now);
    if (elapsed <= 0) return;
    const left = Math.exp(-elapsed / MEMORY);
    this.#calls = this.#calls * left + this.#begun;
    this.#ends = this.#ends * left + this.#succeeded + this.#failed;
    this.#failures = this.#failures * left + this.#failed;
    this.#time = this.#time * left + elapsed;
    this.#begun = this.#succeeded = this.#failed = 0;
    this.#measuredAt = now;
  }

  standing(now: number): Standing {
    const { blackout, expiry } = this.#settings;
    if (this.#reportedAt === Number.NEGATIVE_INFINITY) return 'no report yet';
    if (now - this.#reportedAt >= expiry) return 'its reports have stopped';
    return now - this.#since < blackout ? 'reporting not for long enough' : 'known';
  }

  /** Calls a second that the member can take, by what the calls it has take of it. 0 if that is not known. */
  weight(): number {
    const rate = this.rps > 0 ? this.rps : this.ownRate;
    const errors = Math.max(this.#errors, this.#ends > 0 ? this.#failures / this.#ends : 0);
    const used = this.utilization + errors * this.#settings.errorPenalty;
    const weight = rate / used;
    return this.utilization > 0 && weight < Number.POSITIVE_INFINITY ? weight : 0;
  }

  /** Calls a second from here. */
  get ownRate(): number {
    return this.#time > 0 ? (this.#calls / this.#time) * 1000 : 0;
  }
}
