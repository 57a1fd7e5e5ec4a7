import type { HashFunction } from '../base/hash.ts';
import { checkOptions } from '../base/options.ts';
import { bytesOf, ofText, writeNumber, written } from './bytes.ts';
import { Circle32, checkTotal } from './circles.ts';
import { crc32, crcNext } from './crc32.ts';
import { address, type Dialect, dialect, type NameOf, type Server } from './dialect.ts';
import { type KeyHash, keyHash } from './key-hash.ts';
import { md5 } from './md5.ts';
import { RingWalk } from './walk.ts';

export interface MemcachedRingOptions {
  /** What a key is hashed by: by name, or a function. Default: see each. */
  readonly hash?: KeyHash | HashFunction | undefined;
  /** What is hashed for an endpoint. Default: `host:port`, and of port 11211 the host alone, as they have it. */
  readonly name?: NameOf | undefined;
}

export interface LibmemcachedRingOptions extends MemcachedRingOptions {
  /**
   * `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED`, the one that other clients call ketama; without it
   * `MEMCACHED_BEHAVIOR_KETAMA`, which heeds no weights. Default: true.
   */
  readonly weighted?: boolean | undefined;
}

/** The port that memcached clients leave out. */
const MEMCACHED = 11_211;
const memcachedName: NameOf = endpoint => (endpoint.port === MEMCACHED ? endpoint.host : address(endpoint));

/**
 * Where libmemcached places keys (`src/libmemcached/hosts.cc` of 1.1.4), and with it pylibmc and PHP's memcached with
 * `OPT_LIBKETAMA_COMPATIBLE`. Its keys are hashed by `md5`, unweighted by `one_at_a_time`. A call that does not accept
 * the owner goes to that of the next point, which is where the key lives once libmemcached has ejected the owner, as
 * long as weights are equal.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function libmemcachedRing(options: LibmemcachedRingOptions = {}): Dialect {
  checkOptions<LibmemcachedRingOptions>('libmemcachedRing', options, { weighted: 1, hash: 1, name: 1 });
  const { weighted = true, hash = weighted ? 'md5' : 'one_at_a_time', name = memcachedName } = options;
  const hashed = keyHash('libmemcachedRing hash', hash);
  return memcachedRing('libmemcachedRing', name, hashed, servers =>
    weighted ? weightedPoints(servers) : servers.map(({ name }) => plainPoints(name, hashed)),
  );
}

/**
 * Where twemproxy (nutcracker) places keys with `distribution: ketama` (`src/hashkit/nc_ketama.c` of 0.5.0). A key is
 * hashed by `fnv1a_64` unless configured otherwise; of keys with a hash tag, give the tag as the key. Where a server
 * has a name of its own in the configuration, `name` must answer that.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function twemproxyRing(options: MemcachedRingOptions = {}): Dialect {
  const { hash = 'fnv1a_64', name = memcachedName } = checkOptions('twemproxyRing', options, {
    hash: 1,
    name: 1,
  });
  return memcachedRing('twemproxyRing', name, keyHash('twemproxyRing hash', hash), weightedPoints);
}

function memcachedRing(
  title: string,
  name: NameOf,
  hash: HashFunction,
  pointsOf: (servers: readonly Server[]) => Uint32Array[],
): Dialect {
  return dialect(title, name, servers => {
    const circle = new Circle32(pointsOf(servers));
    return new RingWalk(circle, servers.length, key => circle.find(hash(key) >>> 0));
  });
}

const PLAIN = 100;
const WEIGHTED = 160;

function plainPoints(name: string, hash: HashFunction): Uint32Array {
  return Uint32Array.from({ length: PLAIN }, (_, i) => hash(`${name}-${i}`));
}

/** Four points of each MD5. How many depends on the sum of the weights, and on the rounding of C's `float`. */
function weightedPoints(servers: readonly Server[]): Uint32Array[] {
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  const single = Math.fround;
  const digest = new Uint32Array(4);
  return servers.map(({ name, weight }) => {
    const share = single(single(weight) / single(total));
    const hashes = Math.floor(
      single(single(single(single(share * WEIGHTED) / 4) * servers.length) + single(1e-10)),
    );
    const points = new Uint32Array(4 * hashes);
    const bytes = bytesOf(`${name}-0123456789`);
    const prefix = written - 10;
    for (let i = 0; i < hashes; i++) {
      md5(bytes, writeNumber(i, bytes, prefix), digest);
      points.set(digest, 4 * i);
    }
    return points;
  });
}

/** nginx looks at a point and 20 more. */
const TRIES = 21;

export interface NginxRingOptions {
  /** What the configuration calls the server: with its port, or without if it has none there. Default: `host:port`. */
  readonly name?: NameOf | undefined;
}

/**
 * Where nginx places keys with `hash ... consistent` (`ngx_http_upstream_hash_module.c` of 1.22): 160 points for each
 * unit of weight, a chain of CRC-32s. While a call does not accept the owner, 20 more points are looked at, and then
 * it is round robin's turn, as there. A key of no letters goes to round robin, too.
 *
 * @throws TypeError for a bad option
 */
export function nginxRing(options: NginxRingOptions = {}): Dialect {
  const { name = address } = checkOptions('nginxRing', options, { name: 1 });
  const hash = ofText(crc32);
  return dialect('nginxRing', name, servers => {
    checkTotal(servers.reduce((sum, { weight }) => sum + pointsFor(weight), 0));
    const circle = new Circle32(servers.map(chainedPoints));
    return new RingWalk(circle, servers.length, key => (key === '' ? -1 : circle.find(hash(key))), TRIES);
  });
}

const pointsFor = (weight: number): number => Math.max(1, Math.round(WEIGHTED * weight));

const SOCKET = /^unix:(.*)$/is;
const HOST_AND_PORT = /^(.*?)(?::(\d*))?$/s;

function chainedPoints({ name, weight }: Server): Uint32Array {
  const [, host, port = ''] = SOCKET.exec(name) ?? HOST_AND_PORT.exec(name)!;
  const bytes = bytesOf(`${host}\0${port}`);
  let base = -1;
  for (let i = 0; i < written; i++) base = crcNext(base, bytes[i]!);
  const points = new Uint32Array(pointsFor(weight));
  for (let i = 0, last = 0; i < points.length; i++) {
    let state = base;
    for (let shift = 0; shift < 32; shift += 8) state = crcNext(state, last >>> shift);
    points[i] = last = ~state;
  }
  return points;
}
