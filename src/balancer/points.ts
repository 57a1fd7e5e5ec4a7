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
 * A bucket is the places that share their highest bits, of which there are about as many as a quarter of the points, and at least
 * as many as slots. `#index[b]` is the position of the first point in or after bucket b. `#points` holds 32 bits for each
 * point, by place: what its bucket does not say of its place, and its owner below that. So a look-up reads two neighbours
 * in either; and a change, which copies all, takes as long as so much memory takes.
 */
export class PointTable {
  readonly #points: Uint32Array;
  readonly #index: Uint32Array;
  /** How many of the highest bits of a place tell its bucket. As many tell an owner. */
  readonly #bits: number;
  /** All owners are below. */
  readonly #slots: number;

  private constructor(points: Uint32Array, index: Uint32Array, bits: number, slots: number) {
    this.#points = points;
    this.#index = index;
    this.#bits = bits;
    this.#slots = slots;
  }

  /** Of all points at once: sorted by counting, for they are spread evenly. `owned[i]` are the points of slot i. */
  static of(owned: readonly Uint32Array[], before: Before): PointTable {
    const count = owned.reduce((sum, points) => sum + points.length, 0);
    const bits = bitsFor(count, owned.length);
    const shift = 32 - bits;
    const starts = new Uint32Array(2 ** bits + 1);
    for (const points of owned) for (let i = 0; i < points.length; i++) starts[(points[i]! >>> shift) + 1]!++;
    sumUp(starts);
    const filled = starts.slice();
    const all = new Uint32Array(count + AHEAD);
    for (let owner = 0; owner < owned.length; owner++) {
      const points = owned[owner]!;
      for (let i = 0; i < points.length; i++) {
        const bucket = points[i]! >>> shift;
        const point = ((points[i]! << bits) | owner) >>> 0;
        let at = filled[bucket]!++;
        for (; at > starts[bucket]! && precedes(point, all[at - 1]!, bits, before); at--)
          all[at] = all[at - 1]!;
        all[at] = point;
      }
    }
    return new PointTable(all, starts, bits, owned.length);
  }

  get count(): number {
    return this.#points.length - AHEAD;
  }

