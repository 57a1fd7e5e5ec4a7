import { bad, checkFunction, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { Circle32 } from './circles.ts';
import { address, type Dialect, dialect, type Server } from './dialect.ts';
import { avalanched, type HaproxyHash, haproxyHash } from './haproxy-hash.ts';
import type { Walk } from './walk.ts';

export interface HaproxyRingOptions {
  /** The server's id there: what its line or `show servers state` says, else its place in the backend, from 1. */
  readonly id: (endpoint: Endpoint) => number;
  /** The hash function of `hash-type consistent`. Default: `sdbm`, as there. */
  readonly function?: HaproxyHash | undefined;
  /** The modifier `avalanche`. Default: false, as there. */
  readonly avalanche?: boolean | undefined;
}

/** Points for a unit of weight, and the largest weight there is. */
const SCALE = 16;
const HEAVIEST = 256;

/**
 * Where HAProxy places keys with `hash-type consistent` (`lb_chash.c` of 2.6): 16 points for each unit of weight, by
 * the server's id alone; a key goes to the nearest point on either side. While a call does not accept a member, its
 * points count for nothing, as those of a server that is down.
 *
 * @throws RangeError or TypeError for a bad option; of a set, for an id or a weight that HAProxy cannot have
 */
export function haproxyRing(options: HaproxyRingOptions): Dialect {
  checkOptions('haproxyRing', options, { id: 1, function: 1, avalanche: 1 });
  const { id, function: name = 'sdbm', avalanche = false } = options;
  checkFunction('haproxyRing id', id);
  const hash = haproxyHash('haproxyRing function', name, avalanche);
  return dialect('haproxyRing', address, servers => {
    const ids = new Set<number>();
    const circle = new Circle32(
      servers.map(server => {
        const number = id(server.endpoint);
        const of = JSON.stringify(server.endpoint.id);
        checkNumber(`haproxyRing id of ${of}`, number, 1, 2 ** 31 - 1, true);
        if (ids.has(number))
          throw bad(`haproxyRing id of ${of}`, number, 'another than that of others', RangeError);
        ids.add(number);
        return pointsOf(number, server);
      }),
    );
    return new NearestWalk(circle, servers.length, hash);
  });
}

function pointsOf(id: number, { weight, endpoint }: Server): Uint32Array {
  checkNumber(`haproxyRing weight of ${JSON.stringify(endpoint.id)}`, weight, 0, HEAVIEST);
  const first = Math.imul(id, HEAVIEST * SCALE);
  const points = new Uint32Array(Math.max(1, Math.round(SCALE * weight)));
  for (let i = 0; i < points.length; i++) points[i] = avalanched((first + i) | 0);
  return points;
}

/** Goes to both sides of a hash at once, always to the nearer point; of two as near, to the one before it. */
class NearestWalk implements Walk {
  readonly onward = 'next nearest on the ring';
  readonly #circle: Circle32;
  readonly #servers: number;
  readonly #hash: (key: string) => number;
  #place = 0;
  #before = 0;
  #after = 0;
  #left = 0;

  constructor(circle: Circle32, servers: number, hash: (key: string) => number) {
    this.#circle = circle;
    this.#servers = servers;
    this.#hash = hash;
  }

  start(key: string): void {
    this.#from(this.#hash(key));
  }

  startAt(chance: number): void {
    this.#from(Math.floor(chance * 2 ** 32) | 0);
  }

  next(): number {
    if (this.#left === 0) return -1;
    this.#left--;
    const { count } = this.#circle;
    const back = (this.#place - this.#circle.place(this.#before)) >>> 0;
    const forth = (this.#circle.place(this.#after) - this.#place) >>> 0;
    if (back <= forth) {
      const at = this.#before;
      this.#before = at === 0 ? count - 1 : at - 1;
      return this.#circle.owner(at);
    }
    const at = this.#after;
    this.#after = at + 1 === count ? 0 : at + 1;
    return this.#circle.owner(at);
  }

  /** Each point that is open has half of the way to the next on both sides. */
  shares(open: (server: number) => boolean): Float64Array {
    const shares = new Float64Array(this.#servers);
    const circle = this.#circle;
    let first = -1;
    let last = -1;
    for (let at = 0; at < circle.count; at++) {
      if (!open(circle.owner(at))) continue;
      if (first < 0) first = at;
      else halve(shares, circle, last, at, circle.place(at) - circle.place(last));
      last = at;
    }
    if (first >= 0) halve(shares, circle, last, first, circle.place(first) - circle.place(last) + 2 ** 32);
    return shares;
  }

  /** From a place in signed 32 bits, which are no object on the heap. */
  #from(place: number): void {
    this.#place = place;
    this.#after = this.#circle.find(place);
    this.#before = this.#after === 0 ? this.#circle.count - 1 : this.#after - 1;
    this.#left = this.#circle.count;
  }
}

function halve(shares: Float64Array, circle: Circle32, one: number, other: number, way: number): void {
  shares[circle.owner(one)]! += way / 2 ** 33;
  shares[circle.owner(other)]! += way / 2 ** 33;
}
