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

/** @throws TypeError for what no pool has saved */
export function checkSaved(saved: SavedPool): SavedPool {
  const { savedAt, isolated, breakers, service } = saved ?? {};
  if (
    !(savedAt === undefined || Number.isFinite(savedAt)) ||
    !(Array.isArray(isolated) && isolated.every(id => typeof id === 'string')) ||
    ![breakers, service].every(Array.isArray)
  )
    throw bad('restore', saved, 'what pool.save() answered');
  return saved;
}

/**
 * Lets new breakers go on where those of another process were. How long ago that was is told by clocks that may disagree:
 * never less than nothing; and if it is not known, as long as can be, lest anything stay open for longer than it would have.
 */
export class Restorer {
  readonly #savedAt: number | undefined;
  readonly #members: Map<string, SavedMember>;
  readonly #service: readonly unknown[];
  readonly #clock: Clock;

  constructor({ savedAt, breakers, service }: SavedPool, clock: Clock) {
    this.#savedAt = savedAt;
    this.#members = new Map(breakers.map(member => [member?.id, member]));
    this.#service = service;
    this.#clock = clock;
  }

  /** @throws TypeError or RangeError for what the breaker cannot go on from; then it is as good as new */
  member(breaker: Breaker, { id, host, port }: Endpoint): void {
    const saved = this.#members.get(id);
    if (saved?.host === host && saved.port === port) this.#restore(breaker, saved.breaker);
  }

  service(breaker: Breaker, index: number): void {
    if (this.#service[index] != null) this.#restore(breaker, this.#service[index]);
  }

  /** Who has come once knows better from then on. */
  came(ids: Iterable<string>): void {
    for (const id of ids) this.#members.delete(id);
  }

  #restore(breaker: Breaker, saved: unknown): void {
    const wall = this.#clock.wall?.() ?? Number.POSITIVE_INFINITY;
    const age = Math.max(0, wall - (this.#savedAt ?? Number.NEGATIVE_INFINITY));
    breaker.restore?.(saved, age, this.#clock.now());
  }
}
