const TABLE = /* @__PURE__ */ Int32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

/** The state of a CRC-32 (ISO 3309, as in zlib) after one more byte. It begins as -1; its complement is the CRC. */
export const crcNext = (state: number, byte: number): number => TABLE[(state ^ byte) & 0xff]! ^ (state >>> 8);

/** CRC-32 of the first `length` bytes. */
export function crc32(bytes: Uint8Array, length: number): number {
  let state = -1;
  for (let i = 0; i < length; i++) state = crcNext(state, bytes[i]!);
  return ~state >>> 0;
}
