import { isIP } from 'node:net';
import type { Clock } from '../base/env.ts';
import { bad, checkNumber, FairleadError } from '../base/errors.ts';
import { checkOptions, type Names } from '../base/options.ts';
import { sleep } from '../base/signal.ts';
import { type Discovery, fixed } from '../discovery/discovery.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { type Family, findAddresses } from './dns-family.ts';
import { checkName, type DnsResolver, type Found, isUnknownName, lookup, SRV } from './dns-lookup.ts';
import { fromAddresses, fromSrv, shortestTtl } from './dns-records.ts';

export type { Family } from './dns-family.ts';
export type { DnsResolver } from './dns-lookup.ts';
export type { AddressRecord, SrvRecord } from './dns-records.ts';

export type DnsOptions = DnsAddressOptions | DnsSrvOptions;

interface DnsCommonOptions {
  /** How long a look-up may take, in ms, its tries at all name servers included. Default: 5000. */
  readonly timeout?: number | undefined;
  /** The name servers to ask, such as `10.0.0.53` or `127.0.0.1:8600`. Default: the system's. */
  readonly servers?: readonly string[] | undefined;
}

/** An endpoint per address of a name. */
export interface DnsAddressOptions extends DnsCommonOptions {
  /**
   * The full name: search domains and `/etc/hosts` are not looked at. An IP address is not looked up, and stands for
   * itself.
   */
  readonly host: string;
  /** The port of every endpoint. */
  readonly port: number;
  /**
   * Which addresses to take: `4`, `6`, `'both'` (an instance with one of each is then two endpoints), or `'either'`,
   * IPv6 only if there is no IPv4. Default: `'either'`, so that nobody is sent where the network has no route.
   */
  readonly family?: Family | undefined;
  /** The shortest time for which records count, in ms, even if their TTL is 0. Default: 1000. */
  readonly minInterval?: number | undefined;
  /** The longest, in ms, even if the TTL is a day: asking is cheap, missing a change is not. Default: 30 000. */
  readonly maxInterval?: number | undefined;
  /** Asks in place of Node's own. What it has under way when nobody waits any more, it must end itself. */
  readonly resolver?: Pick<DnsResolver, 'resolve4' | 'resolve6'> | undefined;
}

/** An endpoint per SRV record of a name. */
export interface DnsSrvOptions extends DnsCommonOptions {
  /** The full name, such as `_http._tcp.users.internal`. */
  readonly srv: string;
  /** The wait between two look-ups, in ms, for Node does not tell the TTL of SRV records. Default: 30 000. */
  readonly interval?: number | undefined;
  /** Asks in place of Node's own. What it has under way when nobody waits any more, it must end itself. */
  readonly resolver?: Pick<DnsResolver, 'resolveSrv'> | undefined;
}

