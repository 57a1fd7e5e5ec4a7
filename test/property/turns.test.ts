import { type Balancer, Call, roundRobin, weightedRoundRobin } from 'fairlead';
import { members, testEnv } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { same } from '../in-loops.ts';

/** Which members, by position, have the next so many turns. */
function turns(balancer: Balancer, weights: readonly number[], count: number, seed: number): number[] {
  const of = members(weights.map((weight, i) => ({ id: String.fromCharCode(97 + i), weight })));
  const picker = balancer.picker(of, testEnv(seed));
  const call = new Call();
  return Array.from({ length: count }, () => of.indexOf(picker(call, 0)!));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const weights = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
const seeds = fc.integer({ min: 0, max: 1e6 });

describe('weightedRoundRobin', () => {
  test('gives each member exactly its turns in every round, wherever the round begins', () => {
    fc.assert(
      fc.property(weights, seeds, fc.integer({ min: 0, max: 100 }), (each, seed, skipped) => {
        const divisor = each.reduce(gcd);
        const round = sum(each) / divisor;
        const taken = turns(weightedRoundRobin(), each, skipped + round, seed).slice(skipped);
        const counts = each.map((_, i) => taken.filter(turn => turn === i).length);
        expect(counts).toEqual(each.map(weight => weight / divisor));
      }),
    );
  });

  // Turn k of a member with share s is due at (k + phase) / s, so in any stretch of time it has its due to
  // less than 1 either way, and so have the others. A stretch of turns is one of time that is longer or
  // shorter by what all n together are off; s of that counts for the member: (1 - s) + s (n - 1) in all.
  test('has in any stretch given each member its share to less than 1 + s (n - 2) turns', () => {
    fc.assert(
      fc.property(weights, seeds, (each, seed) => {
        const total = sum(each);
        const taken = turns(weightedRoundRobin(), each, 2 * total, seed);
        each.forEach((weight, i) => {
          const share = weight / total;
          const bound = Math.max(0, 1 + share * (each.length - 2)) + 1e-9;
          // The widest stretch is from where it is furthest behind to where it is furthest ahead, or the
          // other way.
          let count = 0;
          let ahead = 0;
          let behind = 0;
          taken.forEach((turn, at) => {
            if (turn === i) count++;
            const off = count - share * (at + 1);
            ahead = Math.max(ahead, off);
            behind = Math.min(behind, off);
          });
          expect(ahead - behind).toBeLessThanOrEqual(bound);
        });
      }),
    );
  });

  // Nine light members at golden-ratio phases: of ten such points no more than three fall within any ninth of
  // the round, the time between two turns of the heavy one. With equal phases all nine would come at once.
  test('spreads light members over the turns of a heavy one', () => {
    const each = [9, ...new Array<number>(9).fill(1)];
    const taken = turns(weightedRoundRobin(), each, 36, 1).join('');
    const between = taken.split('0').slice(1, -1);
    expect(Math.max(...between.map(light => light.length))).toBeLessThanOrEqual(3);
  });

  test('weights that have no common measure are followed to one in 65 536 for each member', () => {
    const fractions = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), {
      minLength: 2,
      maxLength: 6,
    });
    fc.assert(
      fc.property(fractions, seeds, (each, seed) => {
        const taken = turns(weightedRoundRobin(), each, 4 * 65_536, seed);
        const counts = each.map(() => 0);
        for (const turn of taken) counts[turn]!++;
        // Each number of turns in a round is rounded by at most 1, so a share by one for each member; and the
        // picks are not whole rounds, which adds the bound above.
        const bound = (2 * each.length + 2) / 65_536;
        each.forEach((weight, i) => {
          expect(Math.abs(counts[i]! / taken.length - weight / sum(each))).toBeLessThanOrEqual(bound);
        });
      }),
      { numRuns: 10 },
    );
  });

  test('goes on where it was when the set is made anew', () => {
    fc.assert(
      fc.property(weights, seeds, (each, seed) => {
        const of = members(each.map((weight, i) => ({ id: String.fromCharCode(97 + i), weight })));
        const steady = weightedRoundRobin();
        const restless = weightedRoundRobin();
        const env = testEnv(seed);
        const picker = steady.picker(of, env);
        const twin = testEnv(seed);
        const call = new Call();
        for (let i = 0; i < 2 * sum(each); i++) same(restless.picker(of, twin)(call, 0), picker(call, 0));
      }),
      { numRuns: 30 },
    );
  });
});

describe('roundRobin', () => {
  test('gives every member a turn before any has a second, whatever the weights', () => {
    fc.assert(
      fc.property(weights, seeds, (each, seed) => {
        const taken = turns(roundRobin(), each, 3 * each.length, seed);
        for (let i = 0; i + each.length <= taken.length; i++) {
          expect(new Set(taken.slice(i, i + each.length)).size).toBe(each.length);
        }
      }),
    );
  });

  test('goes on where it was when the last of its members leaves', () => {
    const of = members(['a', 'b', 'c', 'd', 'e', 'f']);
    const call = new Call();
    for (let seed = 0; seed < 20; seed++) {
      const balancer = roundRobin();
      const env = testEnv(seed);
      const first = of.indexOf(balancer.picker(of, env)(call, 0)!);
      const next = balancer.picker(of.slice(0, 5), env)(call, 0);
      expect(next).toBe(of[((first + 1) % 6) % 5]);
    }
  });
});
