import { bad } from '../base/errors.ts';
import { type Call, PANIC } from '../model/call.ts';
import type { Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';
import type { Line } from './line.ts';
import { sharesOf } from './placement.ts';

export interface BoundedLoadOptions {
  /**
   * How many times its share of the calls in flight a member may have, more than 1, such as 1.25; a key whose members
   * have that many goes on to another. Default: no bound.
   */
  readonly boundedLoad?: number | undefined;
}

/** @throws RangeError or TypeError unless it is a number above 1, or left out */
export function checkBoundedLoad(kind: string, factor: number | undefined): number | undefined {
  if (factor === undefined || (typeof factor === 'number' && factor > 1 && factor < Infinity)) return factor;
  const Kind = typeof factor === 'number' ? RangeError : TypeError;
  throw bad(`${kind} boundedLoad`, factor, 'a finite number above 1', Kind);
}

/** Counts a member's attempts, for itself and for the bounds it comes under. */
export class CountedLoad implements Load {
  count = 0;
  bounds: Bounds | undefined;

  begin(): void {
    this.count++;
    if (this.bounds !== undefined) this.bounds.total++;
  }

  end(): void {
    this.count--;
    if (this.bounds !== undefined) this.bounds.total--;
  }

  cost(): number {
    return this.count + 1;
  }
}

/** More than any number of calls; less, and V8 would allocate it. */
const MOST = 0x7fffffff;

/**
 * Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, SODA 2018, arXiv 1608.01350): with m calls
 * in flight, factor × (m + 1), rounded up, are allowed in all, the new one included; each member may have its weight's
 * share of them. What is left of whole numbers is spread in proportion, and nobody may have less than 1, as in HAProxy
 * (`lb_chash.c`). A call goes to the first in its key's line that has not as many.
 *
 * Members whose breaker is heeded and not closed count for nothing and may have 1: else the healthy would be full
 * before they had all the calls. Where those a call accepts are all full (it is a retry; a balancer round this one
 * filters), the bound is reckoned anew over those alone: then one of them is under it, always. The same in panic.
 *
 * O(1) beside the walk, but for that last case, which is O(n), and the first pick after a breaker moved.
 */
export class Bounds {
  /** Attempts at the members that count. Kept by their loads. */
  total = 0;
  /** Whether all their loads tell it: not if they are another balancer's, or have newer bounds. */
  #told = true;
  readonly #members: readonly Member[];
  readonly #factor: number;
  readonly #shares: Float64Array;
  /** Weights, but so that their sum times a number of calls is finite. */
  readonly #weights: Float64Array;
  /** Where each member's part of all that are allowed begins, and, behind it, ends: the sum of weights so far. */
  readonly #edges: Float64Array;
  #moves = Number.NaN;
  #allowed = 0;
  /** The number of the pick that last found a member acceptable. */
  readonly #accepted: Float64Array;
  #pick = 0;

  constructor(members: readonly Member[], factor: number) {
    this.#members = members;
    this.#factor = factor;
    const weights = members.map(({ weight }) => weight);
    this.#shares = sharesOf(weights);
    const finite = weights.reduce((sum, weight) => sum + weight, 0) < 1e250;
    this.#weights = finite ? Float64Array.from(weights) : this.#shares;
    this.#edges = new Float64Array(members.length + 1);
    this.#accepted = new Float64Array(members.length);
  }

  pick(line: Line, hash: number, call: Call, now: number): Member | undefined {
    this.look();
    const members = this.#members;
    const pick = ++this.#pick;
    let fallback: Member | undefined;
    let held = 0;
    let share = 0;
    for (let i = line.first(hash); i >= 0; i = line.next()) {
      const member = members[i]!;
      if (!call.accepts(member, now)) continue;
      if (call.acceptance < PANIC && member.inFlight < this.capacity(i)) return member;
      if (fallback === undefined) {
        fallback = member;
        line.overflow?.();
      }
      this.#accepted[i] = pick;
      held += member.inFlight;
      share += this.#shares[i]!;
    }
    if (fallback === undefined) return undefined;
    const allowed = this.#factor * (held + 1);
    let full = false;
    for (let i = line.first(hash); i >= 0; i = line.next()) {
      if (this.#accepted[i] !== pick) continue;
      if (members[i]!.inFlight < allowed * (this.#shares[i]! / share)) return members[i];
      if (!full) line.overflow?.();
      full = true;
    }
    return fallback;
  }

  /** Takes in how things stand. Must come before `capacity`. */
  look(): void {
    const { moves } = this.#members[0]!.vitals;
    if (moves !== this.#moves) this.#recount();
    this.#moves = moves;
    // Less a hair, for 1.1 * 10 is a little more than 11.
    this.#allowed = Math.ceil(Math.min(this.#factor * (this.#inFlight() + 1) - 1e-9, MOST));
  }

  /** How many attempts a member may have. */
  capacity(i: number): number {
    const edges = this.#edges;
    const allowed = this.#allowed;
    const total = edges[edges.length - 1]!;
    // Divided last, for three times a third is not quite one.
    const whole = Math.floor((allowed * edges[i + 1]!) / total) - Math.floor((allowed * edges[i]!) / total);
    return whole > 1 ? whole : 1;
  }

  #inFlight(): number {
    if (this.#told) return this.total;
    let sum = 0;
    for (let i = 0; i < this.#members.length; i++)
      if (this.#edges[i]! < this.#edges[i + 1]!) sum += this.#members[i]!.inFlight;
    return sum;
  }

  /** Reckons who counts, and has the loads of those tell it. */
  #recount(): void {
    const members = this.#members;
    const nobody = members.every(isOut);
    let weight = 0;
    this.total = 0;
    this.#told = true;
    for (let i = 0; i < members.length; i++) {
      const { load } = members[i]!;
      const counts = nobody || !isOut(members[i]!);
      if (counts) weight += this.#weights[i]!;
      this.#edges[i + 1] = weight;
      if (!(load instanceof CountedLoad)) {
        this.#told = false;
      } else if (counts) {
        if (load.bounds !== undefined && load.bounds !== this) load.bounds.#told = false;
        load.bounds = this;
        this.total += load.count;
      } else if (load.bounds === this) {
        load.bounds = undefined;
      }
    }
  }
}

/** Whether a member's breaker keeps calls from it. */
const isOut = ({ refused, spared }: Member): boolean => refused && !spared;
