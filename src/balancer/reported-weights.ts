import type { Member } from '../model/member.ts';
import { tame } from './phases.ts';
import { Reported } from './reported.ts';

/** No member gets more or less for its endpoint's weight than so many times what the median gets. */
const MOST = 10;
const LEAST = 0.01;

/** The weights of a set by what its members report, worked out when told. Allocates when made, not later. */
export class ReportedWeights {
  readonly values: Float64Array;
  readonly #members: readonly Member[];
  readonly #given: Float64Array;
  readonly #sorted: Float64Array;
  /** Whether a member reports a rate of calls: then those measured from here cannot be compared. */
  #rated = false;
  /** How many members have a weight of their own. */
  #known = 0;

  constructor(members: readonly Member[]) {
    this.#members = members;
    this.#given = tame(members);
    this.values = this.#given.slice();
    this.#sorted = new Float64Array(members.length);
  }

  workOut(now: number): void {
    const { values } = this;
    this.#rated = false;
    for (const { load } of this.#members) {
      if (!(load instanceof Reported)) continue;
      load.measure(now);
      if (load.rps > 0 && load.standing(now) === 'known') this.#rated = true;
    }
    this.#known = 0;
    for (let i = 0; i < values.length; i++) {
      values[i] = this.#weight(i, now);
      if (values[i]! > 0) this.#sorted[this.#known++] = values[i]!;
    }
    const known = this.#known;
    // As shares of the median, which one liar among many does not move.
    const median = this.#sorted.fill(Number.POSITIVE_INFINITY, known).sort()[(known - 1) >> 1]!;
    let mean = 0;
    for (let i = 0; i < values.length; i++) {
      if (values[i] === 0) continue;
      values[i] = Math.min(MOST, Math.max(LEAST, values[i]! / median));
      mean += values[i]! / known;
    }
    for (let i = 0; i < values.length; i++)
      values[i] = this.#given[i]! * (known < 2 ? 1 : values[i]! || mean);
  }

  /** What a member's weight comes from, as of the latest `workOut`. */
  note(i: number, now: number): string {
    const { load } = this.#members[i]!;
    if (!(load instanceof Reported)) return 'its load takes no reports';
    if (this.#known >= 2 && this.#weight(i, now) > 0) {
      const rate = load.rps > 0 ? `${round(load.rps)} calls/s` : `${round(load.ownRate)} calls/s from here`;
      return `utilization ${round(load.utilization)} at ${rate}`;
    }
    const standing = load.standing(now);
    const why = standing === 'known' ? 'its rate of calls is not known' : standing;
    return this.#known < 2 ? why : `${why}: given the mean`;
  }

  /** 0 if it is not known, or cannot be compared. */
  #weight(i: number, now: number): number {
    const { load } = this.#members[i]!;
    if (!(load instanceof Reported) || load.standing(now) !== 'known') return 0;
    return load.rps > 0 || !this.#rated ? load.weight() : 0;
  }
}

const round = (value: number): number => Number(value.toPrecision(3));
