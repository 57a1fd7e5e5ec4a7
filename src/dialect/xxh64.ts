// 64-bit numbers are two neighbours of an Int32Array, the high half first: no BigInt, and nothing is allocated.

/** XXH64's primes, high and low halves. */
const P1H = 0x9e3779b1 | 0;
const P1L = 0x85ebca87 | 0;
const P2H = 0xc2b2ae3d | 0;
const P2L = 0x27d4eb4f;
const P3H = 0x165667b1;
const P3L = 0x9e3779f9;
const P4H = 0x85ebca77 | 0;
const P4L = 0xc2b2ae63 | 0;
const P5H = 0x27d4eb2f;
const P5L = 0x165667c5;

/** The four lanes at 0, 2, 4 and 6, the hash at 8, what is mixed in at 10. */
const state = /* @__PURE__ */ new Int32Array(12);
const HASH = 8;
const WORD = 10;

/**
 * XXH64 (Yann Collet, xxHash specification 0.1.1) of the first `length` bytes, written to `into`: the high half, the
 * low half. The seed is an unsigned 32-bit integer.
 */
export function xxh64(bytes: Uint8Array, length: number, seed: number, into: Uint32Array): void {
  const s = state;
  let i = 0;
  if (length >= 32) {
    set(s, 0, P1H, P1L);
    add(s, 0, P2H, P2L);
    add(s, 0, 0, seed);
    set(s, 2, P2H, P2L);
    add(s, 2, 0, seed);
    set(s, 4, 0, seed);
    set(s, 6, ~P1H, ~P1L); // -P1 - 1
    add(s, 6, 0, 1);
    add(s, 6, 0, seed);
    for (const last = length - 32; i <= last; ) {
      for (let lane = 0; lane < 8; lane += 2, i += 8) round(s, lane, read(bytes, i + 4), read(bytes, i));
    }
    set(s, HASH, 0, 0);
    for (let lane = 0; lane < 8; lane += 2) {
      set(s, WORD, s[lane]!, s[lane + 1]!);
      rotate(s, WORD, lane === 0 ? 1 : lane === 2 ? 7 : lane === 4 ? 12 : 18);
      add(s, HASH, s[WORD]!, s[WORD + 1]!);
    }
    for (let lane = 0; lane < 8; lane += 2) {
      mix(s, s[lane]!, s[lane + 1]!);
      times(s, HASH, P1H, P1L);
      add(s, HASH, P4H, P4L);
    }
  } else {
    set(s, HASH, P5H, P5L);
    add(s, HASH, 0, seed);
  }
  add(s, HASH, 0, length);
  for (; i + 8 <= length; i += 8) {
    mix(s, read(bytes, i + 4), read(bytes, i));
    rotate(s, HASH, 27);
    times(s, HASH, P1H, P1L);
    add(s, HASH, P4H, P4L);
  }
  if (i + 4 <= length) {
    set(s, WORD, 0, read(bytes, i));
    times(s, WORD, P1H, P1L);
    s[HASH]! ^= s[WORD]!;
    s[HASH + 1]! ^= s[WORD + 1]!;
    rotate(s, HASH, 23);
    times(s, HASH, P2H, P2L);
    add(s, HASH, P3H, P3L);
    i += 4;
  }
  for (; i < length; i++) {
    set(s, WORD, 0, bytes[i]!);
    times(s, WORD, P5H, P5L);
    s[HASH]! ^= s[WORD]!;
    s[HASH + 1]! ^= s[WORD + 1]!;
    rotate(s, HASH, 11);
    times(s, HASH, P1H, P1L);
  }
  s[HASH + 1]! ^= s[HASH]! >>> 1;
  times(s, HASH, P2H, P2L);
  const high = s[HASH]!;
  s[HASH + 1]! ^= (high << 3) | (s[HASH + 1]! >>> 29);
  s[HASH]! ^= high >>> 29;
  times(s, HASH, P3H, P3L);
  into[0] = s[HASH]!;
  into[1] = s[HASH + 1]! ^ s[HASH]!;
}

/** The remainder of a 64-bit number by a divisor below 2^26: no step leaves the exact integers. */
export const remainder = (high: number, low: number, by: number): number =>
  ((high % by) * (2 ** 32 % by) + low) % by;

/** Takes a word into a lane. */
function round(s: Int32Array, lane: number, high: number, low: number): void {
  const product = Math.imul(low, P2L);
  const l = (s[lane + 1]! + product) | 0;
  const carry = l >>> 0 < product >>> 0 ? 1 : 0;
  const h = (s[lane]! + topOf(low, P2L) + Math.imul(high, P2L) + Math.imul(low, P2H) + carry) | 0;
  const turned = (l << 31) | (h >>> 1);
  s[lane] = (topOf(turned, P1L) + Math.imul((h << 31) | (l >>> 1), P1L) + Math.imul(turned, P1H)) | 0;
  s[lane + 1] = Math.imul(turned, P1L);
}

/** Takes a word into the hash. */
function mix(s: Int32Array, high: number, low: number): void {
  s[WORD] = 0;
  s[WORD + 1] = 0;
  round(s, WORD, high, low);
  s[HASH]! ^= s[WORD]!;
  s[HASH + 1]! ^= s[WORD + 1]!;
}

function set(s: Int32Array, at: number, high: number, low: number): void {
  s[at] = high;
  s[at + 1] = low;
}

function add(s: Int32Array, at: number, high: number, low: number): void {
  const sum = (s[at + 1]! + low) | 0;
  s[at] = (s[at]! + high + (sum >>> 0 < low >>> 0 ? 1 : 0)) | 0;
  s[at + 1] = sum;
}

function rotate(s: Int32Array, at: number, by: number): void {
  const high = s[at]!;
  const low = s[at + 1]!;
  s[at] = (high << by) | (low >>> (32 - by));
  s[at + 1] = (low << by) | (high >>> (32 - by));
}

function times(s: Int32Array, at: number, high: number, low: number): void {
  const x = s[at + 1]!;
  s[at] = (topOf(x, low) + Math.imul(s[at]!, low) + Math.imul(x, high)) | 0;
  s[at + 1] = Math.imul(x, low);
}

/** The high half of the product of two unsigned 32-bit integers, as school has it, in digits of 16 bits. */
function topOf(x: number, y: number): number {
  const x0 = x & 0xffff;
  const x1 = x >>> 16;
  const y0 = y & 0xffff;
  const y1 = y >>> 16;
  const t = (Math.imul(x1, y0) + (Math.imul(x0, y0) >>> 16)) | 0;
  const w = (Math.imul(x0, y1) + (t & 0xffff)) | 0;
  return (Math.imul(x1, y1) + (t >>> 16) + (w >>> 16)) | 0;
}

const read = (bytes: Uint8Array, i: number): number =>
  bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
