import { checkFunction, checkNumber } from '../base/errors.ts';
import { type HashFunction, xxh32 } from '../base/hash.ts';
import { checkKey, checkMember, type Placement, type RingMember } from './placement.ts';
import { PointTable, pointsOf } from './points.ts';

export type { RingMember } from './placement.ts';

export interface HashRingOptions {
  /**
   * Points on the ring for a member of weight 1. The largest share is about 1 + 3 / sqrt(points) times the mean for
   * a hundred members; memory and the cost of a change grow with it. Default: 160.
   */
  readonly points?: number;
  /** Must heed its seed. Default: `xxh32`. */
  readonly hash?: HashFunction;
}

/**
 * A consistent-hash ring: a key belongs to the member whose point is the first at or after the key's hash. Adding a
 * member moves keys to it alone, removing one moves its keys alone, and the order of changes never matters.
 */
export interface Ring extends Placement {
  /**
   * Adds a member, or gives one that is there another weight.
   *
   * @throws TypeError for an id that is not a non-empty string; RangeError for a weight that is not above 0 and finite
   */
  add(id: string, weight?: number): void;
  /** Answers whether it was there. */
  remove(id: string): boolean;
}

/**
 * A hash ring by itself, for who wants to place keys and call nobody.
 *
 * @throws RangeError or TypeError for a bad option or member
 */
export function createRing(members: Iterable<string | RingMember> = [], options: HashRingOptions = {}): Ring {
  const ring = new HashRing(options);
  ring.update(Array.from(members, member => (typeof member === 'string' ? { id: member } : member)));
  return {
    get size() {
      return ring.slots.size;
    },
    get ids() {
      return [...ring.slots.keys()].sort();
    },
    add: (id, weight = 1) => ring.put({ id, weight }),
    remove: id => ring.drop(id),
    has: id => ring.slots.has(id),
    get: key => ring.idAt(ring.find(checkKey(key))),
    getN: (key, n) => ring.walk(checkKey(key), n),
    distribution: () => ring.distribution(),
  };
}

/**
 * The most points a ring has; Envoy's limit, too. Where weights ask for more (a DNS server may say 65535), all members
 * have half the points, or a quarter, and so on, as few halvings as will do, but one at the least. A member's points
 * are then a part of those it had; so keys move between members that stay only when the number of halvings changes.
 */
const MOST_POINTS = 2 ** 23;
/** Up to this share of members changed, one by one is faster than all anew. */
const FEW = 1 / 16;

interface Slot {
  readonly number: number;
  /** How many points it has. */
  readonly count: number;
}

/** A ring's members and its table. Slots number the members and are used again, so that the table can stay. */
export class HashRing {
  readonly slots: Map<string, Slot> = new Map();
  table: PointTable;
  /** The id in each slot. */
  readonly #ids: string[] = [];
  readonly #free: number[] = [];
  readonly #points: number;
  #weights: Map<string, number> = new Map();
  /** What the points for a unit of weight are multiplied by: 1, 1/2, 1/4 and so on. */
  #scale = 1;
  readonly hash: HashFunction;
  readonly #before = (a: number, b: number): boolean => this.#ids[a]! < this.#ids[b]!;

  readonly #most: number;

