import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import { avalanche, type HashFunction, xxh32 } from '../base/hash.ts';
import { checkOptions, type Settled } from '../base/options.ts';
import { type Line, Passed, REHASHES, rehash } from './line.ts';
import { type Placement, placementOf, type RingMember, sortedWeights } from './placement.ts';
import { isPrime, Scatter } from './scatter.ts';

export interface MaglevOptions {
  /**
   * How many slots the table has: a prime number up to 5 000 011 (Envoy's limit), and no fewer than there are members.
   * Shares are even to about members / size; two bytes each. Default: 65 537.
   */
  readonly size?: number | undefined;
  /** Must heed its seed. Default: `xxh32`. */
  readonly hash?: HashFunction | undefined;
}

/**
 * A Maglev table by itself, for who wants to place keys and call nobody.
 *
 * @throws RangeError or TypeError for a bad option or member, or for more members than slots
 */
export function createMaglev(
  members: Iterable<string | RingMember> = [],
  options: MaglevOptions = {},
): Placement {
  checkOptions('createMaglev', options, { size: 1, hash: 1 });
  const { size, hash } = checkMaglev(options);
  const weights = sortedWeights('maglev', members);
  const ids = [...weights.keys()];
  const table = maglevTable(ids, [...weights.values()], size, hash);
  return placementOf('maglev', ids, new MaglevLine(table, ids.length), hash, () =>
    tableShares(table, ids.length),
  );
}

/** The index of the member that has each slot. */
export type Table = Uint16Array | Uint32Array;

const LARGEST = 5_000_011;

/** @throws RangeError or TypeError for a bad option */
export function checkMaglev({ size = 65_537, hash = xxh32 }: MaglevOptions): Settled<MaglevOptions> {
  checkNumber('maglev size', size, 2, LARGEST, true);
  if (!isPrime(size)) throw bad('maglev size', size, `a prime number from 2 to ${LARGEST}`, RangeError);
  return { size, hash: checkFunction('maglev hash', hash) };
}

/**
 * Maglev's table (Eisenbud et al., NSDI 2016, listing 1), filled by weight as Envoy does (`maglev_lb.cc`): each member
 * goes through all slots in an order of its own and takes the first that is free; the heaviest in every round, another
 * as often as its weight is to that. All take one in the first round, so that nobody is left without.
 *
 * @throws RangeError if there are more members than slots
 */
export function maglevTable(
  ids: readonly string[],
  weights: readonly number[],
  size: number,
  hash: HashFunction,
): Table {
  const count = ids.length;
  if (count > size)
    throw new RangeError(`a maglev table of ${size} slots is too small for ${count} members; raise \`size\``);
  const free = count < 0xffff ? 0xffff : 0xffffffff;
  const table = (count < 0xffff ? new Uint16Array(size) : new Uint32Array(size)).fill(free);
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const at = Uint32Array.from(ids, id => (hash(id, 0) >>> 0) % size);
  const step = Uint32Array.from(ids, id => ((hash(id, 1) >>> 0) % (size - 1)) + 1);
  const turns = new Uint32Array(count);
  // Who has a turn in each round, as a list: looking at all in every round would take long if one is by far the heaviest.
  const first = new Int32Array(size + 1).fill(-1);
  const last = new Int32Array(size + 1);
  const after = new Int32Array(count);
  const queue = (i: number, round: number): void => {
    if (round > size) return; // the heaviest has filled the table by then
    after[i] = -1;
    if (first[round]! < 0) first[round] = i;
    else after[last[round]!] = i;
    last[round] = i;
  };
  for (let i = 0; i < count; i++) queue(i, 1);
  let left = count === 0 ? 0 : size;
  for (let round = 1; left > 0; round++) {
    for (let i = first[round]!, next = i; i >= 0 && left > 0; i = next, left--) {
      next = after[i]!;
      const stride = step[i]!;
      let slot = at[i]!;
      while (table[slot] !== free) {
        slot += stride;
        if (slot >= size) slot -= size;
      }
      table[slot] = i;
      at[i] = slot;
      // By the share, for a multiple of the largest weight may be infinite.
      queue(i, Math.max(round + 1, Math.ceil(++turns[i]! / (weights[i]! / largest))));
    }
  }
  return table;
}

/** The share of all 2^32 hashes that each member owns: a slot has one more than another if they do not come out even. */
export function tableShares(table: Table, count: number): Float64Array {
  const shares = new Float64Array(count);
  const each = Math.floor(2 ** 32 / table.length);
  const more = 2 ** 32 % table.length;
  for (let slot = 0; slot < table.length; slot++)
    shares[table[slot]!]! += (slot < more ? each + 1 : each) / 2 ** 32;
  return shares;
}

/**
 * A key's slot; then the slots of its hash mixed anew, again and again; then all members that are left. Envoy, too,
 * changes the hash for each attempt, but by inverting bits: there one slot's keys all have the same slot next.
 */
export class MaglevLine implements Line {
  readonly #table: Table;
  readonly #size: number;
  readonly #passed: Passed;
  readonly #rest: Scatter;
  #hash = 0;
  #tries = 0;

  constructor(table: Table, count: number) {
    this.#table = table;
    this.#size = count;
    this.#passed = new Passed(count);
    this.#rest = new Scatter(count);
  }

  first(hash: number): number {
    this.#hash = hash;
    this.#tries = 0;
    return this.#table[(hash >>> 0) % this.#table.length]!;
  }

  next(): number {
    const table = this.#table;
    const passed = this.#passed;
    if (this.#tries === 0) passed.begin(table[(this.#hash >>> 0) % table.length]!);
    while (!passed.all && this.#tries < REHASHES) {
      const member = table[(rehash(this.#hash, ++this.#tries) >>> 0) % table.length]!;
      if (passed.isNew(member)) return member;
    }
    if (this.#tries === REHASHES) {
      const mixed = avalanche(this.#hash);
      this.#rest.begin(mixed % this.#size, avalanche(mixed));
      this.#tries++;
    }
    while (!passed.all) {
      const member = this.#rest.next();
      if (passed.isNew(member)) return member;
    }
    return -1;
  }
}
