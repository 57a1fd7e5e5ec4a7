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

  /**
   * Takes two words. Answers the place of the first, for `at`; the other comes after it. Shorter than taking one twice, so
   * that a pick that needs two leaves V8 room to inline what members cost.
   */
  pair(): number {
    if (this.#taken > WORDS - 2) this.#make();
    const place = this.#taken;
    this.#taken = place + 2;
    return place;
  }

  /** The word at a place, as `below` has it. */
  at(place: number, bound: number): number {
    return ((this.#words[place]! >>> 0) * UNIT * bound) | 0;
  }

  /** Gives the latest word back: it will be the next again. */
  back(): void {
    this.#taken--;
  }

  #make(): void {
    let a = this.#a;
    let b = this.#b;
    let i = 0;
    while (this.#taken < WORDS) this.#words[i++] = this.#words[this.#taken++]!; // one may be left of a pair
    for (; i < WORDS; i++) {
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
