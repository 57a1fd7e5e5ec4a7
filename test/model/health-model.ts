import type { HealthCheckOptions } from 'fairlead/core';
import { holds, same } from './walk.ts';

export type HealthRules = Required<Omit<HealthCheckOptions, 'check'>>;

/** A member's stay in the set. */
interface Stay {
  readonly member: number;
  /** Whether it was ill when it came. */
  readonly cameIll: boolean;
  /** Whether each of its checks passed, in order. */
  readonly passed: boolean[];
  /** When the next check is due: at the earliest and at the latest. */
  due: readonly [number, number];
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
  /** Since when there has been room for another check, and until when there was the last time. */
  #roomSince: number | undefined = 0;
  #roomUntil = 0;

  constructor(rules: HealthRules) {
    this.#rules = rules;
  }

  isIll(member: number): boolean {
    return this.#ill.get(member) ?? false;
  }

  set(members: readonly number[], now: number): void {
    const before = this.#stays;
    let newcomers = 0;
    this.#stays = members.map(member => {
      const stays = before.find(stay => stay.member === member);
      if (stays !== undefined) return stays;
      const place = newcomers++;
      const due = now + (place < this.#rules.perSecond ? 0 : (place * 1000) / this.#rules.perSecond);
      return { member, cameIll: this.isIll(member), passed: [], due: [due, due] };
    });
  }

  close(): void {
    this.#closed = true;
    this.#stays = [];
  }

  began(member: number, now: number): Check {
    const stay = this.#stays.find(each => each.member === member);
    holds(!this.#closed && stay !== undefined, () => `member ${member} is checked and not in the set`);
    const { due } = stay!;
    holds(!this.#running.some(check => check.stay === stay), () => `member ${member} is being checked`);
    holds(this.#running.length < this.#rules.concurrency, () => 'more checks than may run at once');
    holds(now >= due[0] - SLACK, () => `member ${member} is checked ${due[0] - now} ms early`);
    this.#punctual(stay!, now);
    const overtaken = this.#stays.find(other => this.#waits(other, now) && other.due[1] < due[0] - SLACK);
    holds(overtaken === undefined, () => `member ${member} is checked before ${overtaken!.member}`);
    const check = { stay: stay!, startedAt: now };
    this.#running.push(check);
    if (this.#running.length === this.#rules.concurrency) {
      if (now > this.#roomSince!) this.#roomUntil = now;
      this.#roomSince = undefined;
    }
    return check;
  }

  timedOut({ startedAt }: Check, now: number): void {
    const took = now - startedAt;
    const right = this.#closed || Math.abs(took - this.#rules.timeout) < SLACK;
    holds(right, () => `a check was given up after ${took} ms`);
  }

  /** `open`: whether the member's breaker is. */
  ended(check: Check, passes: boolean, open: boolean, now: number): void {
    this.#running = this.#running.filter(each => each !== check);
    this.#roomSince ??= now;
    const { stay } = check;
    const { member, passed } = stay;
    if (!this.#stays.includes(stay)) return;
    passed.push(passes);
    const [ill, doubt] = this.#standing(stay);
    if (ill !== this.isIll(member) || (!ill && passes && open)) this.#reports.push({ member, healthy: !ill });
    this.#ill.set(member, ill);
    const { interval, unhealthyInterval, edgeInterval, perSecond, jitter } = this.#rules;
    const regular = ill ? unhealthyInterval : interval;
    const least = (this.#stays.length * 1000) / perSecond;
    const wait = Math.max(least, doubt ? Math.min(edgeInterval, regular) : regular);
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

  /** It may be late only if there has been no room since it was due. */
  #punctual({ member, due: [, latest] }: Stay, now: number): void {
    if (now <= latest + SLACK) return;
    const room = this.#roomUntil > latest + SLACK || (this.#roomSince !== undefined && this.#roomSince < now);
    holds(!room, () => `member ${member} should have been checked ${now - latest} ms ago`);
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
