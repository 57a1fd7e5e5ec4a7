import { bad } from '../base/errors.ts';
import { A, AAAA, type Found, type Lookup, type LookupOptions, lookup } from './dns-lookup.ts';
import type { AddressRecord } from './dns-records.ts';

/** Which addresses of a name to take: of one kind, of both, or IPv6 only where there is no IPv4. */
export type Family = 4 | 6 | 'both' | 'either';

type Report = (error: unknown) => void;

/** Looks up the addresses of a name: the answers that count, one for each kind of record. */
export type FindAddresses = (
  ...how: [...Parameters<Lookup<AddressRecord>>, Report]
) => Promise<readonly Found<AddressRecord>[]>;

/** @throws RangeError or TypeError that names the bad option */
export function findAddresses(name: string, family: Family, options: LookupOptions): FindAddresses {
  switch (family) {
    case 4:
      return only(lookup(A, name, options));
    case 6:
      return only(lookup(AAAA, name, options));
    case 'either':
      return either(lookup(A, name, options), lookup(AAAA, name, options));
    case 'both':
      return both(lookup(A, name, options), lookup(AAAA, name, options));
    default:
      throw bad('dns family', family, `4, 6, 'both' or 'either'`);
  }
}

const only =
  (find: Lookup<AddressRecord>): FindAddresses =>
  async (clock, signal) => [await find(clock, signal)];

const either =
  (four: Lookup<AddressRecord>, six: Lookup<AddressRecord>): FindAddresses =>
  async (clock, signal) => {
    const found = await four(clock, signal);
    return found.records.length > 0 ? [found] : [found, await six(clock, signal)];
  };

/** One kind that cannot be looked up keeps the records it had, as long as the other can. */
function both(...kinds: readonly Lookup<AddressRecord>[]): FindAddresses {
  // Outlasts a restart of the source, for it may be that both fail and one comes back before the other.
  const last: (Found<AddressRecord> | undefined)[] = [];
  return async (clock, signal, report) => {
    const answers = await Promise.allSettled(kinds.map(find => find(clock, signal)));
    const failures: unknown[] = [];
    for (const [i, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') last[i] = answer.value;
      else failures.push(answer.reason);
    }
    const known = last.filter(found => found !== undefined);
    const nothing = known.every(({ records }) => records.length === 0);
    if (failures.length === kinds.length || (failures.length > 0 && nothing)) throw failures[0];
    for (const failure of failures) report(failure);
    return known;
  };
}
