import type { Random } from '../base/env.ts';
import type { Member } from '../model/member.ts';

/** For how long the recent cost counts as the usual one, for there is no other, in ms. */
const FIRST = 60_000;
/** In how many ms the usual cost doubles at most, and halves. */
const UP = 600_000;
const DOWN = 60_000;
/** The time constant of recent costs, in ms, and the most that one cost may count for in them. */
const RECENT = 1000;
const MOST = 1 / 16;
/** By what factor one cost may exceed the recent ones: more is none the worse. */
const OUTLIER = 8;
/** How often one call finds out what calls cost elsewhere, in ms, and how many it takes to know. */
const SCOUTS = 5000;
const ENOUGH = 8;
/** So many times less do calls that come one by one seem to cost than many do in a zone that is as well. */
const QUIET = 2;

export const priceOf = ({ load, weight }: Member, now: number): number => load.cost(now) / weight;

/**
 * What calls cost in the own zone of late and usually, and elsewhere. Single costs say little: they differ by more than
 * an overload would show. The usual cost rises slowly, so that what lasts for minutes is not taken for usual. What has
 * been too much from the first is told by a call now and then that goes elsewhere; as a client that is busy has more in
 * flight in its own zone, costs per call in flight are compared.
 */
export class ZoneCost {
  #usual = 0;
  #recent = 0;
  #recentEach = 0;
  #elsewhere = 0;
  #heard = 0;
  #scout: Member | undefined;
  #scoutsAt = Number.NaN;
  #since: number | undefined;
  #at = 0;

  /** Whether it is known to be more than so many times the usual of late, or what it is elsewhere. */
  exceeds(factor: number): boolean {
    if (this.#heard >= ENOUGH && this.#recentEach > factor * QUIET * this.#elsewhere) return true;
    return this.#recent > factor * this.#usual;
  }

  /** Takes in what a call would cost at a busy member here. 0 says nothing: it is for those of which nothing is known. */
  learn(cost: number, inFlight: number, now: number): void {
    if (!(cost > 0 && cost < Number.POSITIVE_INFINITY)) return;
    const each = cost / (inFlight + 1);
    if (this.#since === undefined) {
      this.#since = this.#at = now;
      this.#recent = this.#usual = cost;
      this.#recentEach = each;
      return;
    }
    const elapsed = now - this.#at;
    this.#at = now;
    const part = Math.min(MOST, elapsed / RECENT);
    this.#recent += part * (Math.min(cost, OUTLIER * this.#recent) - this.#recent);
    this.#recentEach += part * (Math.min(each, OUTLIER * this.#recentEach) - this.#recentEach);
    if (now - this.#since < FIRST) this.#usual = this.#recent;
    else if (this.#recent > this.#usual)
      this.#usual = Math.min(this.#recent, this.#usual * 2 ** Math.min(1, elapsed / UP));
    else this.#usual = Math.max(this.#recent, this.#usual / 2 ** Math.min(1, elapsed / DOWN));
    if (this.#scout?.inFlight === 0) {
      this.hear(this.#scout, now);
      this.#scout = undefined;
    }
  }

  /** Whether a call should go elsewhere to find out what that costs. */
  scouts(now: number, random: Random): boolean {
    if (Number.isNaN(this.#scoutsAt)) this.#scoutsAt = now + random() * SCOUTS;
    return now >= this.#scoutsAt;
  }

  /** Such a call goes to this member. */
  sent(scout: Member, now: number): void {
    this.#scout = scout;
    this.#scoutsAt = now + SCOUTS;
  }

  /** Takes in what a call costs at a member elsewhere that has been called a moment ago. */
  hear(member: Member, now: number): void {
    const each = priceOf(member, now) / (member.inFlight + 1);
    if (!(each > 0 && each < Number.POSITIVE_INFINITY)) return;
    this.#heard = Math.min(2 * ENOUGH, this.#heard + 1);
    this.#elsewhere += (each - this.#elsewhere) / this.#heard;
  }
}
