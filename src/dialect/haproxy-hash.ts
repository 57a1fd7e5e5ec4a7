import { bad } from '../base/errors.ts';
import { type ByteHash, ofText } from './bytes.ts';
import { crc32 } from './crc32.ts';

/** The hash functions of HAProxy's `hash-type`, by name (`src/hash.c` of 2.6). */
export type HaproxyHash = 'sdbm' | 'djb2' | 'wt6' | 'crc32';

const hashes: Readonly<Record<HaproxyHash, ByteHash>> = {
  sdbm(bytes, length) {
    let h = 0;
    for (let i = 0; i < length; i++) h = (bytes[i]! + (h << 6) + (h << 16) - h) | 0;
    return h;
  },
  djb2(bytes, length) {
    let h = 5381;
    for (let i = 0; i < length; i++) h = ((h << 5) + h + bytes[i]!) | 0;
    return h;
  },
  wt6(bytes, length) {
    let a = 0xa53c965a | 0;
    let b = 0x5ca6953a;
    let left = 6;
    let right = 18;
    for (let i = 0; i < length; i++) {
      a = ~(a ^ bytes[i]!);
      b = ~(b + bytes[i]!);
      const turned = (b << left) | (b >>> (32 - left));
      b = (a << right) | (a >>> (32 - right));
      a = turned;
      const mixed = ((a >>> 16) ^ b) & 0xffff;
      left = mixed & 31;
      right = mixed >>> 11;
    }
    return a ^ b;
  },
  crc32,
};

/** HAProxy's `full_hash` (`include/haproxy/intops.h`): an avalanche of Bob Jenkins's, times a large prime. */
export function avalanched(n: number): number {
  let a = (n + 0x7ed55d16 + (n << 12)) | 0;
  a = a ^ 0xc761c23c ^ (a >>> 19);
  a = (a + 0x165667b1 + (a << 5)) | 0;
  a = (a + (0xd3a2646c | 0)) ^ (a << 9);
  a = (a + (0xfd7046c5 | 0) + (a << 3)) | 0;
  a = a ^ 0xb55a4f09 ^ (a >>> 16);
  return Math.imul(a, 0xc0000001);
}

/** A hash of keys by the function's name, with the modifier `avalanche` or without. */
export function haproxyHash(title: string, name: HaproxyHash, avalanche: boolean): (key: string) => number {
  if (!Object.hasOwn(hashes, name)) throw bad(title, name, `one of ${Object.keys(hashes)}`);
  const plain = ofText(hashes[name]);
  return avalanche ? key => avalanched(plain(key)) : plain;
}
