import { FairleadError, shown } from '../base/errors.ts';
import type { Endpoint } from '../model/endpoint.ts';

/**
 * Reads what discovery gave: sorts it by id, leaves out what is unusable and says so. A set of which less than half
 * is usable is no set at all.
 *
 * @throws FairleadError BAD_ENDPOINTS, naming what is wrong, if nothing can be made of it
 */
export function readSet(given: unknown, report: (error: FairleadError) => void): readonly Endpoint[] {
  if (!Array.isArray(given)) throw unusable(`discovery gave ${shown(given)}, not an array`);
  const found = new Map<string, Endpoint>();
  const flaws: string[] = [];
  for (let i = 0; i < given.length; i++) {
    const endpoint: Endpoint = given[i] ?? {};
    const flaw = flawOf(endpoint) ?? (found.has(endpoint.id) ? 'repeats an id' : undefined);
    if (flaw === undefined) found.set(endpoint.id, endpoint);
    else flaws.push(`endpoint ${i} (id ${shown(endpoint.id)}) ${flaw}`);
  }
  if (flaws.length > 0) {
    const error = unusable(
      `${flaws.length} of ${given.length} endpoints are unusable: ${flaws.slice(0, MOST_NAMED).join('; ')}`,
    );
    if (flaws.length * 2 > given.length) throw error;
    report(error);
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A set may hold 100 000; a message need not. */
const MOST_NAMED = 5;

const unusable = (message: string): FairleadError => new FairleadError('BAD_ENDPOINTS', message);

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isWhole = (value: unknown, least: number): boolean =>
  Number.isInteger(value) && (value as number) >= least;

/** What each field must be; of those that may be absent, what stands for them then will do. */
const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  id: isText,
  // What would end the authority of a URL, and make another host of it, is no part of a host.
  host: host => isText(host) && !/[\s/?#@\\]/.test(host as string),
  port: port => isWhole(port, 1) && (port as number) < 65_536,
  weight: (weight = 1) => typeof weight === 'number' && weight >= 0 && weight < Infinity,
  zone: (zone = 'none') => isText(zone),
  priority: (priority = 0) => isWhole(priority, 0),
};

/** What is wrong with an endpoint, if anything. */
function flawOf(endpoint: Endpoint): string | undefined {
  const fields = endpoint as unknown as Record<string, unknown>;
  for (const name in FIELDS) if (!FIELDS[name]!(fields[name])) return `has ${name} ${shown(fields[name])}`;
  return undefined;
}

/** Whether two sets, both sorted by id, say the same. */
export const sameSet = (a: readonly Endpoint[], b: readonly Endpoint[]): boolean =>
  a.length === b.length && a.every((endpoint, i) => sameEndpoint(endpoint, b[i]!));

/** Whether two endpoints say the same, an absent weight or priority being the default. */
export const sameEndpoint = (a: Endpoint, b: Endpoint): boolean =>
  a === b ||
  (a.id === b.id &&
    a.host === b.host &&
    a.port === b.port &&
    (a.weight ?? 1) === (b.weight ?? 1) &&
    a.zone === b.zone &&
    (a.priority ?? 0) === (b.priority ?? 0) &&
    sameMetadata(a.metadata, b.metadata));

function sameMetadata(a: Endpoint['metadata'] = {}, b: Endpoint['metadata'] = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every(key => a[key] === b[key]);
}
