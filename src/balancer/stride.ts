import type { Random } from '../base/env.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Preference } from './balancer.ts';
import { type Phases, phases } from './phases.ts';

/** As far ahead as counts are exact. */
const FARTHEST = 2 ** 53;

/**
 * The scheduler of gRPC (A58, `static_stride_scheduler.cc`): goes round the members, adds at each look the member's
 * weight to its account, and picks it when that comes to the largest weight. The accounts are kept, and not worked out
 * modulo 65 535 from a count of looks: so nothing is rounded, and a weight that changes moves nobody's place.
 *
 * A pick takes largest / mean weight looks on average, and two passes over the set at most.
 */
export class Stride implements Phases {
  readonly members: readonly Member[];
  /** Not 0. Who changes them must call `weigh` then. */
  readonly weights: Float64Array;
  readonly values: Float64Array;
  /** The largest weight. */
  turn = 1;
  #next: number;

  constructor(members: readonly Member[], weights: Float64Array, random: Random, before?: Stride) {
    this.members = members;
    this.weights = weights;
    for (let i = 0, largest = 0; i < weights.length; i++)
      this.turn = largest = Math.max(largest, weights[i]!);
    this.values = phases(members, this.turn, random, before).values;
    this.#next = before === undefined ? Math.floor(random() * members.length) : before.#next % members.length;
  }

  /** Takes in weights that have changed. */
  weigh(): void {
    let largest = 0;
    for (let i = 0; i < this.weights.length; i++) largest = Math.max(largest, this.weights[i]!);
    const scale = largest / this.turn;
    if (scale !== 1) for (let i = 0; i < this.values.length; i++) this.values[i]! *= scale;
    this.turn = largest;
  }

  /** The next member that the call accepts. The turns of those it does not are nobody's, so the rest keep their ratios. */
  pick(call: Call, now: number): Member | undefined {
    const { members, weights, values, turn } = this;
    const size = members.length;
    let i = this.#next;
    for (let looks = 0; looks < size; looks++) {
      const at = i;
      i = i + 1 === size ? 0 : i + 1;
      const value = values[at]! + weights[at]!;
      if (value < turn) {
        values[at] = value;
        continue;
      }
      values[at] = value - turn;
      if (!call.accepts(members[at]!, now)) continue;
      this.#next = i;
      return members[at];
    }
    return this.#leap(call, now);
  }

  /** Where going on would take many rounds, for whoever is left is light: all of them at once. */
  #leap(call: Call, now: number): Member | undefined {
    const { members, weights, values, turn } = this;
    const size = members.length;
    const start = this.#next;
    let chosen = -1;
    let least = 0;
    for (let k = 0; k < size; k++) {
      const i = (start + k) % size;
      if (!call.accepts(members[i]!, now)) continue;
      const looks = this.#looks(i);
      if (chosen >= 0 && looks >= least) continue;
      chosen = i;
      least = looks;
    }
    if (chosen < 0) {
      // Nobody had a turn, so none is used up: else panic, which asks next, would always find the same members' turn.
      for (let i = 0; i < size; i++) {
        const value = values[i]! - weights[i]!;
        values[i] = value < 0 ? value + turn : value;
      }
      return undefined;
    }
    const last = (chosen - start + size) % size;
    for (let k = 0; k < size; k++) {
      const i = (start + k) % size;
      values[i] = (values[i]! + (k <= last ? least : least - 1) * weights[i]!) % turn;
    }
    this.#next = (chosen + 1) % size;
    return members[chosen];
  }

  /** After how many looks at it a member has its turn. */
  #looks(i: number): number {
    return Math.min(FARTHEST, Math.max(1, Math.ceil((this.turn - this.values[i]!) / this.weights[i]!)));
  }

  /** Those the call accepts, in the order of their turns, with their share by weight. */
  explain(call: Call, now: number, note?: (i: number) => string): readonly Preference[] {
    const { members, weights } = this;
    const all = members.flatMap((member, i) => (call.accepts(member, now) ? [i] : []));
    const total = all.reduce((sum, i) => sum + weights[i]! / this.turn, 0);
    const place = (i: number): number => (i - this.#next + members.length) % members.length;
    return all
      .sort((a, b) => this.#looks(a) - this.#looks(b) || place(a) - place(b))
      .map((i, order) => ({
        member: members[i]!,
        share: weights[i]! / this.turn / total,
        note: note?.(i) ?? (order === 0 ? 'its turn is next' : 'has its turn later'),
      }));
  }
}