  /** The position of the first point at or after a place, signed or not, going round. Of an empty table: 0. */
  find(place: number): number {
    const points = this.#points;
    const bucket = place >>> (32 - this.#bits);
    const first = (place << this.#bits) >>> 0;
    const start = this.#index[bucket]!;
    const end = this.#index[bucket + 1]!;
    // Without a branch for each: how many are passed is as good as random, and a wrong guess takes longer than all three.
    let at =
      start +
      (Number(start < end) & Number(points[start]! < first)) +
      (Number(start + 1 < end) & Number(points[start + 1]! < first)) +
      (Number(start + 2 < end) & Number(points[start + 2]! < first));
    if (at === start + AHEAD) while (at < end && points[at]! < first) at++;
    return at === this.count ? 0 : at;
  }

  /** Who owns the point at a position. */
  owner(position: number): number {
    return this.#points[position]! & ((1 << this.#bits) - 1);
  }

  /** The place of the point at a position. */
  place(position: number): number {
    const index = this.#index;
    let bucket = 0; // the last that begins at or before the position
    for (let step = 2 ** (this.#bits - 1); step >= 1; step /= 2)
      if (index[bucket + step]! <= position) bucket += step;
    return this.#placeIn(bucket, position);
  }

  /** The share of all places that each slot owns. */
  shares(slots: number): Float64Array {
    const { count } = this;
    const shares = new Float64Array(slots);
    let previous = count === 0 ? 0 : this.place(count - 1) - 2 ** 32;
    this.#each((place, at) => {
      shares[this.owner(at)]! += (place - previous) / 2 ** 32;
      previous = place;
    });
    return shares;
  }

  /** With the sorted points of one more slot. Copies, but hashes and sorts nothing. */
  with(owner: number, points: Uint32Array, before: Before): PointTable {
    const slots = Math.max(this.#slots, owner + 1);
    const bits = bitsFor(this.count + points.length, slots);
    if (bits !== this.#bits) return this.#bucketed(bits, slots).with(owner, points, before);
    const old = this.#points;
    const grown = new Uint32Array(old.length + points.length);
    let from = 0;
    for (let i = 0; i < points.length; i++) {
      const bucket = points[i]! >>> (32 - bits);
      const point = ((points[i]! << bits) | owner) >>> 0;
      const end = this.#index[bucket + 1]!;
      let at = this.#index[bucket]!;
      while (at < end && !precedes(point, old[at]!, bits, before)) at++;
      grown.set(old.subarray(from, at), from + i);
      grown[at + i] = point;
      from = at;
    }
    grown.set(old.subarray(from), from + points.length);
    return new PointTable(grown, this.#shifted(points, 1), bits, slots);
  }

  /** Without the points of a slot, which are `points`, sorted. */
  without(owner: number, points: Uint32Array): PointTable {
    const bits = bitsFor(this.count - points.length, this.#slots);
    if (bits !== this.#bits) return this.#bucketed(bits, this.#slots).without(owner, points);
    const old = this.#points;
    const left = new Uint32Array(old.length - points.length);
    let from = 0;
    for (let i = 0; i < points.length; i++) {
      const bucket = points[i]! >>> (32 - bits);
      const point = ((points[i]! << bits) | owner) >>> 0;
      const end = this.#index[bucket + 1]!;
      let at = this.#index[bucket]!;
      while (at < end && old[at] !== point) at++;
      if (at === end) throw new TypeError('ring hash must answer the same for the same key');
      left.set(old.subarray(from, at), from - i);
      from = at + 1;
    }
    left.set(old.subarray(from), from - points.length);
    return new PointTable(left, this.#shifted(points, -1), bits, this.#slots);
  }

  /** The index once each of the sorted points has come (1) or gone (-1). */
  #shifted(points: Uint32Array, by: 1 | -1): Uint32Array {
    const before = this.#index;
    const index = new Uint32Array(before.length);
    let b = 0;
    for (let i = 0, moved = 0; i <= points.length; i++, moved += by) {
      const last = i < points.length ? points[i]! >>> (32 - this.#bits) : index.length - 1;
      for (; b <= last; b++) index[b] = before[b]! + moved;
    }
    return index;
  }

  /** The same points in so many buckets that owners below `slots` have room. */
  #bucketed(bits: number, slots: number): PointTable {
    const points = new Uint32Array(this.#points.length);
    const index = new Uint32Array(2 ** bits + 1);
    this.#each((place, at) => {
      points[at] = (place << bits) | this.owner(at);
      index[(place >>> (32 - bits)) + 1]!++;
    });
    sumUp(index);
    return new PointTable(points, index, bits, slots);
  }

  #each(visit: (place: number, position: number) => void): void {
    const index = this.#index;
    for (let b = 0; b + 1 < index.length; b++)
      for (let at = index[b]!; at < index[b + 1]!; at++) visit(this.#placeIn(b, at), at);
  }

  #placeIn(bucket: number, position: number): number {
    return ((bucket << (32 - this.#bits)) | (this.#points[position]! >>> this.#bits)) >>> 0;
  }
}

/** How many points a look-up reads in any case: after the last are so many that stand for none. */
const AHEAD = 3;

/** Whether one slot's point comes before another's at the same place. */
export type Before = (owner: number, other: number) => boolean;

/** Whether one point comes before another of its bucket. */
function precedes(point: number, other: number, bits: number, before: Before): boolean {
  if (point >>> bits !== other >>> bits) return point < other;
  const owners = (1 << bits) - 1;
  return before(point & owners, other & owners);
}

/** So many bits that there is a bucket for each two to four points, and one for each slot; one at the least: a shift by 32 is none. */
const bitsFor = (count: number, slots: number): number => Math.max(1, log2(count) - 2, log2(slots));

/** Rounded up. */
const log2 = (number: number): number => (number < 2 ? 0 : 32 - Math.clz32(number - 1));

/** Makes of how many points there are in each bucket, put down one further on, where each bucket begins. */
function sumUp(index: Uint32Array): void {
  for (let b = 1; b < index.length; b++) index[b]! += index[b - 1]!;
}
