/** Eight buckets to the power of two: a quantile is right to 9 %. */
const PER_OCTAVE = 8;
/** From a sixteenth of a millisecond to more than an hour. */
const LEAST = 1 / 16;
const BUCKETS = 26 * PER_OCTAVE;

/**
 * How long things took in the last `span` ms, to half of it: counts by size, logarithmically. Adding is O(1) and
 * allocates nothing; a quantile looks at all buckets. Advances when asked, without a timer.
 */
export class Histogram {
  readonly #half: number;
  #current = new Uint32Array(BUCKETS);
  #previous = new Uint32Array(BUCKETS);
  #count = 0;
  #before = 0;
  #epoch = Number.NEGATIVE_INFINITY;

  constructor(span: number) {
    this.#half = span / 2;
  }

  add(value: number, now: number): void {
    this.#advance(now);
    this.#current[bucketOf(value)]!++;
    this.#count++;
  }

  /** How many it holds. */
  count(now: number): number {
    this.#advance(now);
    return this.#count + this.#before;
  }

  /** What the share `q` of all took at most; NaN of none. The upper edge of a bucket. */
  quantile(q: number, now: number): number {
    const count = this.count(now);
    if (count === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil(q * count));
    let seen = 0;
    for (let i = 0; i < BUCKETS; i++) {
      seen += this.#current[i]! + this.#previous[i]!;
      if (seen >= rank) return LEAST * 2 ** ((i + 1) / PER_OCTAVE);
    }
    return Number.NaN;
  }

  #advance(now: number): void {
    const epoch = Math.floor(now / this.#half);
    if (epoch <= this.#epoch) return;
    const fresh = this.#previous.fill(0);
    if (epoch === this.#epoch + 1) {
      this.#previous = this.#current;
      this.#before = this.#count;
    } else {
      this.#previous = this.#current.fill(0);
      this.#before = 0;
    }
    this.#current = fresh;
    this.#count = 0;
    this.#epoch = epoch;
  }
}

const bucketOf = (value: number): number =>
  value <= LEAST ? 0 : Math.min(BUCKETS - 1, Math.floor(Math.log2(value / LEAST) * PER_OCTAVE));
