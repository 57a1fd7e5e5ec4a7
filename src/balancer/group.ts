import type { Member } from '../model/member.ts';
import type { Picker } from './balancer.ts';

/** Members that belong together, such as those of a zone, and a balancer's picker for them. */
export interface Group<Name> {
  readonly name: Name;
  readonly members: readonly Member[];
  readonly picker: Picker;
  readonly weight: number;
  /** The weight of the members that are well, as of the latest `look`. */
  well: number;
}
