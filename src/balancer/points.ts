import { type HashFunction, mix } from '../base/hash.ts';

/** One id's points, sorted. They depend on the id, on how many they are and on the hash alone. */
export function pointsOf(id: string, count: number, hash: HashFunction): Uint32Array {
  // An arithmetic progression modulo 2^32 with an odd step has no two equal terms, and the avalanche is a bijection:
  // two hashes give any number of points, all different. Two ids collide throughout only if both hashes do.
  const points = new Uint32Array(count);
  const step = hash(id, 1) | 1;
  for (let i = 0, term = hash(id, 0) | 0; i < count; i++, term = (term + step) | 0) points[i] = mix(term);
  return points.sort();
}

/**
 * Points on a circle of 2^32 places, each owned by a slot. Immutable: a change makes another. Equal points are all
 * kept, in the order that `before` gives their owners.
 *
 * `pairs` holds place and owner of each point, by place. `index[b]` is the position of the first point in or after
 * bucket b, a bucket being the places that share their highest bits; there are about as many buckets as points. So
 * a look-up reads one entry of the index and, mostly, one pair.
 */
export class PointTable {
  readonly pairs: Uint32Array;
  readonly #index: Uint32Array;
  readonly #shift: number;

  private constructor(pairs: Uint32Array, index?: Uint32Array) {
    const bits = bitsFor(pairs.length >>> 1);
    this.pairs = pairs;
    this.#shift = 32 - bits;
    this.#index = index ?? indexOf(pairs, bits);
  }

  /** Of all points at once: sorted by counting, for they are spread evenly. `owned[i]` are the points of slot i. */
  static of(owned: readonly Uint32Array[], before: Before): PointTable {
    const count = owned.reduce((sum, points) => sum + points.length, 0);
    const bits = bitsFor(count);
    const shift = 32 - bits;
    const starts = new Uint32Array(2 ** bits + 1);
    for (const points of owned) for (let i = 0; i < points.length; i++) starts[(points[i]! >>> shift) + 1]!++;
    for (let b = 1; b < starts.length; b++) starts[b]! += starts[b - 1]!;
    const filled = starts.slice();
    const pairs = new Uint32Array(count * 2);
    for (let owner = 0; owner < owned.length; owner++) {
      const points = owned[owner]!;
      for (let i = 0; i < points.length; i++) {
        const place = points[i]!;
        const bucket = place >>> shift;
        let at = filled[bucket]!++;
        for (; at > starts[bucket]! && precedes(place, owner, pairs, at - 1, before); at--) {
          pairs[2 * at] = pairs[2 * at - 2]!;
          pairs[2 * at + 1] = pairs[2 * at - 1]!;
        }
        pairs[2 * at] = place;
        pairs[2 * at + 1] = owner;
      }
    }
    return new PointTable(pairs, starts);
  }

  get count(): number {
    return this.pairs.length >>> 1;
  }

  /** The position of the first point at or after a place, signed or not, going round. Of an empty table: 0. */
  find(hash: number): number {
    const place = hash >>> 0;
    const { pairs } = this;
    let at = this.#index[place >>> this.#shift]! << 1;
    while (at < pairs.length && pairs[at]! < place) at += 2;
    return at === pairs.length ? 0 : at >>> 1;
  }

  /** Who owns the point at a position. */
  owner(position: number): number {
    return this.pairs[2 * position + 1]!;
  }

  /** The share of all places that each slot owns. */
  shares(slots: number): Float64Array {
    const { pairs } = this;
    const shares = new Float64Array(slots);
    let previous = pairs.length === 0 ? 0 : pairs[pairs.length - 2]! - 2 ** 32;
    for (let at = 0; at < pairs.length; at += 2) {
      shares[pairs[at + 1]!]! += (pairs[at]! - previous) / 2 ** 32;
      previous = pairs[at]!;
    }
    return shares;
  }

  /** With the sorted points of one more slot. Copies, but hashes and sorts nothing. */
  with(owner: number, points: Uint32Array, before: Before): PointTable {
    const { pairs } = this;
    const grown = new Uint32Array(pairs.length + 2 * points.length);
    let from = 0;
    for (let i = 0; i < points.length; i++) {
      const place = points[i]!;
      let at = this.#index[place >>> this.#shift]!;
      while (at < this.count && !precedes(place, owner, pairs, at, before)) at++;
      grown.set(pairs.subarray(2 * from, 2 * at), 2 * (from + i));
      grown[2 * (at + i)] = place;
      grown[2 * (at + i) + 1] = owner;
      from = at;
    }
    grown.set(pairs.subarray(2 * from), 2 * (from + points.length));
    return new PointTable(grown, this.#shifted(points, 1, grown.length >>> 1));
  }

  /** Without the points of a slot, which are `points`, sorted. */
  without(owner: number, points: Uint32Array): PointTable {
    const { pairs } = this;
    const left = new Uint32Array(pairs.length - 2 * points.length);
    let from = 0;
    for (let i = 0; i < points.length; i++) {
      let at = this.#index[points[i]! >>> this.#shift]!;
      while (at < this.count && (pairs[2 * at] !== points[i] || pairs[2 * at + 1] !== owner)) at++;
      if (at === this.count) throw new TypeError('ring hash must answer the same for the same key');
      left.set(pairs.subarray(2 * from, 2 * at), 2 * (from - i));
      from = at + 1;
    }
    left.set(pairs.subarray(2 * from), 2 * (from - points.length));
    return new PointTable(left, this.#shifted(points, -1, left.length >>> 1));
  }

  /** The index once each of the sorted points has come (1) or gone (-1); none if there will be other buckets. */
  #shifted(points: Uint32Array, by: 1 | -1, count: number): Uint32Array | undefined {
    if (32 - bitsFor(count) !== this.#shift) return undefined;
    const before = this.#index;
    const index = new Uint32Array(before.length);
    let b = 0;
    for (let i = 0, moved = 0; i <= points.length; i++, moved += by) {
      const last = i < points.length ? points[i]! >>> this.#shift : index.length - 1;
      for (; b <= last; b++) index[b] = before[b]! + moved;
    }
    return index;
  }
}

/** Whether one slot's point comes before another's at the same place. */
export type Before = (owner: number, other: number) => boolean;

const precedes = (place: number, owner: number, pairs: Uint32Array, at: number, before: Before): boolean =>
  place < pairs[2 * at]! || (place === pairs[2 * at] && before(owner, pairs[2 * at + 1]!));

/** So many high bits that there is a bucket for each point, and two at the least: a shift by 32 is none. */
const bitsFor = (count: number): number => (count < 2 ? 1 : 32 - Math.clz32(count - 1));

function indexOf(pairs: Uint32Array, bits: number): Uint32Array {
  const index = new Uint32Array(2 ** bits + 1);
  for (let at = 0; at < pairs.length; at += 2) index[(pairs[at]! >>> (32 - bits)) + 1]!++;
  for (let b = 1; b < index.length; b++) index[b]! += index[b - 1]!;
  return index;
}
