import { bad, checkNumber } from '../base/errors.ts';
import type { HashFunction } from '../base/hash.ts';
import type { Line } from './line.ts';

export interface RingMember {
  readonly id: string;
  /** Its share relative to the others. Default: 1. */
  readonly weight?: number | undefined;
}

/** Which member each key belongs to, for who calls nobody and only wants to know. */
export interface Placement {
  /** How many members there are. */
  readonly size: number;
  /** Their ids, sorted. */
  readonly ids: readonly string[];
  has(id: string): boolean;
  /**
   * Who owns a key; undefined if there is no member.
   *
   * @throws TypeError for a key that is not a string
   */
  get(key: string): string | undefined;
  /** The owner and those next in line, all different: at most `n`, fewer if there are fewer members. */
  getN(key: string, n: number): string[];
  /** The share of all hashes that each member owns, by id. The shares add up to 1. */
  distribution(): Map<string, number>;
}

/** A placement over members in the order of their ids. `shares` answers a share for each of them. */
export function placementOf(
  kind: string,
  ids: readonly string[],
  line: Line,
  hash: HashFunction,
  shares: () => ArrayLike<number>,
): Placement {
  const known = new Set(ids);
  return {
    size: ids.length,
    ids,
    has: id => known.has(id),
    get: key => {
      checkKey(key);
      return ids.length === 0 ? undefined : ids[line.first(hash(key) | 0)];
    },
    getN(key, n) {
      checkKey(key);
      checkNumber(`${kind} getN`, n, 0);
      const found: string[] = [];
      if (ids.length === 0) return found;
      for (let i = line.first(hash(key) | 0); i >= 0 && found.length < n; i = line.next())
        found.push(ids[i]!);
      return found;
    },
    distribution: () => {
      const all = shares();
      return new Map(ids.map((id, i) => [id, all[i]!]));
    },
  };
}

/** The weights by id, in the order of the ids; of members with one id the last counts. */
export function sortedWeights(kind: string, members: Iterable<string | RingMember>): Map<string, number> {
  const weights = new Map<string, number>();
  for (const member of members) {
    const each = typeof member === 'string' ? { id: member } : member;
    weights.set(each.id, checkMember(kind, each));
  }
  return new Map([...weights].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Answers the weight. */
export function checkMember(kind: string, { id, weight = 1 }: RingMember): number {
  if (typeof id !== 'string' || id === '') throw bad(`${kind} member id`, id, 'a non-empty string');
  // The name is put together only where it is needed.
  if (typeof weight !== 'number' || !(weight > 0 && weight < Infinity))
    checkNumber(`${kind} weight of ${JSON.stringify(id)}`, weight, Number.MIN_VALUE, Number.MAX_VALUE);
  return weight;
}

/** A number would be hashed as a key without letters: all numbers alike. */
export function checkKey(key: string): string {
  if (typeof key !== 'string') throw bad('key', key, 'a string');
  return key;
}

/** What of the whole each weight is. Divided by the largest first, so that the sum stays finite. */
export function sharesOf(weights: readonly number[]): Float64Array {
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const total = weights.reduce((sum, weight) => sum + weight / largest, 0);
  return Float64Array.from(weights, weight => weight / largest / total);
}
