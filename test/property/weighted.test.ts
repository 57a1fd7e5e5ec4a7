import { type Balancer, Call, type Member } from 'fairlead';
import { callAvoiding, members, seededRandom, testEnv } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { smoothWeighted } from '../../src/balancer/smooth-weighted.ts';
import { staticStride } from '../../src/balancer/static-stride.ts';
import { Stride } from '../../src/balancer/stride.ts';
import { same } from '../in-loops.ts';

const weigh = (weights: readonly number[]): Member[] =>
  members(weights.map((weight, i) => ({ id: `m${String(i).padStart(2, '0')}`, weight })));

/** Which members, by position, get the next so many picks of a call that avoids some. */
function turns(
  balancer: Balancer,
  weights: readonly number[],
  count: number,
  seed: number,
  refused: readonly number[] = [],
): number[] {
  const of = weigh(weights);
  const picker = balancer.picker(of, testEnv(seed));
  const call = callAvoiding(refused.map(i => of[i]!));
  return Array.from({ length: count }, () => of.indexOf(picker(call, 0)!));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const countsOf = (taken: readonly number[], size: number): number[] => {
  const counts = new Array<number>(size).fill(0);
  for (const turn of taken) counts[turn]!++;
  return counts;
};
const weights = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
const seeds = fc.integer({ min: 0, max: 1e6 });

describe.each([
  ['staticStride', staticStride],
  ['smoothWeighted', smoothWeighted],
])('%s', (name, make) => {
  // From its random start smooth weighted round robin takes up to a round to fall into step.
  const settled = name === 'smoothWeighted' ? 1 : 0;

  test('gives each member exactly its turns in every round, wherever the round begins', () => {
    fc.assert(
      fc.property(weights, seeds, fc.integer({ min: 0, max: 100 }), (each, seed, more) => {
        const divisor = each.reduce(gcd);
        const round = sum(each) / divisor;
        const skipped = settled * round + more;
        const taken = turns(make(), each, skipped + round, seed).slice(skipped);
        expect(countsOf(taken, each.length)).toEqual(each.map(weight => weight / divisor));
      }),
    );
  });

  test('gives each of those that are not refused exactly its turns, however light they are', () => {
    const heavy = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(1000, 5000)), {
      minLength: 2,
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        heavy,
        seeds,
        fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
        (each, seed, refusals) => {
          const refused = each.flatMap((weight, i) => (weight >= 1000 || (i > 0 && refusals[i]) ? [i] : []));
          const rest = each.map((weight, i) => (refused.includes(i) ? 0 : weight));
          const round = sum(rest);
          const taken = turns(make(), each, (settled + 2) * round, seed, refused).slice(settled * round);
          if (round > 0) expect(countsOf(taken, each.length)).toEqual(rest.map(weight => 2 * weight));
          else expect(turns(make(), each, 1, seed, refused)).toEqual([-1]);
        },
      ),
    );
  });

  test('goes on where it was when the set is made anew', () => {
    fc.assert(
      fc.property(weights, seeds, (each, seed) => {
        const of = weigh(each);
        const restless = make();
        const env = testEnv(seed);
        const picker = make().picker(of, env);
        const twin = testEnv(seed);
        const call = new Call();
        for (let i = 0; i < 2 * sum(each); i++) same(restless.picker(of, twin)(call, 0), picker(call, 0));
      }),
      { numRuns: 30 },
    );
  });

  test('gives a light member its due though the weights change before every pick', () => {
    const balancer = make();
    const env = testEnv(3);
    const of = weigh([50, 1, 50]);
    const call = new Call();
    let light = 0;
    for (let i = 0; i < 2020; i++) {
      for (const heavy of [of[0]!, of[2]!]) heavy.update({ ...heavy.endpoint, weight: 49 + (i % 3) });
      if (balancer.picker(of, env)(call, 0) === of[1]) light++;
    }
    // 1 in 101, on average: 20 of 2020, give or take one at each end.
    expect(Math.abs(light - 20)).toBeLessThanOrEqual(2);
  });

  test('is as fair to newcomers after many have come and gone', () => {
    const balancer = make();
    const env = testEnv(5);
    let of = weigh([1, 2, 3, 4]);
    const call = new Call();
    for (let change = 0; change < 3000; change++) {
      // The one that leaves has just had its turn, and so leaves the others nearer to theirs.
      const leaver = balancer.picker(of, env)(call, 0);
      of = [...of.filter(member => member !== leaver), ...weigh([1 + (change % 4)])];
    }
    of = [...of.slice(1), ...weigh([10])];
    const picker = balancer.picker(of, env);
    const total = sum(of.map(({ weight }) => weight));
    let newcomer = 0;
    for (let i = 0; i < 10 * total; i++) if (picker(call, 0) === of.at(-1)) newcomer++;
    expect(Math.abs(newcomer - 100)).toBeLessThanOrEqual(3);
  });

  test('takes weights as small and as large as numbers go', () => {
    const extreme = fc.constantFrom(5e-324, 1e-300, 1e-9, 1, 1e9, 1e300, Number.MAX_VALUE);
    fc.assert(
      fc.property(fc.array(extreme, { minLength: 2, maxLength: 6 }), seeds, (each, seed) => {
        const largest = Math.max(...each);
        const taken = countsOf(turns(make(), each, 60 * each.length, seed), each.length);
        const heaviest = each.filter(weight => weight === largest).length;
        each.forEach((weight, i) => {
          const due = weight === largest ? (60 * each.length) / heaviest : 0;
          // A light one may have a turn at the start, where its phase is nearly over.
          expect(Math.abs(taken[i]! - due)).toBeLessThanOrEqual(each.length);
        });
        // Refused the heaviest, the call finds the others at once.
        const refused = each.flatMap((weight, i) => (weight === largest ? [i] : []));
        const [next] = turns(make(), each, 1, seed, refused);
        expect(refused.length === each.length ? next === -1 : next! >= 0 && !refused.includes(next!)).toBe(
          true,
        );
      }),
    );
  });
});

