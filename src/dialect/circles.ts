import { PointTable } from '../balancer/points.ts';
import type { Circle } from './walk.ts';

/** More points than this are a mistake in the weights. Envoy's limit, too. */
export const MOST_POINTS: number = 2 ** 23;

/** @throws RangeError for more points than a ring may have */
export function checkTotal(points: number): void {
  if (points > MOST_POINTS)
    throw new RangeError(`a ring of ${points} points is too large; lower the weights (at most 2^23 in all)`);
}

/** Points of 32 bits, as ketama and HAProxy have them. Of equal ones the server that comes first is first. */
export class Circle32 implements Circle {
  readonly #table: PointTable;

  /** `points[i]` are those of server i, in any order. Sorted here, in place. */
  constructor(points: readonly Uint32Array[]) {
    checkTotal(points.reduce((sum, { length }) => sum + length, 0));
    for (const each of points) each.sort();
    this.#table = PointTable.of(points, (a, b) => a < b);
  }

  get count(): number {
    return this.#table.count;
  }

  /** The position of the first point at or after a place, signed or not, going round. */
  find(place: number): number {
    return this.#table.find(place >>> 0);
  }

  owner(at: number): number {
    return this.#table.owner(at);
  }

  place(at: number): number {
    return this.#table.place(at);
  }

  gap(at: number): number {
    return (
      (this.place(at) - (at === 0 ? this.place(this.count - 1) - 2 ** 32 : this.place(at - 1))) / 2 ** 32
    );
  }
}

/**
 * Points of 64 bits, in two arrays of halves. `#index[b]` is the position of the first point in or after bucket b, a
 * bucket being the places that share their highest bits; there are about as many buckets as points.
 */
export class Circle64 implements Circle {
  readonly count: number;
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  readonly #owner: Uint32Array;
  readonly #index: Uint32Array;
  readonly #shift: number;

  /** Of points in any order. Hashes are spread evenly, so a bucket holds few: each is sorted by insertion. */
  constructor(high: Uint32Array, low: Uint32Array, owner: Uint32Array) {
    const count = high.length;
    const bits = count < 2 ? 1 : 32 - Math.clz32(count - 1);
    const shift = 32 - bits;
    const index = new Uint32Array(2 ** bits + 1);
    for (let i = 0; i < count; i++) index[(high[i]! >>> shift) + 1]!++;
    for (let b = 1; b < index.length; b++) index[b]! += index[b - 1]!;
    const filled = index.slice();
    this.count = count;
    this.#shift = shift;
    this.#index = index;
    this.#high = new Uint32Array(count);
    this.#low = new Uint32Array(count);
    this.#owner = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const bucket = high[i]! >>> shift;
      let at = filled[bucket]!++;
      for (; at > index[bucket]! && !this.#before(at - 1, high[i]!, low[i]! + 1); at--) {
        this.#high[at] = this.#high[at - 1]!;
        this.#low[at] = this.#low[at - 1]!;
        this.#owner[at] = this.#owner[at - 1]!;
      }
      this.#high[at] = high[i]!;
      this.#low[at] = low[i]!;
      this.#owner[at] = owner[i]!;
    }
  }

  /** The position of the first point at or after a place, going round. */
  find(high: number, low: number): number {
    let at = this.#index[high >>> this.#shift]!;
    while (at < this.count && this.#before(at, high, low)) at++;
    return at === this.count ? 0 : at;
  }

  owner(at: number): number {
    return this.#owner[at]!;
  }

  high(at: number): number {
    return this.#high[at]!;
  }

  low(at: number): number {
    return this.#low[at]!;
  }

  gap(at: number): number {
    const before = at === 0 ? this.count - 1 : at - 1;
    const low = this.#low[at]! - this.#low[before]!;
    return (this.#high[at]! - this.#high[before]! + low / 2 ** 32) / 2 ** 32 + (at === 0 ? 1 : 0);
  }

  #before(at: number, high: number, low: number): boolean {
    return this.#high[at]! < high || (this.#high[at] === high && this.#low[at]! < low);
  }
}
