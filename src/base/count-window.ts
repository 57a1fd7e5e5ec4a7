/** Bits in a small integer, which an array holds in place. */
const BITS = 30;

/** Counts the last `size` events, and how many of them were marked: the counts of a `Window`, over calls instead of time. */
export class CountWindow {
  readonly #size: number;
  /** Whether each was marked, as a ring of bits. */
  readonly #words: number[];
  #next = 0;
  /** How many there are, up to `size`. */
  first = 0;
  /** How many of them are marked. */
  second = 0;

  constructor(size: number) {
    this.#size = size;
    this.#words = new Array<number>(Math.ceil(size / BITS)).fill(0);
  }

  /** Takes in one event, in the place of the oldest if there are `size`; `second` is 1 if it is marked, else 0. */
  add(_now: number, _first: 1, second: 0 | 1): void {
    const at = this.#next;
    const word = Math.floor(at / BITS);
    const bit = 1 << (at % BITS);
    const words = this.#words;
    if (this.first < this.#size) this.first++;
    else if (words[word]! & bit) this.second--;
    words[word] = second === 1 ? words[word]! | bit : words[word]! & ~bit;
    this.second += second;
    this.#next = at + 1 === this.#size ? 0 : at + 1;
  }

  clear(): void {
    this.#next = this.first = this.second = 0;
  }
}
