import type { Random } from '../base/env.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Preference } from './balancer.ts';
import type { ProbeNews } from './probe-news.ts';
import type { ProbedLoad } from './probed-load.ts';

/** Who takes so many attempts per success is hot, however little it has in flight: one in five fails. */
const FAILING = 1.25;
/**
 * Latencies within this factor of the least are alike, and so are all below so many ms: then the one with less in
 * flight is better. By the paper's rule, the least of all, chance in the medians keeps whole servers idle: simulated
 * at 0.8 of what 20 like servers can do, p99 is 77 ms by that and 51 ms by this.
 */
const ALIKE = 2;
const LEAST = 1;
/** What puts all hot members behind all cold ones: more than any latency. */
const HOT = 1e100;
/** Where nobody else will do. */
const LAST = Number.MAX_VALUE;
/** Of members alike, the one with less in flight is better by so many ms for each. */
const TINY = 1e-6;

/**
 * The hot-cold lexicographic rule: a cold member that is about as fast as any, and of those the one with the least
 * in flight for its weight; if all are hot, the one with the least in flight. A member that is due for its breaker's
 * probe comes first, as everywhere.
 */
export class HotCold {
  readonly #random: Random;
  readonly #news: ProbeNews;
  /** The mean weight. */
  readonly #mean: number;

  constructor(members: readonly Member[], random: Random, news: ProbeNews) {
    this.#random = random;
    this.#news = news;
    this.#mean = members.reduce((sum, { weight }) => sum + weight / members.length, 0);
  }

  /** The best by the answers since then; none if fewer than two of them are of members that the call accepts. */
  best(held: readonly Member[], call: Call, now: number, since: number): Member | undefined {
    const alike = this.#alike(held, call, now, since);
    if (alike === undefined) return undefined;
    let best: Member | undefined;
    let least = Number.POSITIVE_INFINITY;
    let drawn = 0;
    for (let i = 0; i < held.length; i++) {
      const member = held[i]!;
      if (!serves(member, call, now, since)) continue;
      const rank = this.#rankFor(member, call, now, alike);
      if (rank > least) continue;
      drawn = rank < least ? member.weight : drawn + member.weight;
      if (rank === least && this.#random() * drawn >= member.weight) continue; // equals: by weight
      best = member;
      least = rank;
    }
    return best;
  }

  /** Up to what latency members are as fast as the fastest; nothing if fewer than two answers serve. */
  #alike(held: readonly Member[], call: Call, now: number, since: number): number | undefined {
    let serving = 0;
    let fastest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < held.length; i++) {
      const member = held[i]!;
      if (!serves(member, call, now, since)) continue;
      serving++;
      fastest = Math.min(fastest, this.rank(member, now));
    }
    return serving < 2 ? undefined : ALIKE * Math.max(fastest, LEAST);
  }

  explain(held: readonly Member[], call: Call, now: number, since: number): Preference[] {
    const alike = this.#alike(held, call, now, since);
    if (alike === undefined) return [];
    const ranked = held
      .filter(member => serves(member, call, now, since))
      .map(member => ({ member, rank: this.#rankFor(member, call, now, alike) }))
      .sort((a, b) => a.rank - b.rank);
    const equals = ranked.filter(({ rank }) => rank === ranked[0]!.rank);
    const total = equals.reduce((sum, { member }) => sum + member.weight, 0);
    return ranked.map(({ member, rank }) => ({
      member,
      share: rank === ranked[0]!.rank ? member.weight / total : 0,
      note: this.#note(member, now),
    }));
  }

  /** Its rank for a call: a call that has failed already is not for a breaker's probe. */
  #rankFor(member: Member, call: Call, now: number, alike: number): number {
    if (isDue(member, now)) return call.tried.length === 0 ? -1 : LAST;
    const rank = this.rank(member, now);
    if (rank > alike || rank >= HOT) return rank;
    return alike + TINY * this.crowding(member, 0);
  }

  /** Lower is better: any cold member before any hot one, cold ones by latency, hot ones by what is in flight. */
  rank(member: Member, now: number): number {
    const load = member.load as ProbedLoad;
    const effort = load.effort(now);
    const crowding = this.crowding(member, 0);
    if (effort < FAILING && crowding <= this.#news.threshold) return load.latency * effort;
    return HOT * (1 + effort * this.crowding(member, 1));
  }

  /** What is in flight, and so many more, for a member of average weight. */
  crowding({ load, weight }: Member, more: number): number {
    return (((load as ProbedLoad).inFlight + more) * this.#mean) / weight;
  }

  #note(member: Member, now: number): string {
    if (isDue(member, now)) return `due for its breaker's probe`;
    const load = member.load as ProbedLoad;
    const state = this.rank(member, now) < HOT ? 'cold' : load.effort(now) < FAILING ? 'hot' : 'failing';
    return `${state}: ${load.inFlight} in flight, ${load.latency.toFixed(1)} ms`;
  }
}

const serves = (member: Member, call: Call, now: number, since: number): boolean =>
  (member.load as ProbedLoad).answeredAt >= since && call.accepts(member, now);

const isDue = ({ breaker }: Member, now: number): boolean =>
  breaker.state !== 'closed' && breaker.allows(now);
