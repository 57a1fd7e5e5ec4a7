const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const SINES = /* @__PURE__ */ Int32Array.from({ length: 64 }, (_, i) =>
  Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32),
);

const state = /* @__PURE__ */ new Int32Array(4);
const block = /* @__PURE__ */ new Int32Array(16);

/** MD5 (RFC 1321) of the first `length` bytes, written to `into` as four little-endian words. For placing, not for safety. */
export function md5(bytes: Uint8Array, length: number, into: Uint32Array): void {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  // A one, zeros, and the length in bits in the last eight bytes of a block.
  for (let start = 0; start < length + 9; start += 64) {
    for (let w = 0; w < 16; w++) {
      const i = start + 4 * w;
      block[w] =
        at(bytes, i, length) |
        (at(bytes, i + 1, length) << 8) |
        (at(bytes, i + 2, length) << 16) |
        (at(bytes, i + 3, length) << 24);
    }
    if (start + 64 >= length + 9) {
      block[14] = length << 3;
      block[15] = length >>> 29;
    }
    mix();
  }
  into.set(state);
}

const at = (bytes: Uint8Array, i: number, length: number): number =>
  i < length ? bytes[i]! : i === length ? 0x80 : 0;

function mix(): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    const f =
      round === 0
        ? (b & c) | (~b & d)
        : round === 1
          ? (d & b) | (~d & c)
          : round === 2
            ? b ^ c ^ d
            : c ^ (b | ~d);
    const word = round === 0 ? i : round === 1 ? 5 * i + 1 : round === 2 ? 3 * i + 5 : 7 * i;
    const sum = (a + f + SINES[i]! + block[word & 15]!) | 0;
    const by = SHIFTS[round * 4 + (i & 3)]!;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << by) | (sum >>> (32 - by)))) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
}
