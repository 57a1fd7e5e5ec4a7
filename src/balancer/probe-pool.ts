import type { Random } from '../base/env.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Preference } from './balancer.ts';
import { HotCold } from './hot-cold.ts';
import type { ProbeNews } from './probe-news.ts';
import { type ProbedLoad, probedLoadOf } from './probed-load.ts';

/** Of so many answers one is removed before its time: one per call, at three probes per call (the paper's r_remove). */
const PER_REMOVAL = 3;
/** The paper's 1 + delta. */
const MARGIN = 2;
/**
 * Where fresh answers are too few, for calls are rare, older ones will do, up to so many times the age: simulated with
 * 1000 clients of 0.6 calls a second each, p99 is 1.3 s with them and 29 s without.
 */
export const STALE = 10;

/** Answers to probes: at most one per member, at most so many, none too old, in the order they came. */
export class ProbePool {
  readonly #members: ReadonlySet<Member>;
  readonly #random: Random;
  readonly #news: ProbeNews;
  readonly #rule: HotCold;
  readonly #maxAge: number;
  readonly #size: number;
  /** What share of the answers neither takes another's place nor is removed before its time. */
  readonly #kept: number;
  readonly #held: Member[] = [];
  /** Answers that no removal has been made for yet. */
  #owed = 0;
  /** Whether the next removal takes the worst, rather than the oldest. */
  #worstNext = false;

  /** Takes over what another holds of the same members. */
  constructor(
    members: readonly Member[],
    random: Random,
    news: ProbeNews,
    { maxAge, poolSize }: { readonly maxAge: number; readonly poolSize: number },
    before?: ProbePool,
  ) {
    for (const member of members) probedLoadOf(member);
    this.#members = new Set(members);
    this.#random = random;
    this.#news = news;
    this.#maxAge = maxAge;
    this.#size = Math.min(poolSize, members.length);
    const { length } = members;
    this.#kept = ((PER_REMOVAL - 1) * length - PER_REMOVAL * this.#size) / (PER_REMOVAL * length); // exactly 0 at times
    this.#rule = new HotCold(members, random, news);
    if (before !== undefined) this.#held = before.#held.filter(member => this.has(member));
  }

  has(member: Member): boolean {
    return this.#members.has(member);
  }

  /** Puts in what a probe brought; anything but a sound answer takes out what there was. */
  answer(member: Member, answer: unknown, now: number): void {
    if (!this.has(member)) return;
    const load = member.load as ProbedLoad;
    this.#drop(this.#held.indexOf(member));
    if (!load.take(answer, now)) {
      this.#news.failure();
      return;
    }
    this.#news.answer(this.#rule.crowding(member, 0), now);
    load.uses = this.#uses();
    if (this.#held.length === this.#size) this.#drop(0);
    this.#held.push(member);
    if (this.#kept > 0) this.#owed++;
  }

  /** The best by the fresh answers; by older ones if too few are fresh; none if most probes are not answered. */
  choose(call: Call, now: number): Member | undefined {
    const oldest = now - STALE * this.#maxAge;
    while (this.#held.length > 0 && (this.#held[0]!.load as ProbedLoad).answeredAt < oldest) this.#drop(0);
    if (!this.#news.trusted) return undefined;
    return (
      this.#rule.best(this.#held, call, now, now - this.#maxAge) ??
      this.#rule.best(this.#held, call, now, oldest)
    );
  }

  /** A member was chosen by its answer, or otherwise: counts the call, and removes what there has been enough of. */
  used(member: Member, now: number): void {
    const load = member.load as ProbedLoad;
    this.#news.call();
    load.inFlight++;
    if (--load.uses <= 0) this.#drop(this.#held.indexOf(member));
    for (; this.#owed >= PER_REMOVAL; this.#owed -= PER_REMOVAL) {
      this.#drop(this.#worstNext ? this.#worst(now) : 0);
      this.#worstNext = !this.#worstNext;
    }
  }

  explain(call: Call, now: number): Preference[] {
    if (!this.#news.trusted) return [];
    const fresh = this.#rule.explain(this.#held, call, now, now - this.#maxAge);
    return fresh.length > 0 ? fresh : this.#rule.explain(this.#held, call, now, now - STALE * this.#maxAge);
  }

  /**
   * For how many calls an answer serves, so that as many are used up or removed as come in: 1 at least, and no bound
   * where answers take each other's place, for there are few members. Rounded up or down by chance.
   */
  #uses(): number {
    const uses = MARGIN / (this.#kept * this.#news.perCall);
    if (!(this.#kept > 0 && uses < Number.MAX_SAFE_INTEGER)) return Number.POSITIVE_INFINITY;
    return Math.max(1, Math.floor(uses + this.#random()));
  }

  #worst(now: number): number {
    let worst = -1;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.#held.length; i++) {
      const rank = this.#rule.rank(this.#held[i]!, now);
      if (rank <= most) continue;
      most = rank;
      worst = i;
    }
    return worst;
  }

  #drop(at: number): void {
    const held = this.#held;
    if (at < 0 || at >= held.length) return;
    for (let i = at + 1; i < held.length; i++) held[i - 1] = held[i]!;
    held.length--;
  }
}
