import { FairleadError } from '../base/errors.ts';
import type { Endpoint } from '../model/endpoint.ts';

/**
 * Reads what discovery gave: sorts it by id, leaves out what is unusable and says so. A set of which less than half
 * is usable is no set at all.
 *
 * @throws FairleadError BAD_ENDPOINTS, naming what is wrong, if nothing can be made of it
 */
export function readSet(
  given: unknown,
  report: (error: FairleadError) => void,
): readonly Endpoint[] {
  if (!Array.isArray(given)) throw unusable(`discovery gave ${kind(given)} instead of an array of endpoints`);
  const found = new Map<string, Endpoint>();
  const problems: string[] = [];
  for (let i = 0; i < given.length; i++) {
    const endpoint: Endpoint = given[i];
    const problem = flaw(endpoint) ?? (found.has(endpoint.id) ? 'has the id of another before it' : undefined);
    if (problem === undefined) found.set(endpoint.id, endpoint);
    else if (problems.push(`endpoint ${i} (${name(endpoint)}) ${problem}`) > MOST_PROBLEMS) problems.pop();
  }
  if (problems.length > 0) {
    const lost = given.length - found.size;
    const error = unusable(`${lost} of ${given.length} endpoints unusable: ${problems.join('; ')}`);
    if (lost * 2 > given.length) throw error;
    report(error);
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** How many a message names: a set may hold 100 000. */
const MOST_PROBLEMS = 5;

const unusable = (message: string): FairleadError => new FairleadError('BAD_ENDPOINTS', message);

const kind = (value: unknown): string => (value === null ? 'null' : typeof value === 'object' ? 'an object' : String(value));

function name(endpoint: unknown): string {
  const id: unknown = (endpoint as Endpoint | undefined | null)?.id;
  return typeof id === 'string' ? JSON.stringify(id.slice(0, 80)) : `id ${kind(id)}`;
}

/** What is wrong with an endpoint, if anything. */
function flaw(endpoint: Endpoint): string | undefined {
  if (typeof endpoint !== 'object' || endpoint === null) return 'is not an object';
  const { id, host, port, weight, zone, priority } = endpoint;
  if (typeof id !== 'string' || id === '') return 'has no id';
  if (typeof host !== 'string' || host === '') return 'has no host';
  if (!(Number.isInteger(port) && port > 0 && port < 65536)) return `has port ${String(port)}, not 1 to 65535`;
  if (weight !== undefined && !(typeof weight === 'number' && weight >= 0 && weight < Infinity)) {
    return `has weight ${String(weight)}, not a finite number of at least 0`;
  }
  if (zone !== undefined && typeof zone !== 'string') return 'has a zone that is not a string';
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0)) {
    return `has priority ${String(priority)}, not a whole number of at least 0`;
  }
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
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && a[key] === b[key]);
}
