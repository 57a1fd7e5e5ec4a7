import { Resolver } from 'node:dns/promises';
import type { Clock } from '../base/env.ts';
import { bad, checkFunction, checkNumber, FairleadError } from '../base/errors.ts';
import { within } from '../base/signal.ts';
import type { AddressRecord, SrvRecord } from './dns-records.ts';

/** What asks the name servers: a `Resolver` of `node:dns/promises`, or anything that has these methods of it. */
export interface DnsResolver {
  resolve4(name: string, options: { ttl: true }): PromiseLike<readonly AddressRecord[]>;
  resolve6(name: string, options: { ttl: true }): PromiseLike<readonly AddressRecord[]>;
  resolveSrv(name: string): PromiseLike<readonly SrvRecord[]>;
}

export interface LookupOptions {
  readonly timeout?: number | undefined;
  readonly servers?: readonly string[] | undefined;
  readonly resolver?: Partial<DnsResolver> | undefined;
}

/** What the name servers say of a name: its records, or that it has none, by the resolver's error. */
export interface Found<R> {
  readonly records: readonly R[];
  readonly absence?: unknown;
}

export type Lookup<R> = (clock: Clock, signal: AbortSignal) => Promise<Found<R>>;

/** One kind of record, and how to ask for it. */
export interface Question<R> {
  readonly type: string;
  readonly method: keyof DnsResolver;
  ask(resolver: DnsResolver, name: string): PromiseLike<readonly R[]>;
}

export const A: Question<AddressRecord> = {
  type: 'A',
  method: 'resolve4',
  ask: (resolver, name) => resolver.resolve4(name, { ttl: true }),
};
export const AAAA: Question<AddressRecord> = {
  type: 'AAAA',
  method: 'resolve6',
  ask: (resolver, name) => resolver.resolve6(name, { ttl: true }),
};
export const SRV: Question<SrvRecord> = {
  type: 'SRV',
  method: 'resolveSrv',
  ask: (resolver, name) => resolver.resolveSrv(name),
};

/**
 * A look-up that is bounded in time and leaves nothing under way. It throws whatever says neither what the records
 * are nor that there are none.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export function lookup<R>(
  { type, method, ask }: Question<R>,
  name: string,
  { timeout = 5000, servers, resolver }: LookupOptions,
): Lookup<R> {
  checkNumber('dns timeout', timeout, 1);
  if (resolver !== undefined) {
    checkFunction(`dns resolver ${method}`, resolver?.[method]);
    if (servers !== undefined) throw bad('dns servers', servers, 'absent where there is a resolver');
  }
  const make = (): Resolver => {
    // At least two tries fit into the time, for the wait for an answer doubles with each.
    const made = new Resolver({ timeout: Math.ceil(Math.min(1000, timeout / 3)), tries: 3 });
    if (servers !== undefined) made.setServers(servers);
    return made;
  };
  if (servers !== undefined) checkServers(servers, make);

  const late = (): FairleadError =>
    new FairleadError('DISCOVERY', `no name server told the ${type} records of ${name} within ${timeout} ms`);
  return async (clock, signal) => {
    try {
      const records = await within(clock, timeout, signal, late, inner => {
        if (resolver !== undefined) return ask(resolver as DnsResolver, name);
        // One for each look-up, so that cancelling ends no other, and /etc/resolv.conf is read anew.
        const own = make();
        inner.addEventListener('abort', () => own.cancel(), { once: true });
        return ask(own, name);
      });
      if (!Array.isArray(records)) throw bad(`the resolver's answer to ${method}`, records, 'an array');
      return { records };
    } catch (error) {
      if (saysNone(error)) return { records: [], absence: error };
      throw error;
    }
  };
}

/** Whether every look-up was told that there is no such name. */
export const isUnknownName = (found: readonly Found<unknown>[]): boolean =>
  found.every(({ absence }) => codeOf(absence) === NXDOMAIN);

/** What Node makes of the answers NXDOMAIN, no such name, and NODATA, no record of this type. */
const NXDOMAIN = 'ENOTFOUND';
const NODATA = 'ENODATA';

const saysNone = (error: unknown): boolean => codeOf(error) === NXDOMAIN || codeOf(error) === NODATA;

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null | undefined)?.code;

function checkServers(servers: readonly string[], make: () => Resolver): void {
  const fault = bad(
    'dns servers',
    servers,
    'IP addresses, with a port or without: "10.0.0.53", "[::1]:5353"',
  );
  if (!Array.isArray(servers) || servers.length === 0) throw fault;
  try {
    make();
  } catch {
    throw fault;
  }
}

/** @throws TypeError for what is not a host name */
export function checkName(option: string, name: unknown): void {
  if (
    typeof name !== 'string' ||
    name.length > 254 ||
    !/^[^\s./:@]{1,63}(\.[^\s./:@]{1,63})*\.?$/.test(name)
  ) {
    throw bad(option, name, 'a name such as "users.internal", without scheme or port');
  }
}
