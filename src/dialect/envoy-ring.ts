import { checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import { bytesOf, writeNumber, written } from './bytes.ts';
import { Circle64, MOST_POINTS } from './circles.ts';
import { address, type Dialect, dialect, type NameOf, type Server } from './dialect.ts';
import { RingWalk } from './walk.ts';
import { xxh64 } from './xxh64.ts';

export interface EnvoyRingOptions {
  /** Envoy's `minimum_ring_size`, gRPC's `min_ring_size`. Default: 1024. */
  readonly minRingSize?: number | undefined;
  /** Envoy's `maximum_ring_size`, gRPC's `max_ring_size`. Default: 8 388 608, for gRPC 4096. */
  readonly maxRingSize?: number | undefined;
  /**
   * What is hashed for an endpoint: the address, or with Envoy's `use_hostname_for_hashing` the hostname, or the
   * metadata `envoy.lb.hash_key`. Default: `host:port`.
   */
  readonly name?: NameOf | undefined;
}

/**
 * Envoy's `RING_HASH` with its default hash (`ring_hash_lb.cc`): points are XXH64 of `address_0`, `address_1` and so
 * on, as many per member as its weight's share of the ring; a key's hash is XXH64 of it, as one hash policy of a
 * route makes it. While a call does not accept a member it goes to the owner of the next point, as with Envoy's
 * retry predicates.
 *
 * Like Envoy's, the ring depends on how many members there are: when one comes or goes, some keys of others move.
 *
 * @throws RangeError or TypeError for a bad option
 */
export const envoyRing = (options: EnvoyRingOptions = {}): Dialect =>
  ringHash('envoyRing', MOST_POINTS, options);

/**
 * gRPC's `ring_hash_experimental` (gRFC A42; grpc-go `balancer/ringhash/ring.go`): Envoy's ring, 4096 points at most
 * by default.
 *
 * @throws RangeError or TypeError for a bad option
 */
export const grpcRing = (options: EnvoyRingOptions = {}): Dialect => ringHash('grpcRing', 4096, options);

function ringHash(title: string, most: number, options: EnvoyRingOptions): Dialect {
  checkOptions(title, options, { minRingSize: 1, maxRingSize: 1, name: 1 });
  const { minRingSize = Math.min(1024, most), maxRingSize = most, name = address } = options;
  checkNumber(`${title} maxRingSize`, maxRingSize, 1, MOST_POINTS, true);
  checkNumber(`${title} minRingSize`, minRingSize, 1, maxRingSize, true);
  return dialect(title, name, servers => {
    const circle = ringOf(servers, minRingSize, maxRingSize);
    const hash = new Uint32Array(2);
    return new RingWalk(circle, servers.length, key => {
      const bytes = bytesOf(key);
      xxh64(bytes, written, 0, hash);
      return circle.find(hash[0]!, hash[1]!);
    });
  });
}

/** The ring's points. The sums are rounded as they are there, for they decide how many points a server gets. */
export function ringOf(servers: readonly Server[], least: number, most: number): Circle64 {
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  const smallest = servers.reduce((min, { weight }) => Math.min(min, weight / total), 1);
  const scale = Math.min(Math.ceil(smallest * least) / smallest, most);
  const hash = new Uint32Array(2);
  // The sums may be off by a rounding.
  const room = servers.length === 0 ? 0 : Math.ceil(scale) + 1;
  const high = new Uint32Array(room);
  const low = new Uint32Array(room);
  const owner = new Uint32Array(room);
  let count = 0;
  let target = 0;
  // In the order of names, as gRPC has it; in Envoy the order is that of its hosts.
  const order = servers.map((_, i) => i).sort((a, b) => (servers[a]!.name < servers[b]!.name ? -1 : 1));
  for (const i of order) {
    const { name, weight } = servers[i]!;
    target += scale * (weight / total);
    const bytes = bytesOf(`${name}_0123456789`);
    const prefix = written - 10;
    for (let n = 0; count < target && count < room; n++, count++) {
      xxh64(bytes, writeNumber(n, bytes, prefix), 0, hash);
      high[count] = hash[0]!;
      low[count] = hash[1]!;
      owner[count] = i;
    }
  }
  return new Circle64(high.subarray(0, count), low.subarray(0, count), owner.subarray(0, count));
}
