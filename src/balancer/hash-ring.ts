import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import { type HashFunction, xxh32 } from '../base/hash.ts';
import { PointTable, pointsOf } from './points.ts';

export interface HashRingOptions {
  /**
   * Points on the ring for a member of weight 1. The largest share is about 1 + 3 / sqrt(points) times the mean for
   * a hundred members; memory and the cost of a change grow with it. Default: 160.
   */
  readonly points?: number;
  /** Must heed its seed. Default: `xxh32`. */
  readonly hash?: HashFunction;
}

export interface RingMember {
  readonly id: string;
  /** Its share relative to the others. Default: 1. */
  readonly weight?: number;
}

/**
 * A consistent-hash ring: a key belongs to the member whose point is the first at or after the key's hash. Adding a
 * member moves keys to it alone, removing one moves its keys alone, and the order of changes never matters.
 */
export interface Ring {
  /** How many members there are. */
  readonly size: number;
  /** Their ids, sorted. */
  readonly ids: readonly string[];
  /**
   * Adds a member, or gives one that is there another weight.
   *
   * @throws TypeError for an id that is not a non-empty string; RangeError for a weight that is not above 0 and
   * finite, or that makes more than 2^23 points in all
   */
  add(id: string, weight?: number): void;
  /** Answers whether it was there. */
  remove(id: string): boolean;
  has(id: string): boolean;
  /**
   * Who owns a key; undefined if there is no member.
   *
   * @throws TypeError for a key that is not a string
   */
  get(key: string): string | undefined;
  /** The owner and those next in line, all different: at most `n`, fewer if there are fewer members. */
  getN(key: string, n: number): string[];
  /** The exact share of all hashes that each member owns, by id. The shares add up to 1. */
  distribution(): Map<string, number>;
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

/** A number would be hashed as a key without letters: all numbers alike. */
function checkKey(key: string): string {
  if (typeof key !== 'string') throw bad('key', key, 'a string');
  return key;
}

/** More points than this are a mistake in the weights. Envoy's limit, too. */
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
  readonly hash: HashFunction;
  readonly #before = (a: number, b: number): boolean => this.#ids[a]! < this.#ids[b]!;

  /** @throws RangeError or TypeError for a bad option */
  constructor({ points = 160, hash = xxh32 }: HashRingOptions) {
    this.#points = checkNumber('ring points', points, 1, MOST_POINTS, true);
    this.hash = checkFunction('ring hash', hash);
    this.table = PointTable.of([], this.#before);
  }

  find(key: string): number {
    return this.table.find(this.hash(key) >>> 0);
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
    const wanted = new Map<string, number>();
    let total = 0;
    for (const member of members) {
      const count = this.#countFor(member);
      wanted.set(member.id, count);
      total += count;
    }
    checkTotal(total);
    const gone = [...this.slots.keys()].filter(id => !wanted.has(id));
    const changed = [...wanted].filter(([id, count]) => this.slots.get(id)?.count !== count);
    if (gone.length + changed.length <= FEW * wanted.size) {
      for (const id of gone) this.drop(id);
      for (const [id, count] of changed) this.#set(id, count);
      return;
    }
    // Before anything changes, for the hash may be the user's and throw.
    const points = new Map([...wanted].map(([id, count]) => [id, pointsOf(id, count, this.hash)]));
    for (const id of gone) this.#release(id);
    for (const [id, count] of changed)
      this.slots.set(id, { number: this.slots.get(id)?.number ?? this.#take(id), count });
    const owned: Uint32Array[] = this.#ids.map(() => NO_POINTS);
    for (const [id, { number }] of this.slots) owned[number] = points.get(id)!;
    this.table = PointTable.of(owned, this.#before);
  }

  put(member: RingMember): void {
    const count = this.#countFor(member);
    const before = this.slots.get(member.id)?.count ?? 0;
    checkTotal(this.table.count - before + count);
    if (count !== before) this.#set(member.id, count);
  }

  drop(id: string): boolean {
    const slot = this.slots.get(id);
    if (slot === undefined) return false;
    this.table = this.table.without(slot.number, pointsOf(id, slot.count, this.hash));
    this.#release(id);
    return true;
  }

  distribution(): Map<string, number> {
    const { count, pairs } = this.table;
    const shares = new Map<string, number>([...this.slots.keys()].sort().map(id => [id, 0]));
    let previous = count === 0 ? 0 : pairs[2 * count - 2]! - 2 ** 32;
    for (let at = 0; at < count; at++) {
      const id = this.idAt(at)!;
      shares.set(id, shares.get(id)! + (pairs[2 * at]! - previous) / 2 ** 32);
      previous = pairs[2 * at]!;
    }
    return shares;
  }

  #set(id: string, count: number): void {
    const points = pointsOf(id, count, this.hash); // first, for it may throw
    this.drop(id);
    const slot = { number: this.#take(id), count };
    this.slots.set(id, slot);
    this.table = this.table.with(slot.number, points, this.#before);
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

  #countFor({ id, weight = 1 }: RingMember): number {
    if (typeof id !== 'string' || id === '') throw bad('ring member id', id, 'a non-empty string');
    checkNumber(`ring weight of ${JSON.stringify(id)}`, weight, Number.MIN_VALUE, Number.MAX_VALUE);
    return Math.max(1, Math.round(this.#points * weight));
  }
}

const NO_POINTS = /* @__PURE__ */ new Uint32Array(0);

function checkTotal(points: number): void {
  if (points > MOST_POINTS) {
    throw new RangeError(
      `a ring of ${points} points is too large; lower \`points\` or the weights (at most 2^23 in all)`,
    );
  }
}
