import type { Endpoint } from '../model/endpoint.ts';

/** An A or AAAA record. */
export interface AddressRecord {
  readonly address: string;
  /** In seconds. */
  readonly ttl: number;
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** An address as an endpoint. An IPv6 address has brackets in its id, and none as `host`, as sockets want it. */
export const endpointAt = (address: string, port: number): Endpoint => ({
  id: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
  host: address,
  port,
});

/** An endpoint per address, however often it is named. */
export function fromAddresses(records: readonly AddressRecord[], port: number): readonly Endpoint[] {
  return [...new Set(records.map(({ address }) => address))].map(address => endpointAt(address, port));
}

/** For how many seconds all of the records hold. */
export const shortestTtl = (records: readonly AddressRecord[]): number =>
  records.reduce((least, { ttl }) => Math.min(least, ttl >= 0 ? ttl : 0), Infinity);

/**
 * An endpoint per target and port; of several records for one, the best counts: lowest priority, then most weight.
 *
 * Weights are in lowest terms: 60 and 10 become 6 and 1, for only their ratio means anything. CoreDNS gives each of n
 * instances the weight 100 / n, and one that comes must not move the others on a ring.
 */
export function fromSrv(records: readonly SrvRecord[]): readonly Endpoint[] {
  const best = new Map<string, { readonly host: string; readonly record: SrvRecord }>();
  for (const record of records) {
    // Names are equal whatever their case, and servers do not always keep it.
    const host = record.name.replace(/\.$/, '').toLowerCase();
    if (host === '') continue; // RFC 2782: a target "." says that the service is decidedly not available
    const id = `${host}:${record.port}`;
    const other = best.get(id);
    if (other === undefined || isBetter(record, other.record)) best.set(id, { host, record });
  }
  const weighted = [...best.values()].map(({ record }) => record).filter(({ weight }) => weight > 0);
  const unit = weighted.reduce((divisor, { weight }) => commonDivisor(divisor, weight), 0);
  const weightedPriorities = new Set(weighted.map(({ priority }) => priority));
  return [...best].map(
    ([
      id,
      {
        host,
        record: { port, priority, weight },
      },
    ]) => ({
      id,
      host,
      port,
      priority,
      weight: weight > 0 ? weight / unit : weightedPriorities.has(priority) ? ZERO_BESIDE_OTHERS : 1,
    }),
  );
}

/** RFC 2782: weight 0 beside others has "a very small chance of being selected". It does not drain. */
const ZERO_BESIDE_OTHERS = 0.01;

const isBetter = (a: SrvRecord, b: SrvRecord): boolean =>
  a.priority === b.priority ? a.weight > b.weight : a.priority < b.priority;

const commonDivisor = (a: number, b: number): number => (b > 0 ? commonDivisor(b, a % b) : a);
