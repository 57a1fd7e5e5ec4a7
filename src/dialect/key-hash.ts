import { bad } from '../base/errors.ts';
import type { HashFunction } from '../base/hash.ts';
import { type ByteHash, ofText } from './bytes.ts';
import { crc32 } from './crc32.ts';
import { md5 } from './md5.ts';

const digest = /* @__PURE__ */ new Uint32Array(4);

/** A byte as C's `char` has it, which is signed on x86-64: what is not ASCII counts with its sign. */
const char = (byte: number): number => (byte << 24) >> 24;

const fnv1 =
  (start: number, prime: number): ByteHash =>
  (bytes, length) => {
    let h = start;
    for (let i = 0; i < length; i++) h = Math.imul(h, prime) ^ char(bytes[i]!);
    return h >>> 0;
  };

const fnv1a =
  (start: number, prime: number): ByteHash =>
  (bytes, length) => {
    let h = start;
    for (let i = 0; i < length; i++) h = Math.imul(h ^ char(bytes[i]!), prime);
    return h >>> 0;
  };

/** Bob Jenkins's one-at-a-time. */
const oneAtATime: ByteHash = (bytes, length) => {
  let h = 0;
  for (let i = 0; i < length; i++) {
    h = (h + char(bytes[i]!)) | 0;
    h = (h + (h << 10)) | 0;
    h ^= h >>> 6;
  }
  h = (h + (h << 3)) | 0;
  h ^= h >>> 11;
  return (h + (h << 15)) >>> 0;
};

/** A hash of memcached clients, by its name in twemproxy's configuration. */
export type KeyHash =
  | 'one_at_a_time'
  | 'md5'
  | 'crc32'
  | 'crc32a'
  | 'fnv1_64'
  | 'fnv1a_64'
  | 'fnv1_32'
  | 'fnv1a_32';

/**
 * The hashes of memcached clients, as libmemcached's `src/libhashkit` and twemproxy's `src/hashkit` have them. Of the
 * 64-bit ones they use the low half.
 */
const hashes: Readonly<Record<KeyHash, ByteHash>> = {
  one_at_a_time: oneAtATime,
  md5: (bytes, length) => {
    md5(bytes, length, digest);
    return digest[0]!;
  },
  /** Only 15 bits of it, for the sake of older clients. */
  crc32: (bytes, length) => (crc32(bytes, length) >>> 16) & 0x7fff,
  /** All of it. */
  crc32a: crc32,
  fnv1_64: /* @__PURE__ */ fnv1(0x84222325, 0x1b3),
  fnv1a_64: /* @__PURE__ */ fnv1a(0x84222325, 0x1b3),
  fnv1_32: /* @__PURE__ */ fnv1(0x811c9dc5, 0x01000193),
  fnv1a_32: /* @__PURE__ */ fnv1a(0x811c9dc5, 0x01000193),
};

/** A hash by name, or the user's own, which answers an unsigned 32-bit integer. */
export function keyHash(name: string, hash: KeyHash | HashFunction): HashFunction {
  if (typeof hash === 'function') return hash;
  if (!Object.hasOwn(hashes, hash)) throw bad(name, hash, `a function or one of ${Object.keys(hashes)}`);
  return ofText(hashes[hash]);
}
