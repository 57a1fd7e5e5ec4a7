import { checkOptions } from '../base/options.ts';
import type { Balancer } from './balancer.ts';
import { type BoundedLoadOptions, checkBoundedLoad } from './bounded-load.ts';
import { keyedBalancer } from './keyed.ts';
import {
  checkMaglev,
  MaglevLine,
  type MaglevOptions,
  maglevTable,
  type Table,
  tableShares,
} from './maglev-table.ts';

export interface MaglevBalancerOptions extends MaglevOptions, BoundedLoadOptions {}

/**
 * Maglev hashing: shares that are equal to within a slot or two of the table, look-ups that read it once, and, when a
 * member comes or goes, about half a percent of the others' keys moved beside its own. The whole table is made anew
 * then, which takes some milliseconds. A call that does not accept its key's owner, or finds it full, goes to other
 * slots of the key's own; after 64 of them, to whoever is left.
 *
 * @throws RangeError or TypeError for a bad option, such as a `size` that is not prime
 */
export function maglev(options: MaglevBalancerOptions = {}): Balancer {
  checkOptions('maglev', options, { size: 1, hash: 1, boundedLoad: 1 });
  const { size, hash } = checkMaglev(options);
  let ids: readonly string[] = [];
  let weights: readonly number[] = [];
  let table: Table | undefined;
  return keyedBalancer(
    members => {
      const newIds = members.map(({ endpoint }) => endpoint.id);
      const newWeights = members.map(({ weight }) => weight);
      if (table === undefined || !same(ids, newIds) || !same(weights, newWeights)) {
        table = maglevTable(newIds, newWeights, size, hash);
        ids = newIds;
        weights = newWeights;
      }
      const slots = table;
      return {
        line: new MaglevLine(slots, ids.length),
        hash,
        shares: () => tableShares(slots, members.length),
        standIn: 'another slot of the key',
      };
    },
    checkBoundedLoad('maglev', options.boundedLoad),
  );
}

const same = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);
