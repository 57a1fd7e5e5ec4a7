import type { HealthCheckOptions } from 'fairlead/core';
import type { Settled } from '../../src/base/options.ts';
import { holds, same } from './walk.ts';

export type HealthRules = Settled<Omit<HealthCheckOptions, 'check' | 'initially'>>;

/** A member's stay in the set. */
interface Stay {
  readonly member: number;
  /** Whether it was ill when it came. */
  readonly cameIll: boolean;
  /** Whether each of its checks passed, in order. */
  readonly passed: boolean[];
  /** When the next check is due: at the earliest and at the latest. */
  due: readonly [number, number];
  /** Whether it is about to change: then it waits in a line of its own. */
  urgent: boolean;
}

export interface Check {
  readonly stay: Stay;
  readonly startedAt: number;
}

/** What is told of a member. */
export interface Report {
  readonly member: number;
  readonly healthy: boolean;
}

const SLACK = 1e-6;

/**
 * Looks on and objects: is told which checks begin and how they end, and says what may not be. How a member stands is
 * worked out from all results of its stay.
 */
export class HealthModel {
  readonly #rules: HealthRules;
  readonly #ill = new Map<number, boolean>();
  #stays: Stay[] = [];
  #running: Check[] = [];
  #reports: Report[] = [];
  #closed = false;
  /** Since when there has been room for another check. */
  #roomSince: number | undefined = 0;
  /** When checks began. */
  readonly #begun: number[] = [];

  constructor(rules: HealthRules) {
    this.#rules = rules;
  }

  isIll(member: number): boolean {
    return this.#ill.get(member) ?? false;
  }

  set(members: readonly number[], now: number): void {
    const before = this.#stays;
    this.#stays = members.map(
      member =>
        before.find(stay => stay.member === member) ?? {
          ...{ member, cameIll: this.isIll(member), passed: [], urgent: false },
          due: [now, now],
        },
    );
    this.#drop(now);
  }

  close(now: number): void {
    this.#closed = true;
    this.#stays = [];
    this.#drop(now);
  }

  began(member: number, now: number): Check {
    const stay = this.#stays.find(each => each.member === member);
    holds(!this.#closed && stay !== undefined, () => `member ${member} is checked and not in the set`);
    const { due } = stay!;
    holds(!this.#running.some(check => check.stay === stay), () => `member ${member} is being checked`);
    holds(this.#running.length < this.#rules.concurrency, () => 'more checks than may run at once');
    holds(now >= due[0] - SLACK, () => `member ${member} is checked ${due[0] - now} ms early`);
    this.#punctual(stay!, now);
    const overtaken = this.#stays.find(
      other => other.urgent === stay!.urgent && this.#waits(other, now) && other.due[1] < due[0] - SLACK,
    );
    holds(overtaken === undefined, () => `member ${member} is checked before ${overtaken!.member}`);
    const check = { stay: stay!, startedAt: now };
    this.#running.push(check);
    if (this.#running.length === this.#rules.concurrency) this.#roomSince = undefined;
    this.#begun.push(now);
    holds(!this.#hurries(now), () => `${this.#begun.length} checks, the last of them too soon`);
    return check;
  }

  givenUp({ stay, startedAt }: Check, now: number): void {
    const took = now - startedAt;
    const right = !this.#stays.includes(stay) || Math.abs(took - this.#rules.timeout) < SLACK;
    holds(right, () => `a check was given up after ${took} ms`);
  }

  /** `open`: whether the member's breaker is. */
  ended(check: Check, passes: boolean, open: boolean, now: number): void {
    if (!this.#running.includes(check)) return; // its member has left
    this.#running = this.#running.filter(each => each !== check);
    this.#roomSince ??= now;
    const { stay } = check;
    const { member, passed } = stay;
    passed.push(passes);
    const [ill, doubt] = this.#standing(stay);
    if (ill !== this.isIll(member) || (!ill && passes && open)) this.#reports.push({ member, healthy: !ill });
    this.#ill.set(member, ill);
    const { interval, unhealthyInterval, edgeInterval, perSecond, jitter } = this.#rules;
    const regular = ill ? unhealthyInterval : interval;
    const least = (this.#stays.length * 1000) / perSecond;
    const wait = doubt ? Math.min(edgeInterval, regular) : Math.max(regular, least);
    stay.urgent = doubt;
    stay.due = [now + wait * (1 - jitter), now + wait * (1 + jitter)];
  }

  /** Of two members at one time either may come first. */
  reported({ member, healthy }: Report): void {
    const i = this.#reports.findIndex(report => report.member === member);
    const [expected] = i < 0 ? [] : this.#reports.splice(i, 1);
    same(`what is told of member ${member}`, healthy, expected?.healthy);
  }

  /** Nothing goes on at the moment. */
  settled(now: number): void {
    same('how many reports have not come', this.#reports.length, 0);
    for (const { stay, startedAt } of this.#running) {
      const took = now - startedAt;
      holds(took < this.#rules.timeout + SLACK, () => `a check of member ${stay.member} takes ${took} ms`);
    }
    for (const stay of this.#stays) if (this.#waits(stay, now)) this.#punctual(stay, now);
  }

  /** When a check is due next, at the latest. */
  get next(): number {
    const due = this.#stays.filter(stay => !this.#running.some(check => check.stay === stay));
    return Math.min(...due.map(stay => stay.due[1]));
  }

  /** Whether its check is certainly due, and has not begun. */
  #waits(stay: Stay, now: number): boolean {
    return now > stay.due[1] + SLACK && !this.#running.some(check => check.stay === stay);
  }

  /** It may be late only if a ms ago there was no room, or checks had begun as often as they may. */
  #punctual({ member, due: [, latest] }: Stay, now: number): void {
    const then = now - 1 - SLACK;
    if (then <= latest || this.#roomSince === undefined || this.#roomSince >= then) return;
    // The pace is kept in whole ms: another may just have had the turn.
    const excused = this.#paced(then) || this.#begun.some(at => at > then);
    holds(excused, () => `member ${member} should have been checked ${now - latest} ms ago`);
  }

  /** Whether as many checks have begun as may. */
  #paced(now: number): boolean {
    const [most, within] = this.#pace;
    return this.#begun.filter(at => at > now - within - SLACK && at <= now).length >= most;
  }

  #hurries(now: number): boolean {
    const [most, within] = this.#pace;
    return this.#begun.filter(at => at > now - within + SLACK).length > most;
  }

  /** How many checks may begin within how many ms. */
  get #pace(): readonly [number, number] {
    const { perSecond } = this.#rules;
    return perSecond < 1 ? [1, 1000 / perSecond] : [Math.floor(perSecond), 1000];
  }

  /** Checks of members that have left are given up. */
  #drop(now: number): void {
    const before = this.#running.length;
    this.#running = this.#running.filter(({ stay }) => this.#stays.includes(stay));
    if (this.#running.length < before) this.#roomSince ??= now;
  }

  /** Whether it is ill, and whether its last check told otherwise. */
  #standing({ cameIll, passed }: Stay): readonly [boolean, boolean] {
    const { unhealthyThreshold, healthyThreshold } = this.#rules;
    let ill = cameIll;
    let from = 0;
    for (let to = 1; to <= passed.length; to++) {
      const enough = ill ? healthyThreshold : unhealthyThreshold;
      const row = passed.slice(Math.max(from, to - enough), to);
      if (row.length < enough || !row.every(each => each === ill)) continue;
      ill = !ill;
      from = to;
    }
    return [ill, passed.length > from && passed.at(-1) === ill];
  }
}
