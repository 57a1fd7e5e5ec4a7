import type { Random } from './env.ts';

/**
 * Whole numbers by chance, for who needs some with every call: each number of a `Random` is allocated, and `Math.random`
 * takes longer. The generator is xoroshiro64** (Blackman and Vigna, ACM TOMS 47(4), 2021), its seed drawn from `random`.
 */
export class Dice {
  // An array of whole numbers: 32 bits in a field may be too many for what is no pointer, and then go to the heap.
  readonly #state: Int32Array;

  constructor(random: Random) {
    this.#state = Int32Array.of(random() * 2 ** 32, (random() * 2 ** 32) | 1); // not both 0
  }

  /** A whole number in [0, 2^32). */
  word(): number {
    const state = this.#state;
    const a = state[0]!;
    const b = state[1]! ^ a;
    const scrambled = Math.imul(a, 0x9e3779bb);
    state[0] = ((a << 26) | (a >>> 6)) ^ b ^ (b << 9);
    state[1] = (b << 13) | (b >>> 19);
    return Math.imul((scrambled << 5) | (scrambled >>> 27), 5) >>> 0;
  }

  /** A whole number in [0, bound), for bounds up to 2^31; how likely each is differs by bound / 2^32 at most. */
  below(bound: number): number {
    return (this.word() * 2 ** -32 * bound) | 0;
  }
}
