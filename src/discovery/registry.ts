import { checkEnv, type Env, inBackground, systemEnv } from '../base/env.ts';
import { bad, checkNumber, FairleadError } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Discovery } from './discovery.ts';
import { readSet } from './endpoints.ts';
import { Latest } from './latest.ts';

export interface RegistryOptions {
  /** A registration without a heartbeat for so many ms expires. Default: `Infinity`, never. */
  readonly ttl?: number | undefined;
  readonly env?: Env | undefined;
}

/** A registry inside the process: for tests, for demos, and for instances that announce themselves to you. */
export interface Registry {
  /**
   * Adds an endpoint to a service, or replaces the one with its id; the replaced one's handle is then void.
   *
   * @throws FairleadError BAD_ENDPOINTS, naming what is wrong with it; CLOSED
   */
  register(service: string, endpoint: Endpoint): Registration;
  /** Who is registered now, sorted by id. */
  endpoints(service: string): readonly Endpoint[];
  /** A source that follows a service, which need not be registered yet. */
  discovery(service: string): Discovery;
  /** Ends all sources, whose last sets stand, and leaves no timer behind. */
  close(): void;
}

/** One endpoint's entry. */
export interface Registration {
  /** Keeps it for another `ttl`. Answers whether it was still registered; if not, register again. */
  heartbeat(): boolean;
  /** Takes it out. May be called again. */
  deregister(): void;
}

interface Entry {
  readonly endpoint: Endpoint;
  expires: number;
}

/** @throws RangeError if `ttl` is not a number of at least 1 */
export function createRegistry(options: RegistryOptions = {}): Registry {
  const { ttl = Infinity, env = systemEnv } = checkOptions('createRegistry', options, { ttl: 1, env: 1 });
  checkNumber('registry ttl', ttl, 1);
  const { clock } = inBackground(checkEnv(env));
  const services = new Map<string, Map<string, Entry>>();
  const readers = new Map<string, Set<Latest<readonly Endpoint[]>>>();
  let closed = false;
  let cancel: (() => void) | undefined;

  const endpoints = (service: string): readonly Endpoint[] => {
    const entries = [...(services.get(service)?.values() ?? [])];
    return entries.map(({ endpoint }) => endpoint).sort((a, b) => (a.id < b.id ? -1 : 1));
  };
  const changed = (service: string): void => {
    const now = endpoints(service);
    for (const reader of readers.get(service) ?? []) reader.set(now);
  };

  /** One timer for the entry that is next to expire. It looks at the entries again, for heartbeats only move them. */
  const watch = (): void => {
    if (cancel !== undefined || closed || ttl === Infinity) return;
    let next = Infinity;
    for (const entries of services.values())
      for (const { expires } of entries.values()) next = Math.min(next, expires);
    if (next === Infinity) return;
    cancel = clock.after(Math.max(1, Math.ceil(next - clock.now())), () => {
      cancel = undefined;
      const now = clock.now();
      for (const [service, entries] of services) {
        let expired = false;
        for (const [id, { expires }] of entries) if (expires <= now) expired = entries.delete(id);
        if (expired) changed(service);
      }
      watch();
    });
  };

  return {
    register(service, given) {
      if (typeof service !== 'string' || service === '') throw bad('service', service, 'a name');
      if (closed) throw new FairleadError('CLOSED', 'the registry is closed');
      const [endpoint] = readSet([given], () => {}) as [Endpoint];
      let entries = services.get(service);
      if (entries === undefined) services.set(service, (entries = new Map()));
      const mine = entries;
      const entry: Entry = { endpoint: { ...endpoint }, expires: clock.now() + ttl };
      mine.set(endpoint.id, entry);
      changed(service);
      watch();
      const registered = (): boolean => mine.get(endpoint.id) === entry;
      return {
        heartbeat() {
          if (!registered() || closed) return false;
          entry.expires = clock.now() + ttl;
          return true;
        },
        deregister() {
          if (!registered() || closed) return;
          mine.delete(endpoint.id);
          changed(service);
        },
      };
    },
    endpoints,
    discovery: service =>
      async function* (_env, signal) {
        if (closed) return;
        const reader = new Latest<readonly Endpoint[]>();
        let all = readers.get(service);
        if (all === undefined) readers.set(service, (all = new Set()));
        all.add(reader);
        reader.set(endpoints(service));
        try {
          yield* reader.read(signal);
        } finally {
          all.delete(reader);
        }
      },
    close() {
      closed = true;
      cancel?.();
      for (const all of readers.values()) for (const reader of all) reader.end();
    },
  };
}
