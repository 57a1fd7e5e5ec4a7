import type { Env } from '../base/env.ts';
import type { Call } from '../model/call.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';

/** Chooses one member the call accepts, or none. Synchronous; never waits, never throws, allocates nothing. */
export interface Picker {
  (call: Call, now: number): Member | undefined;
  /**
   * What it would do with such a call, without doing it: the members it would ask, the likeliest first (of a ring:
   * in the order of the walk). Who is not listed cannot be chosen.
   */
  readonly explain?: (call: Call, now: number) => readonly Preference[];
}

/** What a picker thinks of a member. */
export interface Preference {
  readonly member: Member;
  /** The share of such calls that it gets as things stand, 0 to 1; where keys decide, of all keys. */
  readonly share?: number;
  /** Why, in a few words. */
  readonly note?: string;
}

/** A way of choosing. Makes a picker for each set of members; keeps from set to set what must last. */
export interface Balancer {
  /**
   * Called when the set or a weight changes, never per call. The set is not empty, is sorted by id, holds no
   * drained member, and is never edited. What it throws refuses the set: the last good one stands.
   */
  picker(members: readonly Member[], env: Env): Picker;
  /** The load each new member is given; none if the balancer does not look at load. */
  readonly load?: (env: Env) => Load;
  /** Whether it places calls by their key. */
  readonly keyed?: boolean;
  /** Lets go of whatever it has outstanding. Called when the pool closes. */
  close?(): void;
}
