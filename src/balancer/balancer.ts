import type { Env } from '../base/env.ts';
import type { Call } from '../model/call.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';

/** Chooses one member the call accepts, or none. Synchronous; never waits, never throws, allocates nothing. */
export type Picker = (call: Call, now: number) => Member | undefined;

/** A way of choosing. Makes a picker for each set of members; keeps from set to set what must last. */
export interface Balancer {
  /**
   * Called when the set or a weight changes, never per call. The set is not empty, is sorted by id, holds no
   * drained member, and is never edited. What it throws refuses the set: the last good one stands.
   */
  picker(members: readonly Member[], env: Env): Picker;
  /** The load each new member is given; none if the balancer does not look at load. */
  readonly load?: () => Load;
}