describe('staticStride', () => {
  // A member with f = weight / largest has its due to less than 1 after any looks at it, and so have the n - 1 others;
  // over a stretch of picks, one member may have been looked at once more than another.
  test('has in any stretch given each member its share to less than (1 - s) (1 + f) + s (n - 1) turns', () => {
    fc.assert(
      fc.property(weights, seeds, (each, seed) => {
        const total = sum(each);
        const largest = Math.max(...each);
        const taken = turns(staticStride(), each, 2 * total, seed);
        each.forEach((weight, i) => {
          const share = weight / total;
          const bound = (1 - share) * (1 + weight / largest) + share * (each.length - 1);
          let [count, ahead, behind] = [0, 0, 0];
          taken.forEach((turn, at) => {
            if (turn === i) count++;
            const off = count - share * (at + 1);
            ahead = Math.max(ahead, off);
            behind = Math.min(behind, off);
          });
          expect(ahead - behind).toBeLessThanOrEqual(bound + 1e-9);
        });
      }),
    );
  });

  // Nine light members at golden-ratio phases: of nine such points no more than three fall within any ninth.
  // gRPC's own phases, all but half a turn apart, let five come at once.
  test('spreads light members over the turns of a heavy one', () => {
    for (let seed = 0; seed < 20; seed++) {
      const taken = turns(staticStride(), [9, ...new Array<number>(9).fill(1)], 36, seed).join('');
      const between = taken.split('0').slice(1, -1);
      expect(Math.max(...between.map(light => light.length))).toBeLessThanOrEqual(3);
    }
  });

  test('leaps over the rounds in which nobody has a turn to where going on would have led', () => {
    const set = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1000, max: 9999 })), {
      minLength: 2,
      maxLength: 8,
    });
    fc.assert(
      fc.property(set, seeds, (each, seed) => {
        const of = weigh(each);
        const refused = of.filter(({ weight }) => weight >= 1000);
        const call = callAvoiding(refused);
        const stride = new Stride(of, Float64Array.from(each), seededRandom(seed));
        const values = [...stride.values];
        const random = seededRandom(seed);
        random(); // for the phases
        let next = Math.floor(random() * of.length);
        const largest = Math.max(...each);
        for (let picks = refused.length < of.length ? 50 : 0; picks > 0; ) {
          const at = next;
          next = (next + 1) % of.length;
          values[at]! += each[at]!;
          if (values[at]! < largest) continue;
          values[at]! -= largest;
          if (refused.includes(of[at]!)) continue;
          expect(stride.pick(call, 0)).toBe(of[at]);
          picks--;
        }
      }),
      { numRuns: 50 },
    );
  });

  test('rounds nothing: of a million to five, a member has its five turns, which 16 bits would make none', () => {
    const taken = turns(staticStride(), [1_000_000, 5], 1_000_005, 1);
    expect(countsOf(taken, 2)).toEqual([1_000_000, 5]);
  });
});

describe('smoothWeighted', () => {
  test('goes the round that nginx goes: a a b a c a a for 5 to 1 to 1, from a random place on', () => {
    for (let seed = 0; seed < 50; seed++) {
      const taken = turns(smoothWeighted(), [5, 1, 1], 21, seed).slice(7);
      const light = taken.filter(turn => turn > 0);
      expect(light[0]! + light[1]!).toBe(3); // in turn
      const gaps = taken.join('').split(/[12]/).slice(1, -1);
      for (const gap of gaps) expect([1, 2, 3, 4]).toContain(gap.length);
    }
  });

  // No proof of so tight a bound is known to us; over 9000 random sets of up to 8 weights it was 1.71 at most.
  test('has in any stretch given each member its share to less than 2 turns', () => {
    fc.assert(
      fc.property(weights, seeds, (each, seed) => {
        const total = sum(each);
        const taken = turns(smoothWeighted(), each, 2 * total, seed);
        each.forEach((weight, i) => {
          let [count, ahead, behind] = [0, 0, 0];
          taken.forEach((turn, at) => {
            if (turn === i) count++;
            const off = count - (weight / total) * (at + 1);
            ahead = Math.max(ahead, off);
            behind = Math.min(behind, off);
          });
          expect(ahead - behind).toBeLessThan(2);
        });
      }),
      { seed: 11, numRuns: 200 },
    );
  });
});