/**
 * The instances that DNS names, looked up again and again: addresses when the shortest TTL among them is over, but
 * within `minInterval` and `maxInterval`; SRV records every `interval`. Each wait is up to a tenth longer than that, so
 * that no fleet marches in step; never shorter, for a cache would only say the same again.
 *
 * SRV: a record's target is the endpoint's host, so `Host` and TLS see the target's own name, and whatever connects
 * resolves it. `priority` is carried over for balancers that heed it. Weights are carried over in lowest terms (60 and
 * 10 are 6 and 1); if all are 0 they are equal, and a 0 beside others is a hundredth of the least share or less.
 *
 * A look-up that fails (SERVFAIL, refused, late) is reported and repeated, after a wait that grows; the last good set
 * stands. A name that does not exist (NXDOMAIN) or has no such records (NODATA) is an empty set, looked up again after
 * 5 s at most, so that `follow` has heard it several times before it believes it; the first time it is also reported,
 * as a `FairleadError` `DISCOVERY`. With `both`, a family may have no records, and one that cannot be looked up
 * is reported and keeps its last ones.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export function dns(options: DnsOptions): Discovery {
  const { host, srv } = Object(options) as { readonly host?: unknown; readonly srv?: unknown };
  if ((host === undefined) === (srv === undefined)) {
    throw bad('dns options', options, 'an object with `host` and `port`, or one with `srv`');
  }
  if (typeof host === 'string' && isIP(host) > 0) {
    const port = checkNumber('dns port', (options as DnsAddressOptions).port, 1, 65535, true);
    return fixed(fromAddresses([{ address: host, ttl: 0 }], port));
  }
  checkOptions<object>('dns', options, srv === undefined ? ADDRESS_OPTIONS : SRV_OPTIONS);
  const look =
    srv === undefined ? addresses(options as DnsAddressOptions) : services(options as DnsSrvOptions);
  return async function* ({ clock, random }, signal, report) {
    let absent = false;
    while (!signal.aborted) {
      const { endpoints, absence, interval } = await look(clock, signal, report);
      if (absence !== undefined && !absent) report(absence);
      absent = absence !== undefined;
      yield endpoints;
      await sleep(clock, interval * (1 + random() / 10), signal);
    }
  };
}

const ADDRESS_OPTIONS: Names<DnsAddressOptions> = {
  host: 1,
  port: 1,
  family: 1,
  minInterval: 1,
  maxInterval: 1,
  resolver: 1,
  timeout: 1,
  servers: 1,
};
const SRV_OPTIONS: Names<DnsSrvOptions> = { srv: 1, interval: 1, resolver: 1, timeout: 1, servers: 1 };

/** Well within the time for which `follow` doubts an empty set. */
const ABSENT_INTERVAL = 5000;

type Look = (clock: Clock, signal: AbortSignal, report: (error: unknown) => void) => Promise<Answer>;

interface Answer {
  readonly endpoints: readonly Endpoint[];
  /** Why there is no endpoint, if there is none. */
  readonly absence: FairleadError | undefined;
  /** When to look again, in ms. */
  readonly interval: number;
}

function services(options: DnsSrvOptions): Look {
  const { srv, interval = 30_000 } = options;
  checkName('dns srv', srv);
  checkNumber('dns interval', interval, 1);
  const find = lookup(SRV, srv, options);
  return async (clock, signal) => {
    const found = await find(clock, signal);
    const endpoints = fromSrv(found.records);
    if (endpoints.length > 0) return { endpoints, absence: undefined, interval };
    return {
      endpoints,
      absence: absence(srv, 'SRV', [found]),
      interval: Math.min(interval, ABSENT_INTERVAL),
    };
  };
}

function addresses(options: DnsAddressOptions): Look {
  const { host, port, family = 'either', minInterval = 1000 } = options;
  const { maxInterval = Math.max(30_000, minInterval) } = options;
  checkName('dns host', host);
  checkNumber('dns port', port, 1, 65535, true);
  checkNumber('dns minInterval', minInterval, 1);
  checkNumber('dns maxInterval', maxInterval, options.minInterval ?? 1);
  const find = findAddresses(host, family, options);
  return async (clock, signal, report) => {
    const found = await find(clock, signal, report);
    const records = found.flatMap(each => each.records);
    if (records.length === 0) {
      return {
        endpoints: [],
        absence: absence(host, typeof family === 'number' ? TYPES[family] : 'A or AAAA', found),
        interval: Math.min(maxInterval, ABSENT_INTERVAL),
      };
    }
    const interval = Math.min(maxInterval, Math.max(minInterval, shortestTtl(records) * 1000));
    return { endpoints: fromAddresses(records, port), absence: undefined, interval };
  };
}

const TYPES = { 4: 'A', 6: 'AAAA' };

/** Who has no records is told apart by why: a name that is wrong, or one with nobody behind it. */
function absence(name: string, type: string, found: readonly Found<unknown>[]): FairleadError {
  const message = isUnknownName(found)
    ? `the name ${name} does not exist (NXDOMAIN)`
    : `the name ${name} has no usable ${type} record (NODATA)`;
  return new FairleadError('DISCOVERY', message, { cause: found[0]?.absence });
}
