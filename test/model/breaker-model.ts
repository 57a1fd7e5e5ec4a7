import type { BreakerState, Outcome } from 'fairlead/core';

/** What happened in a phase: a call began, as a probe or against the breaker's will; or one of the phase ended. */
export interface Happening {
  readonly at: number;
  readonly what: 'probe' | 'panic' | Outcome;
  /** Of an end, in ms. */
  readonly elapsed: number;
}

export interface Phase {
  readonly state: BreakerState;
  /** When it began. */
  readonly at: number;
  readonly happenings: Happening[];
  /** Of an open one: for how long. */
  openFor: number;
  hinted: boolean;
}

export interface OpenRules {
  readonly openFor: number;
  readonly maxOpenFor: number;
  readonly probes: number;
  readonly jitter: number;
}

/** Whether what ended in a closed phase opens it, the last end being the one that is asked about. */
export type Trips = (ends: readonly Happening[]) => boolean;

/** A breaker by its whole history: remembers all that happened and works everything out from it whenever asked. */
export class BreakerModel {
  readonly phases: Phase[] = [];
  readonly #rules: OpenRules;
  readonly #fails: (end: Happening) => boolean;
  readonly #trips: Trips;

  constructor(rules: OpenRules, fails: (end: Happening) => boolean, trips: Trips) {
    this.#rules = rules;
    this.#fails = fails;
    this.#trips = trips;
    this.#enter('closed', 0);
  }

  get phase(): Phase {
    return this.phases.at(-1)!;
  }

  allows(now: number): boolean {
    const { state, happenings, at, openFor, hinted } = this.phase;
    if (state === 'closed') return true;
    if (state === 'open') return hinted || now - Math.ceil(at) >= openFor;
    return this.#probing() < this.#rules.probes || this.#overdue(happenings, now);
  }

  /** Answers the number of the phase that the call belongs to. */
  begin(now: number): number {
    if (this.phase.state !== 'closed') {
      const allowed = this.allows(now);
      const all = this.phase.state === 'half-open' && this.#probing() === this.#rules.probes;
      if (allowed && (this.phase.state === 'open' || all)) this.#enter('half-open', now);
      this.phase.happenings.push({ at: now, what: allowed ? 'probe' : 'panic', elapsed: 0 });
    }
    return this.phases.length - 1;
  }

  end(what: Outcome, elapsed: number, phase: number, now: number): void {
    const { state, happenings } = this.phase;
    if (phase !== this.phases.length - 1 || state === 'open') return;
    happenings.push({ at: now, what, elapsed });
    const ends = happenings.filter(each => each.what === 'success' || each.what === 'failure');
    if (what === 'ignored') return;
    if (state === 'closed') {
      if (this.#trips(ends)) this.#enter('open', now);
    } else if (ends.some(this.#fails)) this.#enter('open', now);
    else if (ends.length === this.#rules.probes) this.#enter('closed', now);
  }

  hint(): void {
    if (this.phase.state === 'open') this.phase.hinted = true;
  }

  /** For how long the open phase lasts, in whole ms: at least and at most. */
  opens(): readonly [number, number] {
    const { openFor, maxOpenFor, jitter } = this.#rules;
    let usual = 0;
    this.phases.forEach((phase, i) => {
      if (phase.state !== 'open') return;
      const before = this.phases[i - 1]!;
      // Each ms that it was closed takes one back from twice the last time.
      const well = before.state === 'closed' ? phase.at - Math.ceil(before.at) : 0;
      usual = Math.round(Math.min(maxOpenFor, Math.max(openFor, 2 * usual - well)));
    });
    const least = Math.max(1, Math.ceil(usual * (1 - jitter)));
    return [least, Math.max(1, Math.ceil(Math.min(maxOpenFor, usual * (1 + jitter))))];
  }

  /** How many probes are out or have told. */
  #probing(): number {
    const { happenings } = this.phase;
    const panic = happenings.findIndex(({ what }) => what === 'panic');
    const certain = panic < 0 ? happenings : happenings.slice(0, panic);
    // A call that proved nothing gives its place back, while it cannot have been one of those in panic.
    return (
      happenings.filter(({ what }) => what === 'probe').length -
      certain.filter(({ what }) => what === 'ignored').length
    );
  }

  /** Whether the probes have not come back for as long as it was open. */
  #overdue(happenings: readonly Happening[], now: number): boolean {
    const latest = happenings.findLast(({ what }) => what === 'probe')!;
    const open = this.phases.findLast(({ state }) => state === 'open')!;
    return now - Math.ceil(latest.at) >= open.openFor;
  }

  #enter(state: BreakerState, at: number): void {
    this.phases.push({ state, at, happenings: [], openFor: 0, hinted: false });
  }
}
