import { bad, checkNumber } from '../base/errors.ts';
import { xxh32 } from '../base/hash.ts';

/**
 * Jump consistent hash (Lamping and Veach, arXiv 1406.2294): the shard, 0 to `shards` - 1, that a key belongs to. One
 * shard more takes keys from all others alike and moves no other; only the last can go. O(log shards), no memory.
 *
 * A number or bigint is the paper's key itself, so that shards are those of Guava's `consistentHash` and others; a
 * string is hashed to 64 bits by `xxh32`, seed 1 above seed 0.
 *
 * @param key a string, a whole number from 0 to 2^53 - 1, or a bigint, of which the lower 64 bits count
 * @throws RangeError or TypeError for another key, or for a number of shards that is not whole or not from 1 to 2^31 - 1
 */
export function jumpHash(key: string | number | bigint, shards: number): number {
  checkNumber('jumpHash shards', shards, 1, 0x7fffffff, true);
  if (typeof key === 'string') return jump64(xxh32(key, 1), xxh32(key, 0), shards);
  if (typeof key === 'bigint')
    return jump64(Number((key >> 32n) & 0xffffffffn), Number(key & 0xffffffffn), shards);
  if (typeof key !== 'number') throw bad('jumpHash key', key, 'a string, a number or a bigint');
  checkNumber('jumpHash key', key, 0, Number.MAX_SAFE_INTEGER, true);
  return jump64(Math.floor(key / 2 ** 32), key >>> 0, shards);
}

/** The multiplier 2862933555777941757 in halves, the lower in quarters. */
const HIGH = 0x27bb2ee6;
const LOW = 0x87b0b0fd;
const LOW_HIGH = 0x87b0;
const LOW_LOW = 0xb0fd;

/** Of a key in halves. */
export function jump64(high: number, low: number, shards: number): number {
  let shard = 0;
  for (let next = 0; next < shards; ) {
    shard = next;
    // key = key * multiplier + 1, modulo 2^64. Products of 16 bits by 16 and one more term stay below 2^32.
    const a = low >>> 16;
    const b = low & 0xffff;
    const least = b * LOW_LOW;
    const middle = a * LOW_LOW + (least >>> 16);
    const other = b * LOW_HIGH + (middle & 0xffff);
    const carry = a * LOW_HIGH + (middle >>> 16) + (other >>> 16);
    high = (Math.imul(high, LOW) + Math.imul(low, HIGH) + carry) | 0;
    low = (((other << 16) | (least & 0xffff)) + 1) | 0;
    if (low === 0) high = (high + 1) | 0;
    next = Math.floor((shard + 1) * (2 ** 31 / ((high >>> 1) + 1)));
  }
  return shard;
}
