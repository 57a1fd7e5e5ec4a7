import type { Clock } from '../base/env.ts';
import { bad } from '../base/errors.ts';
import type { Breaker } from './breaker.ts';
import type { Endpoint } from './endpoint.ts';

/** What a pool has learned of its members that another process can go on with: plain JSON data. */
export interface SavedPool {
  /** In ms since 1970; absent if the clock does not tell. */
  readonly savedAt?: number | undefined;
  /** The ids taken out by hand. */
  readonly isolated: readonly string[];
  /** Of members whose breaker is not as good as new. */
  readonly breakers: readonly SavedMember[];
  /** Of `serviceBreaker`s, the innermost first; null where one is as good as new. */
  readonly service: readonly unknown[];
}

/** Restored for the same id at the same address only. */
export interface SavedMember {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** What its breaker saved: of ours, `state` and for how many ms it `remaining` would stay open, or an array of those. */
  readonly breaker: unknown;
}

/** Lets the new breakers of a pool go on where those of another process were. */
export interface Restore {
  readonly isolated: readonly string[];
  /** @throws TypeError or RangeError for what the breaker cannot go on from; then it is as good as new */
  member(breaker: Breaker, endpoint: Endpoint, clock: Clock): void;
  /** The same for the breakers round the service, by their number from 0. */
  service(breaker: Breaker, index: number, clock: Clock): void;
  /** A member of that id is in the set, at whatever address: it knows better from then on. */
  came(id: string): void;
}

/**
 * Makes the `restore` of one pool from what `pool.save()` answered. How long ago that was is told by clocks that may disagree:
 * never less than nothing; and if it is not known, as long as can be, lest anything stay open for longer than it would have.
 *
 * @throws TypeError for what no pool has saved
 */
export function restoreFrom(saved: SavedPool): Restore {
  const { savedAt, isolated, breakers, service } = saved ?? {};
  if (
    !(savedAt === undefined || Number.isFinite(savedAt)) ||
    !(Array.isArray(isolated) && isolated.every(id => typeof id === 'string')) ||
    ![breakers, service].every(Array.isArray)
  )
    throw bad('restore', saved, 'what pool.save() answered');
  const members = new Map(breakers.map(member => [member?.id, member]));
  const restore = (breaker: Breaker, from: unknown, clock: Clock): void => {
    const wall = clock.wall?.() ?? Number.POSITIVE_INFINITY;
    const age = Math.max(0, wall - (savedAt ?? Number.NEGATIVE_INFINITY));
    breaker.restore?.(from, age, clock.now());
  };
  return {
    isolated,
    member(breaker, { id, host, port }, clock) {
      const found = members.get(id);
      if (found?.host === host && found.port === port) restore(breaker, found.breaker, clock);
    },
    service(breaker, index, clock) {
      if (service[index] != null) restore(breaker, service[index], clock);
    },
    came: id => void members.delete(id),
  };
}
