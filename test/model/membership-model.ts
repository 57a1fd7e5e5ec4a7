import type { Endpoint, FollowOptions, MembersChange } from 'fairlead/core';
import type { Settled } from '../../src/base/options.ts';
import { holds, same } from './walk.ts';

/** What a source does, in its order. */
type Said = readonly Endpoint[] | 'fails';

/** Who belongs to a pool, by what its source has said and when. */
export class MembershipModel {
  readonly #rules: Settled<FollowOptions>;
  /** What the source will say once it is started afresh. */
  #unheard: Said[] = [];
  #downSince: number | undefined;
  /** The last set that was believed. */
  #last: readonly Endpoint[] | undefined;
  #doubted: { readonly set: readonly Endpoint[]; readonly since: number } | undefined;
  /** Sets that are believed, and have not been announced. */
  #news: (readonly Endpoint[])[] = [];
  /** Who has been announced. */
  members: readonly Endpoint[] = [];
  announced = false;
  /** Until when there was nobody to be picked, the last time. */
  emptyUntil = 0;
  /** When the set changed, the last time. */
  changedAt = 0;
  #closed = false;
  /** How many addresses an id has had. */
  readonly #addresses = new Map<string, number>();

  constructor(rules: Settled<FollowOptions>) {
    this.#rules = rules;
  }

  get active(): readonly Endpoint[] {
    return this.members.filter(({ weight }) => weight !== 0);
  }

  /** A name for what is known under an id, as long as its address stays. */
  identity(id: string): string {
    return `${id} (${this.#addresses.get(id) ?? 0})`;
  }

  says(said: Said, now: number): void {
    if (this.#closed) return;
    if (this.#downSince === undefined) this.#hear(said, now);
    else this.#unheard.push(said);
  }

  /** The source was started. */
  starts(now: number): void {
    holds(!this.#closed, () => 'discovery is started after the pool was closed');
    this.#downSince = undefined;
    while (this.#downSince === undefined && this.#unheard.length > 0) this.#hear(this.#unheard.shift()!, now);
  }

  close(): void {
    this.#closed = true;
    this.#news = [];
    this.#doubted = undefined;
  }

  /** A change was announced. */
  announces({ added, removed, updated, size }: MembersChange, now: number): void {
    this.#believe(now);
    const next = this.#news.shift();
    holds(next !== undefined, () => 'a change is announced that there was not');
    const set = [...next!].sort((a, b) => (a.id < b.id ? -1 : 1));
    const before = new Map(this.members.map(each => [each.id, each]));
    const moved = ({ id, port }: Endpoint): boolean => before.has(id) && before.get(id)!.port !== port;
    const isNew = (each: Endpoint): boolean => !before.has(each.id) || moved(each);
    const other = ({ id, weight }: Endpoint): boolean => before.get(id)!.weight !== weight;
    same('who was added', ids(added), ids(set.filter(isNew)));
    same('who was changed', ids(updated), ids(set.filter(each => !isNew(each) && other(each))));
    const gone = this.members.filter(({ id }) => !set.some(each => each.id === id && !moved(each)));
    same('who was removed', ids(removed), ids(gone));
    same('how many there are', size, set.length);
    for (const each of set) {
      if (isNew(each)) this.#addresses.set(each.id, (this.#addresses.get(each.id) ?? 0) + 1);
    }
    if (this.active.length === 0) this.emptyUntil = now;
    this.changedAt = now;
    this.members = set;
    this.announced = true;
  }

  settled(now: number): void {
    this.#believe(now);
    same('how many changes are not announced', this.#news.length, 0);
    const since = this.#downSince;
    const dead = !this.#closed && since !== undefined && now - since > this.#rules.maxRestartAfter;
    holds(!dead, () => `discovery has been down since ${since}`);
  }

  #hear(said: Said, now: number): void {
    this.#believe(now);
    if (said === 'fails') {
      this.#downSince = now;
      this.#doubted = undefined;
    } else if (this.#last !== undefined && !isEmpty(this.#last) && isEmpty(said)) {
      this.#doubted = { set: said, since: this.#doubted?.since ?? now };
    } else {
      this.#doubted = undefined;
      this.#take(said);
    }
  }

  #believe(now: number): void {
    const doubted = this.#doubted;
    if (doubted === undefined || now < doubted.since + this.#rules.emptyAfter) return;
    this.#doubted = undefined;
    this.#take(doubted.set);
  }

  #take(set: readonly Endpoint[]): void {
    if (this.#last !== undefined && text(this.#last) === text(set)) return;
    this.#last = set;
    this.#news.push(set);
  }
}

const isEmpty = (set: readonly Endpoint[]): boolean => set.every(({ weight }) => weight === 0);

const ids = (set: readonly Endpoint[]): string => set.map(({ id }) => id).join();

export const text = (set: readonly Endpoint[]): string =>
  set
    .map(({ id, port, weight }) => `${id}:${port}*${weight ?? 1}`)
    .sort()
    .join();
