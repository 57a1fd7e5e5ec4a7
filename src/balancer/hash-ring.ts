import { checkFunction, checkNumber } from '../base/errors.ts';
import { type HashFunction, signedOf, xxh32 } from '../base/hash.ts';
import { checkOptions } from '../base/options.ts';
import { checkKey, checkMember, type Placement, type RingMember } from './placement.ts';
import { PointTable, pointsOf } from './points.ts';

export type { RingMember } from './placement.ts';

export interface HashRingOptions {
  /**
   * Points on the ring for a member of weight 1. The largest share is about 1 + 3 / sqrt(points) times the mean for
   * a hundred members; memory and the cost of a change grow with it. Default: 160.
   */
  readonly points?: number | undefined;
  /** Must heed its seed. Default: `xxh32`. */
  readonly hash?: HashFunction | undefined;
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
  checkOptions('createRing', options, { points: 1, hash: 1 });
  const ring = new HashRing(options);
  const byId = new Map<string, RingMember>();
  for (const member of members) {
    const each = typeof member === 'string' ? { id: member } : member;
    byId.set(each.id, each); // of members with one id the last counts
  }
  ring.update([...byId.values()]);
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
  /** The member's weight. */
  weight: number;
  /** The latest update whose set had the member. */
  seen: number;
}

/** A ring's members and its table. Slots number the members and are used again, so that the table can stay. */
export class HashRing {
  readonly slots: Map<string, Slot> = new Map();
  table: PointTable;
  /** The id in each slot. */
  readonly #ids: string[] = [];
  readonly #free: number[] = [];
  readonly #points: number;
  #updates = 0;
  /** What the points for a unit of weight are multiplied by: 1, 1/2, 1/4 and so on. */
  #scale = 1;
  readonly hash: HashFunction;
  readonly #hashed: (key: string) => number;
  readonly #before = (a: number, b: number): boolean => this.#ids[a]! < this.#ids[b]!;

  readonly #most: number;

  /** @throws RangeError or TypeError for a bad option */
  constructor({ points = 160, hash = xxh32 }: HashRingOptions, most: number = MOST_POINTS) {
    this.#most = most;
    this.#points = checkNumber('ring points', points, 1, MOST_POINTS, true);
    this.hash = checkFunction('ring hash', hash);
    this.#hashed = signedOf(hash);
    this.table = PointTable.of([], this.#before);
  }

  /** How many slots there are, free ones included. */
  get slotCount(): number {
    return this.#ids.length;
  }

  find(key: string): number {
    return this.table.find(this.#hashed(key));
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

  /** Makes these the members, no two of one id, by as little work as the difference takes. */
  update(members: readonly RingMember[]): void {
    for (const member of members) checkMember('ring', member);
    const scale = this.#scaleFor(members);
    const update = ++this.#updates;
    const changed: RingMember[] = [];
    let kept = 0;
    for (const member of members) {
      const { id, weight = 1 } = member;
      const slot = this.slots.get(id);
      if (slot?.count !== this.#countFor(weight, scale)) changed.push(member);
      else slot.weight = weight;
      if (slot === undefined) continue;
      slot.seen = update;
      kept++;
    }
    const gone: string[] = [];
    if (kept < this.slots.size) for (const [id, { seen }] of this.slots) if (seen !== update) gone.push(id);
    if (gone.length + changed.length <= FEW * members.length) {
      for (const id of gone) this.#remove(id);
      for (const member of changed) this.#set(member, scale);
    } else {
      // Before anything changes, for the hash may be the user's and throw.
      const points = new Map(
        members.map(({ id, weight = 1 }) => [id, pointsOf(id, this.#countFor(weight, scale), this.hash)]),
      );
      for (const id of gone) this.#release(id);
      for (const { id, weight = 1 } of changed) {
        const number = this.slots.get(id)?.number ?? this.#take(id);
        this.slots.set(id, { number, count: this.#countFor(weight, scale), weight, seen: update });
      }
      const owned: Uint32Array[] = this.#ids.map(() => NO_POINTS);
      for (const [id, { number }] of this.slots) owned[number] = points.get(id)!;
      this.table = PointTable.of(owned, this.#before);
    }
    this.#scale = scale;
  }

  put(member: RingMember): void {
    const weight = checkMember('ring', member);
    const slot = this.slots.get(member.id);
    const before = slot?.count ?? 0;
    const count = this.#countFor(weight, 1);
    if (this.#scale < 1 || this.table.count - before + count > this.#most)
      this.update([...this.#membersBut(member.id), member]);
    else if (count !== before) this.#set(member, 1);
    else slot!.weight = weight;
  }

  drop(id: string): boolean {
    if (!this.slots.has(id)) return false;
    if (this.#scale < 1) this.update(this.#membersBut(id));
    else this.#remove(id);
    return true;
  }

  distribution(): Map<string, number> {
    const shares = this.table.shares(this.slotCount);
    return new Map([...this.slots.keys()].sort().map(id => [id, shares[this.slots.get(id)!.number]!]));
  }

  #membersBut(left: string): RingMember[] {
    const members: RingMember[] = [];
    for (const [id, { weight }] of this.slots) if (id !== left) members.push({ id, weight });
    return members;
  }

  /** @throws RangeError if there are so many members that one point each is too much */
  #scaleFor(members: readonly RingMember[]): number {
    if (members.length > this.#most)
      throw new RangeError(`a ring of ${members.length} members is too large; ${this.#most} is the most`);
    for (let scale = 1; ; scale /= 2) {
      let total = 0;
      for (const { weight = 1 } of members) total += this.#countFor(weight, scale);
      if (total <= this.#most) return scale;
    }
  }

  #set({ id, weight = 1 }: RingMember, scale: number): void {
    const count = this.#countFor(weight, scale);
    const points = pointsOf(id, count, this.hash); // first, for it may throw
    if (this.slots.has(id)) this.#remove(id);
    const slot = { number: this.#take(id), count, weight, seen: this.#updates };
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
