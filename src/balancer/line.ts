import { mix } from '../base/hash.ts';

/**
 * Members in the order in which a key would have them: the owner, then who stands in. Members are told by their index.
 * A line holds where it is, so that going along it allocates nothing: each picker has one of its own.
 */
export interface Line {
  /** Begins with a hash of 32 bits, signed, for V8 keeps such numbers without allocating. Answers the owner. */
  first(hash: number): number;
  /** Who comes next, each once; -1 when there is nobody left. */
  next(): number;
  /** From here on members are asked for because one before had its fill, not because it was refused. */
  overflow?(): void;
}

/** Which members a walk has passed. Forgets all of them at once, by counting walks. */
export class Passed {
  readonly #walks: Float64Array;
  #walk = 0;
  #left = 0;

  constructor(size: number) {
    this.#walks = new Float64Array(size);
  }

  /** A new walk, from this member. */
  begin(first: number): void {
    this.#walks[first] = ++this.#walk;
    this.#left = this.#walks.length - 1;
  }

  /** Whether all have been passed. */
  get all(): boolean {
    return this.#left === 0;
  }

  /** Passes a member. Answers whether it was the first time. */
  isNew(member: number): boolean {
    if (this.#walks[member] === this.#walk) return false;
    this.#walks[member] = this.#walk;
    this.#left--;
    return true;
  }
}

/** How often a hash is mixed anew before other ways are tried: with four of five members refused, 1 pick in 10^6. */
export const REHASHES = 64;

/** The place of a hash mixed anew for the nth time, from 1: unrelated to all others. Steps are 2^32 by the golden ratio. */
export const rehash = (hash: number, n: number): number => mix((hash + Math.imul(n, 0x9e3779b9)) | 0);
