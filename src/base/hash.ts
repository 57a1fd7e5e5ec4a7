/**
 * Maps a string to an unsigned 32-bit integer, by its UTF-8 bytes. Equal inputs must give equal values in
 * every process, or keys move between instances.
 */
export interface HashFunction {
  (key: string, seed?: number): number;
  /** The same 32 bits as a signed number, if it has that: V8 allocates numbers from 2^31 on, so pickers ask for these. */
  readonly signed?: (key: string, seed?: number) => number;
}

/** A hash's values as signed numbers. */
export const signedOf = (hash: HashFunction): ((key: string, seed?: number) => number) =>
  hash.signed ?? ((key, seed) => hash(key, seed) | 0);

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

const signed = (key: string, seed = 0): number => {
  const { length } = key;
  if (length > SHORT) return hashBytes(key, seed);
  let h = (seed + P5 + length) | 0;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const a = key.charCodeAt(i);
    const b = key.charCodeAt(i + 1);
    const c = key.charCodeAt(i + 2);
    const d = key.charCodeAt(i + 3);
    if ((a | b | c | d) > 127) return hashBytes(key, seed);
    h = word(h, a | (b << 8) | (c << 16) | (d << 24));
  }
  for (; i < length; i++) {
    const a = key.charCodeAt(i);
    if (a > 127) return hashBytes(key, seed);
    h = byte(h, a);
  }
  return mix(h);
};

/**
 * XXH32 (Yann Collet, xxHash specification 0.1.1) of the key's UTF-8 bytes. A lone surrogate counts as U+FFFD,
 * as `TextEncoder` has it; so two keys that differ only in lone surrogates hash alike.
 */
export const xxh32: HashFunction = /* @__PURE__ */ Object.assign(
  (key: string, seed = 0): number => signed(key, seed) >>> 0,
  { signed },
);

/** Up to here XXH32 has no stripes, and an ASCII key is hashed without being written out. */
const SHORT = 15;

const word = (h: number, w: number): number => {
  h = (h + Math.imul(w, P3)) | 0;
  return Math.imul((h << 17) | (h >>> 15), P4);
};

const byte = (h: number, b: number): number => {
  h = (h + Math.imul(b, P5)) | 0;
  return Math.imul((h << 11) | (h >>> 21), P1);
};

const round = (v: number, w: number): number => {
  v = (v + Math.imul(w, P2)) | 0;
  return Math.imul((v << 13) | (v >>> 19), P1);
};

/** XXH32's finish; by itself a bijection that spreads any 32-bit number over all. Signed. */
export const mix = (h: number): number => {
  h = Math.imul(h ^ (h >>> 15), P2);
  h = Math.imul(h ^ (h >>> 13), P3);
  return h ^ (h >>> 16);
};

/** The same, unsigned. */
export const avalanche = (h: number): number => mix(h) >>> 0;

/** Where keys are written out. Grown for a long key, and let go of again if the key was very long. */
let scratch = /* @__PURE__ */ new Uint8Array(1024);
const KEPT = 1 << 16;

function hashBytes(key: string, seed: number): number {
  if (key.length * 3 > scratch.length) scratch = new Uint8Array(key.length * 3);
  const bytes = scratch;
  const length = encode(key, bytes);
  if (bytes.length > KEPT) scratch = new Uint8Array(1024);

  let h: number;
  let i = 0;
  if (length >= 16) {
    let v1 = (seed + P1 + P2) | 0;
    let v2 = (seed + P2) | 0;
    let v3 = seed | 0;
    let v4 = (seed - P1) | 0;
    for (const last = length - 16; i <= last; i += 16) {
      v1 = round(v1, read(bytes, i));
      v2 = round(v2, read(bytes, i + 4));
      v3 = round(v3, read(bytes, i + 8));
      v4 = round(v4, read(bytes, i + 12));
    }
    h =
      ((v1 << 1) | (v1 >>> 31)) +
      ((v2 << 7) | (v2 >>> 25)) +
      ((v3 << 12) | (v3 >>> 20)) +
      ((v4 << 18) | (v4 >>> 14));
  } else {
    h = seed + P5;
  }
  h = (h + length) | 0;
  for (; i + 4 <= length; i += 4) h = word(h, read(bytes, i));
  for (; i < length; i++) h = byte(h, bytes[i]!);
  return mix(h);
}

const read = (bytes: Uint8Array, i: number): number =>
  bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);

/** Writes a string's UTF-8 and answers how many bytes it took. `TextEncoder` is not the core's to use. */
export function encode(key: string, bytes: Uint8Array): number {
  let n = 0;
  for (let i = 0; i < key.length; i++) {
    let code = key.charCodeAt(i);
    if (code < 0x80) {
      bytes[n++] = code;
      continue;
    }
    if (code < 0x800) {
      bytes[n++] = 0xc0 | (code >> 6);
      bytes[n++] = 0x80 | (code & 0x3f);
      continue;
    }
    if (code >= 0xd800 && code < 0xe000) {
      const low = code < 0xdc00 ? key.charCodeAt(i + 1) : 0; // NaN past the end: no pair
      if (low >= 0xdc00 && low < 0xe000) {
        i++;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        bytes[n++] = 0xf0 | (code >> 18);
        bytes[n++] = 0x80 | ((code >> 12) & 0x3f);
        bytes[n++] = 0x80 | ((code >> 6) & 0x3f);
        bytes[n++] = 0x80 | (code & 0x3f);
        continue;
      }
      code = 0xfffd;
    }
    bytes[n++] = 0xe0 | (code >> 12);
    bytes[n++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[n++] = 0x80 | (code & 0x3f);
  }
  return n;
}
