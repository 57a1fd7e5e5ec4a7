/**
 * Every number below `size` once, in an order of the key's own: so the calls that a refused one leaves are shared by
 * all others, where the next in number would get all of them. Steps of one length round a prime number of places.
 */
export class Scatter {
  readonly #size: number;
  readonly #places: number;
  #at = 0;
  #step = 1;
  #left = 0;

  constructor(size: number) {
    this.#size = size;
    this.#places = primeFrom(size);
  }

  /** Begins with `first`; the unsigned hash decides on the rest. */
  begin(first: number, hash: number): void {
    this.#at = first;
    this.#step = 1 + (hash % (this.#places - 1));
    this.#left = this.#size;
  }

  /** -1 when there are no more. */
  next(): number {
    if (this.#left === 0) return -1;
    this.#left--;
    const here = this.#at;
    do {
      this.#at += this.#step;
      if (this.#at >= this.#places) this.#at -= this.#places;
    } while (this.#at >= this.#size);
    return here;
  }
}

export function isPrime(n: number): boolean {
  if (n < 4) return n > 1;
  if (n % 2 === 0) return false;
  for (let d = 3; d * d <= n; d += 2) if (n % d === 0) return false;
  return true;
}

/** The smallest prime that is no smaller. */
function primeFrom(n: number): number {
  let prime = Math.max(2, n);
  while (!isPrime(prime)) prime++;
  return prime;
}
