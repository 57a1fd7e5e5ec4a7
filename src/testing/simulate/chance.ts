import type { Random } from '../../base/env.ts';
import { seededRandom } from '../seeded-random.ts';

/** What a stream of chance is for. Each has its own, so that what one client does changes nothing for the others. */
export const Stream = {
  gaps: 1,
  callers: 2,
  keys: 3,
  client: 4,
  work: 5,
  fault: 6,
  lag: 7,
  split: 8,
  mean: 9,
} as const;

export type Stream = (typeof Stream)[keyof typeof Stream];

/** Chance that depends on the simulation's seed, what it is for, and up to three numbers, and on nothing else. */
export interface Chance {
  /** A stream. */
  stream(of: Stream, a?: number, b?: number): Random;
  /** One number in [0, 1). */
  one(of: Stream, a: number, b?: number, c?: number): number;
}

export function chance(seed: number): Chance {
  const root = mixed(mixed(0x9e3779b9, seed % 2 ** 32), Math.floor(seed / 2 ** 32));
  const place = (of: Stream, a: number, b: number): number => mixed(mixed(mixed(root, of), a), b);
  return {
    stream: (of, a = 0, b = 0) => seededRandom(place(of, a, b)),
    one: (of, a, b = 0, c = 0) => mixed(place(of, a, b), c) / 2 ** 32,
  };
}

/** One step of MurmurHash3 (Austin Appleby) with its finish: every bit of both counts for every bit of the result. */
function mixed(hash: number, value: number): number {
  let k = Math.imul(value, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  let h = hash ^ k;
  h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
