import { bad } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Balancer } from './balancer.ts';
import { type BoundedLoadOptions, checkBoundedLoad } from './bounded-load.ts';
import { HashRing, type HashRingOptions } from './hash-ring.ts';
import { keyedBalancer } from './keyed.ts';
import { type Line, Passed, REHASHES, rehash } from './line.ts';
import type { PointTable } from './points.ts';

export interface RingOptions extends HashRingOptions, BoundedLoadOptions {
  /**
   * Where a key goes whose member has its fill: to the next round the ring, which is quick to fill in its turn, or to
   * places anywhere on the ring, which are the key's own. Default: `'walk'`.
   */
  readonly overflow?: 'walk' | 'jump' | undefined;
}

/**
 * Consistent hashing (Karger et al., STOC 1997): a call goes to the owner of its key; while the call does not accept
 * the owner, to the next member round the ring that it accepts. A call without a key goes to a random place.
 *
 * A member's points depend on its id, its weight and the hash alone, so a change of the set moves no key between
 * members that stay.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function ring(options: RingOptions = {}): Balancer {
  checkOptions<RingOptions>('ring', options, { points: 1, hash: 1, boundedLoad: 1, overflow: 1 });
  const points = new HashRing(options);
  const { hash } = points;
  const { overflow = 'walk' } = options;
  if (overflow !== 'walk' && overflow !== 'jump') throw bad('ring overflow', overflow, `'walk' or 'jump'`);
  return keyedBalancer(
    members => {
      points.update(members.map(({ endpoint: { id }, weight }) => ({ id, weight })));
      const { table } = points;
      const slots = members.map(({ endpoint: { id } }) => points.slots.get(id)!.number);
      const bySlot = new Uint32Array(points.slotCount);
      slots.forEach((slot, i) => {
        bySlot[slot] = i;
      });
      const line = new RingLine(table, bySlot, members.length, overflow === 'jump');
      return {
        line,
        hash,
        shares: () => {
          const shares = table.shares(bySlot.length);
          return slots.map(slot => shares[slot]!);
        },
        standIn: 'next round the ring',
      };
    },
    checkBoundedLoad('ring', options.boundedLoad),
  );
}

/**
 * Round the ring from the key's place; after an overflow, if so asked, to places that the key's hash gives (Chen,
 * Coleman and Shrivastava, arXiv 1908.08762), as a neighbour takes the overflow of all that come before it.
 */
class RingLine implements Line {
  readonly #table: PointTable;
  readonly #bySlot: Uint32Array;
  readonly #jumpy: boolean;
  readonly #passed: Passed;
  #hash = 0;
  #at = 0;
  #begun = false;
  #jumps = 0;

  constructor(table: PointTable, bySlot: Uint32Array, size: number, jumpy: boolean) {
    this.#table = table;
    this.#bySlot = bySlot;
    this.#jumpy = jumpy;
    this.#passed = new Passed(size);
  }

  first(hash: number): number {
    this.#hash = hash;
    this.#begun = false;
    this.#jumps = 0;
    this.#at = this.#table.find(hash);
    return this.#bySlot[this.#table.owner(this.#at)]!;
  }

  next(): number {
    const table = this.#table;
    const passed = this.#passed;
    if (!this.#begun) passed.begin(this.#bySlot[table.owner(this.#at)]!);
    this.#begun = true;
    while (!passed.all) {
      if (this.#jumps > 0) {
        this.#at = table.find(rehash(this.#hash, this.#jumps--));
      } else {
        this.#at = this.#at + 1 === table.count ? 0 : this.#at + 1;
      }
      const member = this.#bySlot[table.owner(this.#at)]!;
      if (passed.isNew(member)) return member;
    }
    return -1;
  }

  overflow(): void {
    if (this.#jumpy) this.#jumps = REHASHES;
  }
}
