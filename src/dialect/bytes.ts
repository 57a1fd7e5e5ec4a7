import { encode } from '../base/hash.ts';

/** A hash of the first `length` bytes, in 32 bits, signed or not. */
export type ByteHash = (bytes: Uint8Array, length: number) => number;

/** Where keys are written out. Grown for a long key, and let go of again if the key was very long. */
let scratch = /* @__PURE__ */ new Uint8Array(1024);
const KEPT = 1 << 16;

/** The UTF-8 of a text, valid until the next call. How long it is, is in `written`. */
export function bytesOf(text: string): Uint8Array {
  const most = text.length * 3;
  if (most > scratch.length || (scratch.length > KEPT && most <= KEPT))
    scratch = new Uint8Array(Math.max(1024, most));
  written = encode(text, scratch);
  return scratch;
}

/** How many bytes `bytesOf` last wrote. */
export let written = 0;

/** A hash of strings by one of their UTF-8 bytes. */
export const ofText =
  (hash: ByteHash): ((key: string) => number) =>
  key => {
    const bytes = bytesOf(key);
    return hash(bytes, written);
  };

/** Writes a whole number in decimal from `at` on, and answers where it ends. */
export function writeNumber(n: number, bytes: Uint8Array, at: number): number {
  let end = at + 1;
  for (let rest = n; rest >= 10; rest = Math.floor(rest / 10)) end++;
  for (let i = end - 1, rest = n; i >= at; i--, rest = Math.floor(rest / 10)) bytes[i] = 0x30 + (rest % 10);
  return end;
}