  /** @throws RangeError or TypeError for a bad option */
  constructor({ points = 160, hash = xxh32 }: HashRingOptions, most: number = MOST_POINTS) {
    this.#most = most;
    this.#points = checkNumber('ring points', points, 1, MOST_POINTS, true);
    this.hash = checkFunction('ring hash', hash);
    this.table = PointTable.of([], this.#before);
  }

  /** How many slots there are, free ones included. */
  get slotCount(): number {
    return this.#ids.length;
  }

  find(key: string): number {
    return this.table.find(this.hash(key) | 0);
  }

  idAt(position: number): string | undefined {
    return this.table.count === 0 ? undefined : this.#ids[this.table.owner(position)];
  }

  walk(key: string, n: number): string[] {
    checkNumber('ring getN', n, 0);
    const ids = new Set<string>();
    const { count } = this.table;
    const wanted = Math.min(n, this.slots.size);
    for (let at = this.find(key); ids.size < wanted; at = at + 1 === count ? 0 : at + 1)
      ids.add(this.idAt(at)!);
    return [...ids];
  }

  /** Makes these the members, by as little work as the difference takes. */
  update(members: readonly RingMember[]): void {
    this.#become(new Map(members.map(member => [member.id, checkMember('ring', member)])));
  }

  put(member: RingMember): void {
    const weight = checkMember('ring', member);
    const before = this.slots.get(member.id)?.count ?? 0;
    const count = this.#countFor(weight, 1);
    if (this.#scale < 1 || this.table.count - before + count > this.#most)
      this.#become(new Map(this.#weights).set(member.id, weight));
    else if (count !== before) this.#set(member.id, count);
    this.#weights.set(member.id, weight);
  }

  drop(id: string): boolean {
    if (!this.slots.has(id)) return false;
    if (this.#scale < 1) {
      const rest = new Map(this.#weights);
      rest.delete(id);
      this.#become(rest);
    } else {
      this.#remove(id);
    }
    this.#weights.delete(id);
    return true;
  }

  distribution(): Map<string, number> {
    const shares = this.table.shares(this.slotCount);
    return new Map([...this.slots.keys()].sort().map(id => [id, shares[this.slots.get(id)!.number]!]));
  }

  #become(weights: Map<string, number>): void {
    const scale = this.#scaleFor(weights);
    const changed: string[] = [];
    for (const [id, weight] of weights)
      if (this.slots.get(id)?.count !== this.#countFor(weight, scale)) changed.push(id);
    const gone = [...this.slots.keys()].filter(id => !weights.has(id));
    const countOf = (id: string): number => this.#countFor(weights.get(id)!, scale);
    if (gone.length + changed.length <= FEW * weights.size) {
      for (const id of gone) this.#remove(id);
      for (const id of changed) this.#set(id, countOf(id));
    } else {
      // Before anything changes, for the hash may be the user's and throw.
      const points = new Map([...weights.keys()].map(id => [id, pointsOf(id, countOf(id), this.hash)]));
      for (const id of gone) this.#release(id);
      for (const id of changed)
        this.slots.set(id, { number: this.slots.get(id)?.number ?? this.#take(id), count: countOf(id) });
      const owned: Uint32Array[] = this.#ids.map(() => NO_POINTS);
      for (const [id, { number }] of this.slots) owned[number] = points.get(id)!;
      this.table = PointTable.of(owned, this.#before);
    }
    this.#weights = weights;
    this.#scale = scale;
  }

  /** @throws RangeError if there are so many members that one point each is too much */
  #scaleFor(weights: ReadonlyMap<string, number>): number {
    if (weights.size > this.#most)
      throw new RangeError(`a ring of ${weights.size} members is too large; ${this.#most} is the most`);
    for (let scale = 1; ; scale /= 2) {
      let total = 0;
      for (const weight of weights.values()) total += this.#countFor(weight, scale);
      if (total <= this.#most) return scale;
    }
  }

  #set(id: string, count: number): void {
    const points = pointsOf(id, count, this.hash); // first, for it may throw
    if (this.slots.has(id)) this.#remove(id);
    const slot = { number: this.#take(id), count };
    this.slots.set(id, slot);
    this.table = this.table.with(slot.number, points, this.#before);
  }

  #remove(id: string): void {
    const slot = this.slots.get(id)!;
    this.table = this.table.without(slot.number, pointsOf(id, slot.count, this.hash));
    this.#release(id);
  }

  #take(id: string): number {
    const number = this.#free.pop() ?? this.#ids.length;
    this.#ids[number] = id;
    return number;
  }

  #release(id: string): void {
    this.#free.push(this.slots.get(id)!.number);
    this.slots.delete(id);
  }

  #countFor(weight: number, scale: number): number {
    return Math.max(1, Math.round(weight * scale * this.#points));
  }
}

const NO_POINTS = /* @__PURE__ */ new Uint32Array(0);
