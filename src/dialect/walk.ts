/** One dialect's answer for one set of servers, which it numbers: who is asked for a key, one after another. */
export interface Walk {
  /** Sets out at the place of a key. */
  start(key: string): void;
  /** Sets out at a place drawn by chance, given as a number in [0, 1). */
  startAt(chance: number): void;
  /** The number of the next server to ask; -1 once the dialect gives up. A server may come up again. */
  next(): number;
  /** The share of all hashes that each server gets, 0 to 1, if only those that are `open` can be chosen. */
  shares(open: (server: number) => boolean): Float64Array;
  /** How the walk goes on once a server was refused, in a few words. */
  readonly onward: string;
}

/** Points on a circle, sorted, each owned by a server. */
export interface Circle {
  readonly count: number;
  owner(at: number): number;
  /** The share of the circle between the point before and this one. */
  gap(at: number): number;
}

/** A ring: a hash belongs to the first point at or after it, and the walk goes from point to point. */
export class RingWalk implements Walk {
  readonly onward = 'next round the ring';
  readonly #circle: Circle;
  readonly #servers: number;
  readonly #find: (key: string) => number;
  readonly #most: number;
  #at = 0;
  #left = 0;

  /** `find` answers the position of a key's point, or -1 for a key that has no place; at most `most` points are looked at. */
  constructor(circle: Circle, servers: number, find: (key: string) => number, most: number = circle.count) {
    this.#circle = circle;
    this.#servers = servers;
    this.#find = find;
    this.#most = Math.min(most, circle.count);
  }

  start(key: string): void {
    this.#at = this.#find(key);
    this.#left = this.#at < 0 ? 0 : this.#most;
  }

  /** At a point, each as likely: it asks for no more evenness than the ring has. */
  startAt(chance: number): void {
    this.#at = Math.floor(chance * this.#circle.count);
    this.#left = this.#most;
  }

  next(): number {
    if (this.#left === 0) return -1;
    this.#left--;
    const at = this.#at;
    this.#at = at + 1 === this.#circle.count ? 0 : at + 1;
    return this.#circle.owner(at);
  }

  shares(open: (server: number) => boolean): Float64Array {
    const { count } = this.#circle;
    const shares = new Float64Array(this.#servers);
    let heir = -1;
    for (let at = 0; at < count && heir < 0; at++)
      if (open(this.#circle.owner(at))) heir = this.#circle.owner(at);
    for (let at = count - 1; at >= 0 && heir >= 0; at--) {
      if (open(this.#circle.owner(at))) heir = this.#circle.owner(at);
      shares[heir]! += this.#circle.gap(at);
    }
    return shares;
  }
}
