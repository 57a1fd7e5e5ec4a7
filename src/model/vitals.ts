import type { Member } from './member.ts';

/** What the members of one pool have in common: how their breakers stand. */
export class Vitals {
  /** Changes of the set and moves of breakers: who counts members by their state need not count again until it changes. */
  moves = 0;
  /** Members whose breaker is not closed, or whose health checks fail. */
  refused = 0;
  /** Attempts that run, at members that have left, too. */
  inFlight = 0;
  /** How many breakers may be heeded at once. */
  #limit = Number.POSITIVE_INFINITY;
  #heeded = 0;
  #members: readonly Member[] = [];

  /** Counts the members of a new set. At least one may be refused, whatever the share. */
  set(members: readonly Member[], maxRefused: number): void {
    this.moves++;
    this.#members = members;
    this.refused = this.#heeded = 0;
    this.#limit = Math.max(1, Math.floor(members.length * maxRefused));
    for (const member of members) {
      member.refused = member.spared = false;
      this.#count(member);
    }
  }

  /**
   * A member's breaker has moved, or its health. If it is the first to be well after all were refused, answers all of them:
   * what they had in common is over, and how long each was to stay open says nothing any more.
   */
  moved(member: Member): readonly Member[] {
    this.moves++;
    if (!member.active) return NOBODY;
    const all = this.refused === this.#members.length;
    if (member.refused) {
      this.refused--;
      if (!member.spared) this.#heeded--;
    }
    this.#count(member);
    if (this.#heeded < this.#limit && this.#heeded < this.refused) this.#heedAnother();
    return all && !member.refused ? this.#members : NOBODY;
  }

  /**
   * Until when all members that could take an attempt have asked to be left alone, in monotonic ms: the end of the first
   * one's rest. `-Infinity` if there is one that has not asked, or none.
   */
  get coolUntil(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { free, spared, coolUntil } of this.#members)
      if (free) first = Math.min(first, spared ? Number.NEGATIVE_INFINITY : coolUntil);
    return first === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : first;
  }

  /** One who was spared need not be any longer. */
  #heedAnother(): void {
    const spared = this.#members.find(member => member.spared);
    if (spared === undefined) return;
    spared.spared = false;
    this.#heeded++;
  }

  #count(member: Member): void {
    member.refused = member.breaker.state !== 'closed' || member.unhealthy;
    member.spared = member.refused && this.#heeded >= this.#limit;
    if (!member.refused) return;
    this.refused++;
    if (!member.spared) this.#heeded++;
  }
}

const NOBODY: readonly Member[] = [];
