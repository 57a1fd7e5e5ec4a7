import { checkFunction } from '../base/errors.ts';
import { avalanche, type HashFunction, xxh32 } from '../base/hash.ts';
import { checkOptions } from '../base/options.ts';
import type { Balancer } from './balancer.ts';
import { type BoundedLoadOptions, checkBoundedLoad } from './bounded-load.ts';
import { keyedBalancer } from './keyed.ts';
import type { Line } from './line.ts';
import { type Placement, placementOf, type RingMember, sharesOf, sortedWeights } from './placement.ts';

export interface RendezvousOptions {
  /** Must heed its seed. Default: `xxh32`. */
  readonly hash?: HashFunction | undefined;
}

export interface RendezvousBalancerOptions extends RendezvousOptions, BoundedLoadOptions {}

/**
 * Rendezvous hashing, or highest random weight (Thaler and Ravishankar, IEEE/ACM ToN 6(1), 1998): every member has a
 * score for each key, and the highest owns it, so shares are exactly those of the weights but for chance, no key
 * moves between members that stay, and there is no table. A call that does not accept the owner, or finds it full, goes
 * on in the order of scores. O(n) per pick, O(n log n) if it has to go on far: for up to some hundred members.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function rendezvous(options: RendezvousBalancerOptions = {}): Balancer {
  checkOptions('rendezvous', options, { hash: 1, boundedLoad: 1 });
  const hash = checkFunction('rendezvous hash', options.hash ?? xxh32);
  return keyedBalancer(
    members => {
      const weights = members.map(({ weight }) => weight);
      const ids = members.map(({ endpoint }) => endpoint.id);
      return {
        line: new RendezvousLine(ids, weights, hash),
        hash,
        shares: () => sharesOf(weights),
        standIn: 'next by score',
      };
    },
    checkBoundedLoad('rendezvous', options.boundedLoad),
  );
}

/**
 * Rendezvous hashing by itself, for who wants to place keys and call nobody. `getN` gives the `n` highest scores.
 *
 * @throws RangeError or TypeError for a bad option or member
 */
export function createRendezvous(
  members: Iterable<string | RingMember> = [],
  options: RendezvousOptions = {},
): Placement {
  const { hash = xxh32 } = checkOptions('createRendezvous', options, { hash: 1 });
  checkFunction('rendezvous hash', hash);
  const weights = sortedWeights('rendezvous', members);
  const ids = [...weights.keys()];
  const each = [...weights.values()];
  return placementOf('rendezvous', ids, new RendezvousLine(ids, each, hash), hash, () => sharesOf(each));
}

/**
 * Members by their score for a hash. The score of a member of weight w is -w / ln u, u being uniform in (0, 1) (Schindelhauer
 * and Schomaker, SPAA 2005); it grows with u, so among equal weights u alone decides and there is one logarithm
 * for each different weight, none if there is but one.
 *
 * u comes from 32 bits, mixed of the key's hash and two of the member's: two members are alike only if both are.
 */
class RendezvousLine implements Line {
  /** Which member is where. They are in the order of weights, then of ids. */
  readonly #members: Uint32Array;
  readonly #weights: Float64Array;
  readonly #add: Int32Array;
  readonly #times: Int32Array;
  readonly #even: boolean;
  readonly #scores: Float64Array;
  /** The places of those to come; the highest score is on top. */
  readonly #heap: Uint32Array;
  #left = -1;
  #hash = 0;

  constructor(ids: readonly string[], weights: readonly number[], hash: HashFunction) {
    const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
    this.#members = Uint32Array.from(ids, (_, i) => i).sort((a, b) => weights[a]! - weights[b]! || a - b);
    this.#weights = Float64Array.from(this.#members, i => weights[i]! / largest);
    this.#add = Int32Array.from(this.#members, i => hash(ids[i]!, 0) | 0);
    this.#times = Int32Array.from(this.#members, i => hash(ids[i]!, 1) | 1);
    this.#even = this.#weights[0] === 1;
    this.#scores = new Float64Array(ids.length);
    this.#heap = new Uint32Array(ids.length);
  }

  first(hash: number): number {
    this.#hash = hash;
    this.#left = -1;
    return this.#members[this.#best(hash)]!;
  }

  #best(hash: number): number {
    const weights = this.#weights;
    const add = this.#add;
    const times = this.#times;
    const size = weights.length;
    let best = 0;
    let top = -1;
    for (let i = 0; i < size; ) {
      const weight = weights[i]!;
      let at = i;
      let most = -1;
      do {
        const mixed = avalanche(Math.imul(hash ^ add[i]!, times[i]!));
        if (mixed > most) {
          most = mixed;
          at = i;
        }
        i++;
      } while (i < size && weights[i] === weight);
      if (this.#even) return at;
      const score = scoreOf(weight, most);
      if (score > top || (score === top && this.#members[at]! < this.#members[best]!)) {
        top = score;
        best = at;
      }
    }
    return best;
  }

  next(): number {
    if (this.#left < 0) {
      this.#rank();
      this.#pop();
    }
    return this.#left === 0 ? -1 : this.#members[this.#pop()]!;
  }

  /** Builds the heap: what a call that does not accept the owner pays once. */
  #rank(): void {
    const size = this.#weights.length;
    for (let i = 0; i < size; i++) {
      const mixed = avalanche(Math.imul(this.#hash ^ this.#add[i]!, this.#times[i]!));
      this.#scores[i] = this.#even ? mixed : scoreOf(this.#weights[i]!, mixed);
      this.#heap[i] = i;
    }
    this.#left = size;
    for (let i = (size >>> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  #pop(): number {
    const heap = this.#heap;
    const top = heap[0]!;
    heap[0] = heap[--this.#left]!;
    this.#sink(0);
    return top;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const sinking = heap[from]!;
    let at = from;
    for (let child = 2 * at + 1; child < this.#left; child = 2 * at + 1) {
      if (child + 1 < this.#left && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, sinking)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = sinking;
  }

  #before(a: number, b: number): boolean {
    const difference = this.#scores[a]! - this.#scores[b]!;
    return difference > 0 || (difference === 0 && this.#members[a]! < this.#members[b]!);
  }
}

const scoreOf = (weight: number, mixed: number): number => -weight / Math.log((mixed + 0.5) / 2 ** 32);
