import type { RingMember } from '../balancer/hash-ring.ts';
import { must, shown } from './law.ts';

/**
 * How fairly keys are spread. Shares are told as ratios to what weights entitle to: 1.2 is a fifth too much.
 */
export interface Evenness {
  /** The largest ratio: how much more load the busiest member has than it should have. */
  readonly largest: number;
  readonly smallest: number;
  /** The standard deviation of the ratios. */
  readonly deviation: number;
}

export interface EvennessOptions {
  /** How many keys to place for each member. Default: 2000. */
  readonly keysPerMember?: number | undefined;
}

/**
 * Measures how evenly a ring spreads keys over its members, by placing keys: always the same ones, so that
 * equal rings give equal numbers.
 *
 * What to expect: a member with p points owns the sum of p gaps between random points, whose standard
 * deviation is 1 / sqrt(p) of its mean, 8 % at 160 points; k keys for each member add 1 / sqrt(k), 2.2 % at
 * 2000. The largest of a hundred members is about 2.5 deviations above the mean, and hardly ever 5.
 *
 * @throws Error if a key goes to nobody, or to someone who is not among `members`
 */
export function evenness(
  ring: { get(key: string): unknown },
  members: Iterable<string | RingMember>,
  { keysPerMember = 2000 }: EvennessOptions = {},
): Evenness {
  const weights = new Map<unknown, number>();
  for (const member of members) {
    if (typeof member === 'string') weights.set(member, 1);
    else weights.set(member.id, member.weight ?? 1);
  }
  const counts = new Map<unknown, number>();
  const total = weights.size * keysPerMember;
  for (let i = 0; i < total; i++) {
    const owner = ring.get(`key-${i}`);
    must(weights.has(owner), () => `key "key-${i}" went to ${shown(owner)}, which is no member`);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  const sum = [...weights.values()].reduce((a, b) => a + b, 0);
  const ratios = [...weights].map(([id, weight]) => (counts.get(id) ?? 0) / total / (weight / sum));
  const variance = ratios.reduce((sum, ratio) => sum + (ratio - 1) ** 2, 0) / ratios.length;
  return { largest: Math.max(...ratios), smallest: Math.min(...ratios), deviation: Math.sqrt(variance) };
}
