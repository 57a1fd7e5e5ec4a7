import type { Random } from './env.ts';

/** How many words are made at a time. */
const WORDS = 64;

/**
 * Whole numbers by chance, for who needs some with every call: each number of a `Random` is allocated, and `Math.random`
 * takes longer. The generator is xoroshiro64** (Blackman and Vigna, ACM TOMS 47(4), 2021), its seed drawn from `random`.
 */
export class Dice {
  #a: number;
  #b: number;
  // Made in advance, so that to take one is short enough to be inlined.
  readonly #words = new Int32Array(WORDS);
  #taken = WORDS;

  constructor(random: Random) {
    this.#a = (random() * 2 ** 32) | 0;
    this.#b = (random() * 2 ** 32) | 1; // not both 0
  }

  /** 32 bits, as a signed number, for V8 keeps such numbers without allocating. */
  word(): number {
    if (this.#taken === WORDS) this.#make();
    return this.#words[this.#taken++]!;
  }

  /** A whole number in [0, bound), for bounds up to 2^31; how likely each is differs by bound / 2^32 at most. */
  below(bound: number): number {
    return ((this.word() >>> 0) * UNIT * bound) | 0;
  }

  #make(): void {
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < WORDS; i++) {
      const scrambled = Math.imul(a, 0x9e3779bb);
      this.#words[i] = Math.imul((scrambled << 5) | (scrambled >>> 27), 5);
      b ^= a;
      a = ((a << 26) | (a >>> 6)) ^ b ^ (b << 9);
      b = (b << 13) | (b >>> 19);
    }
    this.#a = a;
    this.#b = b;
    this.#taken = 0;
  }
}

const UNIT = 2 ** -32;
