import type { Member } from '../model/member.ts';
import type { Balancer } from './balancer.ts';
import { inTurn, type Turns } from './turns.ts';

/** The longest schedule, in turns: 512 kB of pointers. */
const LONGEST = 1 << 16;
/** Spreads starting phases evenly however many there are: the golden ratio's fraction (Knuth, TAOCP 6.4). */
const GOLDEN = 0.6180339887498949;

/**
 * Members in turn, each as often as its weight says, and its turns spread evenly over the round. One array look-up
 * per pick. Exact where the weights, given to three decimals, are in the ratio of whole numbers that add up to no
 * more than 65 536 (or there is one turn for each member); else each share is right to 1 in 65 536, and every
 * member has a turn. Starts at a random turn.
 *
 * The order is that of earliest deadline first (as in Envoy's EDF scheduler), worked out when the set changes.
 */
export function weightedRoundRobin(): Balancer {
  let turns: Turns | undefined;
  return {
    picker(members, { random }) {
      const order = schedule(members);
      const progress = turns?.progress ?? random();
      // Rounded, for turn / length * length may come out a little less than the turn.
      turns = inTurn(order, Math.round(progress * order.length) % order.length);
      return turns.next;
    },
  };
}

/** Each member as many times as its share of the round, in the order of deadlines. Linear in the round's length. */
function schedule(members: readonly Member[]): readonly Member[] {
  const counts = turnsOf(members.map(member => member.weight));
  const length = counts.reduce((sum, count) => sum + count, 0);
  // Turn k of a member with c turns is due at (k + phase) / c of the round. Deadlines are sorted by counting.
  const starts = new Uint32Array(length + 1);
  const due = (i: number, k: number): number => ((k + ((i * GOLDEN) % 1)) / counts[i]!) * length;
  each(counts, (i, k) => {
    starts[Math.floor(due(i, k)) + 1]!++;
  });
  for (let slot = 0; slot < length; slot++) starts[slot + 1]! += starts[slot]!;
  const filled = starts.slice();
  const owners = new Uint32Array(length);
  const dues = new Float64Array(length);
  each(counts, (i, k) => {
    const at = due(i, k);
    const slot = Math.floor(at);
    let j = filled[slot]!++;
    for (; j > starts[slot]! && dues[j - 1]! > at; j--) {
      dues[j] = dues[j - 1]!;
      owners[j] = owners[j - 1]!;
    }
    dues[j] = at;
    owners[j] = i;
  });
  return Array.from(owners, owner => members[owner]!);
}

function each(counts: readonly number[], visit: (i: number, k: number) => void): void {
  for (let i = 0; i < counts.length; i++) for (let k = 0; k < counts[i]!; k++) visit(i, k);
}

/** Whole numbers of turns in the ratio of the weights. */
function turnsOf(weights: readonly number[]): readonly number[] {
  const longest = Math.max(LONGEST, weights.length);
  const scaled = weights.map(weight => Math.round(weight * 1000));
  const exact = scaled.every(
    (value, i) => value > 0 && Math.abs(value / 1000 - weights[i]!) < 1e-9 * weights[i]!,
  );
  if (exact) {
    const divisor = scaled.reduce((a, b) => gcd(a, b));
    const turns = scaled.map(value => value / divisor);
    if (turns.reduce((sum, count) => sum + count, 0) <= longest) return turns;
  }
  const largest = weights.reduce((a, b) => Math.max(a, b));
  const total = weights.reduce((sum, weight) => sum + weight / largest, 0); // divided, so that it stays finite
  return weights.map(weight => Math.max(1, Math.round((weight / largest / total) * longest)));
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
