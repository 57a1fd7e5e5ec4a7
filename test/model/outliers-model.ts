import type { Outcome, OutlierOptions } from 'fairlead/core';
import type { Settled } from '../../src/base/options.ts';
import { BreakerModel, type Happening, type OpenRules } from './breaker-model.ts';

export type OutlierRules = OpenRules & Settled<Omit<OutlierOptions, 'counts'>>;

/** One that is judged among its peers: all that it did, and where it stood when they were last compared. */
export class OutlierModel {
  readonly breaker: BreakerModel;
  /** Whether it belongs to the pool. */
  present = true;
  stands = false;

  constructor(rules: OutlierRules, peers: OutlierPeers) {
    this.breaker = new BreakerModel(
      rules,
      ({ what }) => what === 'failure',
      ends => peers.ejects(this, ends),
    );
  }

  begin(now: number): number {
    return this.breaker.begin(now);
  }

  end(outcome: Outcome, elapsed: number, phase: number, now: number): void {
    this.breaker.end(outcome, elapsed, phase, now);
    if (this.breaker.phase.state !== 'closed') this.stands = false;
  }
}

/** The members of a pool: who stands out among them is worked out from lists of all that they did. */
export class OutlierPeers {
  /** All there have ever been. */
  readonly members: OutlierModel[] = [];
  readonly #rules: OutlierRules;
  #compared = Number.NEGATIVE_INFINITY;

  constructor(rules: OutlierRules) {
    this.#rules = rules;
  }

  get present(): OutlierModel[] {
    return this.members.filter(({ present }) => present);
  }

  /** Whether the latest end in its closed phase ejects it. */
  ejects(member: OutlierModel, ends: readonly Happening[]): boolean {
    const { consecutive, failureShare, minCalls, interval, maxEjected } = this.#rules;
    const last = ends.at(-1)!;
    const current = Math.floor(last.at / interval);
    if (current > this.#compared) {
      this.#compared = current;
      this.#compare(current - 1, last);
    }
    const row = ends.length - 1 - ends.findLastIndex(({ what }) => what === 'success');
    const mine = ends.filter(({ at }) => Math.floor(at / interval) === current);
    const share = mine.filter(({ what }) => what === 'failure').length / mine.length;
    const failing = last.what === 'failure' && mine.length >= minCalls && share >= failureShare;
    if (!(member.stands || row >= consecutive || failing)) return false;
    const out = this.present.filter(({ breaker }) => breaker.phase.state !== 'closed').length;
    return out === 0 || out + 1 <= this.present.length * maxEjected;
  }

  #compare(interval: number, latest: Happening): void {
    const { minCalls, minMembers, deviations, worseBy, slowness, slowerBy } = this.#rules;
    const judged = this.present.flatMap(member => {
      member.stands = false;
      const { state, happenings } = member.breaker.phase;
      if (state !== 'closed') return [];
      const ends = happenings.filter(
        each =>
          each !== latest &&
          each.what !== 'ignored' &&
          Math.floor(each.at / this.#rules.interval) === interval,
      );
      if (ends.length < minCalls) return [];
      const good = ends.filter(({ what }) => what === 'success');
      const rate = 1 - (ends.length - good.length) / ends.length;
      return [{ member, rate, latency: mean(good.map(({ elapsed }) => elapsed)) }];
    });
    if (judged.length < minMembers) return;
    const rates = judged.map(({ rate }) => rate);
    const usual = mean(rates);
    const deviation = Math.sqrt(mean(rates.map(rate => (rate - usual) ** 2)));
    const latencies = judged.map(({ latency }) => latency).filter(latency => !Number.isNaN(latency));
    const median = latencies.sort((a, b) => a - b)[Math.floor(latencies.length / 2)]!;
    for (const { member, rate, latency } of judged) {
      const worse = rate < usual - Math.max(worseBy, deviations * deviation);
      member.stands = worse || (latency > slowness * median && latency > median + slowerBy);
    }
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
