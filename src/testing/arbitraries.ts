import type { Endpoint } from '../model/endpoint.ts';
import type { Arbitrary, FastCheck, Size } from './fast-check.ts';

const size = 'max' as const;

/** A key or id of any kind: plain, non-ASCII, with lone surrogates, long, and, for keys, empty. */
function text(fc: FastCheck, least: number): Arbitrary<string> {
  // The bounds are those of one to four bytes in UTF-8; among three bytes are the lone surrogates.
  const kinds = [0x7f, 0x7f, 0x7ff, 0xffff, 0x10ffff].flatMap(max => {
    const letters = fc.integer({ min: 0x20, max });
    const short = fc.array(letters, { minLength: least, maxLength: 12, size }).map(spelt);
    // Hundreds of letters that are each drawn would be most of what a law takes.
    const long = fc
      .tuple(fc.array(letters, { minLength: 8, maxLength: 24, size }), fc.integer({ min: 80, max: 300 }))
      .map(([codes, length]) => spelt(codes).repeat(38).slice(0, length));
    return [short, short, short, long];
  });
  return fc.oneof(...kinds);
}

const spelt = (codes: readonly number[]): string => String.fromCodePoint(...codes);

const distinct = <T>(value: T): T => value;
const most = (usual: number, least: number): number => Math.max(usual, least);

/**
 * Distinct keys: plain, empty, non-ASCII, with lone surrogates, and up to 300 characters. Default: 1 to 50 of
 * them.
 */
export function keys(
  fc: FastCheck,
  { minLength = 1, maxLength = most(50, minLength) }: Size = {},
): Arbitrary<string[]> {
  return fc.uniqueArray(text(fc, 0), { minLength, maxLength, size, selector: distinct });
}

/** Distinct ids: of every kind that keys are of, but never empty. Default: 1 to 12 of them. */
export function ids(
  fc: FastCheck,
  { minLength = 1, maxLength = most(12, minLength) }: Size = {},
): Arbitrary<string[]> {
  return fc.uniqueArray(text(fc, 1), { minLength, maxLength, size, selector: distinct });
}

export interface EndpointsOptions extends Size {
  /** Whether weights may be 0, which drains an endpoint; never all of them at once. Default: false. */
  readonly drained?: boolean | undefined;
}

/** A valid endpoint: with and without weight, zone, priority and metadata. */
export function endpoint(fc: FastCheck): Arbitrary<Endpoint> {
  return endpointAt(fc, text(fc, 1));
}

/**
 * A valid set of endpoints, in any order: distinct ids, all sorts of weights and zones. Default: 1 to 12 of
 * them.
 */
export function endpoints(
  fc: FastCheck,
  { minLength = 1, maxLength = most(12, minLength), drained = false }: EndpointsOptions = {},
): Arbitrary<Endpoint[]> {
  const set = fc.uniqueArray(endpointAt(fc, text(fc, 1)), {
    minLength,
    maxLength,
    size,
    selector: ({ id }) => id,
  });
  if (!drained) return set;
  return fc
    .tuple(set, fc.array(fc.boolean(), { minLength: maxLength, maxLength, size }))
    .map(([all, drain]) =>
      // The first is left as it is: a set of nothing but drained endpoints is another matter.
      all.map((each, i) => (i > 0 && drain[i] ? { ...each, weight: 0 } : each)),
    );
}

const WEIGHTS = [undefined, 1, 2, 3, 5, 10, 0.5, 0.1, 1.25];

function endpointAt(fc: FastCheck, id: Arbitrary<string>): Arbitrary<Endpoint> {
  return fc
    .tuple(
      id,
      fc.integer({ min: 1, max: 65535 }),
      fc.constantFrom(...WEIGHTS),
      fc.constantFrom(undefined, 'zone-a', 'zone-b', 'zone-c'),
      fc.constantFrom(undefined, 0, 1),
      fc.constantFrom(undefined, { version: '1' }, { version: '2' }),
    )
    .map(([name, port, weight, zone, priority, metadata]) => ({
      id: name,
      host: `10.${(port >> 8) & 255}.${port & 255}.1`,
      port,
      ...(weight !== undefined && { weight }),
      ...(zone !== undefined && { zone }),
      ...(priority !== undefined && { priority }),
      ...(metadata !== undefined && { metadata }),
    }));
}

/** One change of a set, and what the set is after it. */
export interface MembershipChange {
  /** Reweighed: perhaps to what it was. */
  readonly kind: 'added' | 'removed' | 'reweighed';
  /** As it is now; if it was removed, as it was. */
  readonly endpoint: Endpoint;
  /** The full set after the change, as discovery would give it. */
  readonly endpoints: readonly Endpoint[];
}

export interface MembershipOptions extends Size {
  /** What the set is before the first change. Default: empty. */
  readonly start?: readonly Endpoint[] | undefined;
  /** How many other endpoints may come and go. Default: 8. */
  readonly others?: number | undefined;
}

/**
 * A sequence of changes of a set: endpoints come, go, come back, and change their weight. Default: 1 to 20.
 */
export function membershipChanges(
  fc: FastCheck,
  { start = [], others = 8, minLength = 1, maxLength = most(20, minLength) }: MembershipOptions = {},
): Arbitrary<MembershipChange[]> {
  const newcomers = endpoints(fc, { minLength: others, maxLength: others });
  const steps = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: others + start.length - 1 }),
      fc.boolean(),
      fc.constantFrom(...WEIGHTS.slice(1)),
    ),
    { minLength, maxLength, size },
  );
  return fc.tuple(newcomers, steps).map(([all, script]) => {
    const known = new Set(start.map(({ id }) => id));
    const cast = [...start, ...all.filter(({ id }) => !known.has(id))];
    const present = new Map(start.map(each => [each.id, each]));
    return script.map(([who, leaves, weight]): MembershipChange => {
      let endpoint = cast[who % cast.length]!;
      const now = present.get(endpoint.id);
      let kind: MembershipChange['kind'] = 'added';
      if (now === undefined) present.set(endpoint.id, endpoint);
      else if (leaves) {
        kind = 'removed';
        endpoint = now;
        present.delete(endpoint.id);
      } else {
        kind = 'reweighed';
        endpoint = { ...now, weight: weight! };
        present.set(endpoint.id, endpoint);
      }
      return { kind, endpoint, endpoints: [...present.values()] };
    });
  });
}
