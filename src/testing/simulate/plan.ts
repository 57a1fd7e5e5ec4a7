import { bad, checkFunction, checkNumber } from '../../base/errors.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { chance, Stream } from './chance.ts';
import { checkFaults } from './check-faults.ts';
import { exponential } from './distributions.ts';
import type {
  ClientPlace,
  Distribution,
  ServerSpec,
  SimulatedClient,
  SimulatedFault,
  SimulateOptions,
} from './types.ts';

/** A server as it is to be. */
export interface ServerPlan {
  readonly number: number;
  readonly concurrency: number;
  readonly service: Distribution;
  readonly queue: number;
  readonly zone: string | undefined;
  /** Its endpoint in its first life, 0, and in those after each deploy. */
  endpoint(generation: number): Endpoint;
}

/** The options, checked, each with its default. */
export interface Plan {
  readonly seed: number;
  readonly clients: number;
  readonly servers: readonly ServerPlan[];
  readonly client: (place: ClientPlace) => SimulatedClient;
  readonly duration: number;
  readonly warmup: number;
  /** Calls per ms, as time goes on. */
  readonly rate: (now: number) => number;
  /** In ms, there and back. */
  readonly network: (clientZone: string | undefined, serverZone: string | undefined) => number;
  readonly clientZones: readonly (string | undefined)[];
  readonly key: SimulateOptions['key'];
  readonly repeatable: boolean;
  readonly faults: readonly SimulatedFault[];
  readonly slot: number;
}

const MOST = 1000;
const MOST_SLOTS = 10_000;
const MOST_CALLS_PER_SECOND = 1e7;

/** @throws RangeError or TypeError that names the bad option */
export function planned(options: SimulateOptions): Plan {
  const { seed = 1, clients = 10, client, duration = 10_000, warmup = 0, network = 0.5 } = options;
  const { clientZones = [], key, repeatable = true, faults = [] } = options;
  const { slot = Math.max(1000, duration / MOST_SLOTS) } = options;
  checkNumber('seed', seed, 0, Number.MAX_SAFE_INTEGER, true);
  checkNumber('clients', clients, 1, MOST, true);
  checkFunction('client', client);
  checkNumber('duration', duration, 1, 1e9);
  checkNumber('warmup', warmup, 0, duration);
  if (warmup === duration) throw bad('warmup', warmup, 'less than duration', RangeError);
  if (key !== undefined) checkFunction('key', key);
  if (typeof repeatable !== 'boolean') throw bad('repeatable', repeatable, 'a boolean');
  checkNumber('slot', slot, duration / MOST_SLOTS);
  if (!Array.isArray(clientZones)) throw bad('clientZones', clientZones, 'an array');
  for (const zone of clientZones) if (typeof zone !== 'string') throw bad('a client zone', zone, 'a string');
  const servers = serverPlans(options);
  checkFaults(faults, servers);
  return {
    seed,
    clients,
    servers,
    client,
    duration,
    warmup,
    rate: rateOf(options, servers),
    network: networkOf(network),
    clientZones,
    key,
    repeatable,
    faults,
    slot,
  };
}

function serverPlans({ servers = 10, server = {} }: SimulateOptions): ServerPlan[] {
  if (typeof servers === 'number') checkNumber('servers', servers, 1, MOST, true);
  else if (!Array.isArray(servers)) throw bad('servers', servers, 'a number or an array');
  else checkNumber('servers length', servers.length, 1, MOST);
  const specs: readonly ServerSpec[] =
    typeof servers === 'number' ? new Array<ServerSpec>(servers).fill(server) : servers;
  const digits = String(specs.length - 1).length;
  return specs.map((spec, number) =>
    serverPlan(spec, number, `server-${String(number).padStart(digits, '0')}`),
  );
}

const usual = exponential(10);

function serverPlan(spec: ServerSpec, number: number, name: string): ServerPlan {
  if (typeof spec !== 'object' || spec === null) throw bad(`server ${number}`, spec, 'an object');
  const { concurrency = 4, service = usual, queue = Infinity, weight, zone, priority, metadata } = spec;
  checkNumber(`concurrency of server ${number}`, concurrency, 1, 10_000, true);
  checkNumber(`queue of server ${number}`, queue, 0);
  checkFunction(`service of server ${number}`, service);
  if (weight !== undefined) checkNumber(`weight of server ${number}`, weight, 0, Number.MAX_VALUE);
  if (priority !== undefined)
    checkNumber(`priority of server ${number}`, priority, 0, Number.MAX_SAFE_INTEGER, true);
  if (zone !== undefined && (typeof zone !== 'string' || zone === ''))
    throw bad(`zone of server ${number}`, zone, 'a name');
  const lives: Endpoint[] = [];
  const endpoint = (generation: number): Endpoint =>
    (lives[generation] ??= Object.freeze({
      id: generation === 0 ? name : `${name}.${generation}`,
      host: `10.0.${number >> 8}.${number & 255}`,
      port: 8000 + (generation % 50_000),
      ...(weight !== undefined && { weight }),
      ...(zone !== undefined && { zone }),
      ...(priority !== undefined && { priority }),
      ...(metadata !== undefined && { metadata }),
    }));
  return { number, concurrency, service, queue, zone, endpoint };
}

function rateOf({ rate, load, seed = 1 }: SimulateOptions, servers: readonly ServerPlan[]): Plan['rate'] {
  if (rate !== undefined && load !== undefined) throw bad('load', load, 'left out where rate is given');
  if (typeof rate === 'function') {
    return now => checkNumber(`rate at ${now} ms`, rate(now), 0, MOST_CALLS_PER_SECOND) / 1000;
  }
  if (rate !== undefined) {
    checkNumber('rate', rate, Number.MIN_VALUE, MOST_CALLS_PER_SECOND);
    return () => rate / 1000;
  }
  const share = checkNumber('load', load ?? 0.5, Number.MIN_VALUE, 100);
  const means = new Map<Distribution, number>();
  let capacity = 0;
  for (const { service, concurrency } of servers) {
    let mean = means.get(service);
    if (mean === undefined) means.set(service, (mean = meanOf(service, seed)));
    capacity += concurrency / mean;
  }
  const perMs = share * capacity;
  if (!(perMs * 1000 <= MOST_CALLS_PER_SECOND)) {
    throw bad('load', share, 'such that it makes no more than 1e7 calls a second; or give rate', RangeError);
  }
  return () => perMs;
}

const DRAWS = 100_000;

/** What the distribution says of itself, or else what it comes to in many draws. */
function meanOf(service: Distribution, seed: number): number {
  if (service.mean !== undefined) return checkNumber('service mean', service.mean, 0, Number.MAX_VALUE);
  const random = chance(seed).stream(Stream.mean);
  let sum = 0;
  for (let i = 0; i < DRAWS; i++) sum += service(random);
  return checkNumber('the mean of a service', sum / DRAWS, 0, Number.MAX_VALUE);
}

function networkOf(network: NonNullable<SimulateOptions['network']>): Plan['network'] {
  if (typeof network === 'function') {
    return (from, to) => checkNumber(`network from ${from} to ${to}`, network(from, to), 0, Number.MAX_VALUE);
  }
  checkNumber('network', network, 0, Number.MAX_VALUE);
  return () => network;
}
