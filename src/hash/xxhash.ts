import load from 'xxhash-wasm';
import { type HashFunction, signedOf, xxh32 } from '../base/hash.ts';

/** From this many UTF-16 units on the WebAssembly is faster (`npm run bench` prints both). */
const LONG = 24;

let wasm: HashFunction | undefined;
let asked = false;

/**
 * The values of `xxh32`, by WebAssembly for long keys as soon as that is loaded, which begins now. Nothing waits for
 * it, and no key moves when it comes; where WebAssembly is not to be had, all stays as it is.
 */
export function xxhash(): HashFunction {
  if (!asked) {
    asked = true;
    void load().then(
      ({ h32 }) => {
        wasm = h32;
      },
      () => {},
    );
  }
  const short = signedOf(xxh32);
  const signed = (key: string, seed = 0): number =>
    key.length < LONG || wasm === undefined ? short(key, seed) : wasm(key, seed) | 0;
  return Object.assign((key: string, seed = 0): number => signed(key, seed) >>> 0, { signed });
}
