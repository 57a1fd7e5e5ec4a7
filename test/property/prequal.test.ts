import { Call, type Member } from 'fairlead';
import { callAvoiding, members, seededRandom, testEnv } from 'fairlead/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyTable } from '../../src/balancer/latency-table.ts';
import { ProbeNews } from '../../src/balancer/probe-news.ts';
import { ProbePool } from '../../src/balancer/probe-pool.ts';
import { type ProbedLoad, probedLoad } from '../../src/balancer/probed-load.ts';
import { RecentQuantile } from '../../src/balancer/recent-quantile.ts';
import { atMost, same } from '../in-loops.ts';

const QUANTILE = 0.8;
const MAX_AGE = 1000;

const step = fc.oneof(
  fc.record({
    kind: fc.constant('answer' as const),
    who: fc.nat(29),
    inFlight: fc.nat(6),
    latency: fc.constantFrom(0, 0.4, 1, 5, 9, 10, 11, 21, 40),
    failing: fc.constantFrom(0, 0, 0, 0.1, 0.3, 1),
  }),
  fc.record({ kind: fc.constant('pick' as const), tried: fc.array(fc.nat(29), { maxLength: 3 }) }),
  fc.record({ kind: fc.constant('bad answer' as const), who: fc.nat(29) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 700 }) }),
);
const world = fc.record({
  weights: fc.array(fc.constantFrom(1, 1, 1, 2, 5), { minLength: 2, maxLength: 30, size: 'max' }),
  steps: fc.array(step, { minLength: 1, maxLength: 120, size: 'max' }),
  poolSize: fc.constantFrom(2, 5, 16),
});

/** What a pool may answer by, as the rule says it in words. */
interface Known {
  readonly member: Member;
  inFlight: number;
  readonly latency: number;
  readonly failing: number;
  readonly at: number;
}

test('whatever answers come, calls go as the rule says, by answers that are there, one per member', () => {
  fc.assert(
    fc.property(world, ({ weights, steps, poolSize }) => {
      const balancer = { load: probedLoad(), picker: () => () => undefined };
      const env = testEnv();
      const of = members(
        weights.map((weight, i) => ({ id: `m${i}`, weight })),
        { balancer, env },
      );
      const news = new ProbeNews(QUANTILE, 10 * MAX_AGE, 3);
      const pool = new ProbePool(of, seededRandom(1), news, { maxAge: MAX_AGE, poolSize });
      // Added up as the pool does, for a rounding decides where two are equal.
      const mean = of.reduce((sum, { weight }) => sum + weight / of.length, 0);
      let known: Known[] = [];
      let crowding: number[] = [];
      let now = 0;
      for (const each of steps) {
        if (each.kind === 'wait') now += each.ms;
        else if (each.kind === 'answer') {
          const { inFlight, latency, failing } = each;
          const member = of[each.who % of.length]!;
          pool.answer(member, { inFlight, latency, failing }, now);
          known = known.filter(k => k.member !== member);
          known.push({ member, inFlight, latency, failing, at: now });
          crowding.push((inFlight * mean) / member.weight);
          crowding = crowding.slice(-128);
        } else if (each.kind === 'bad answer') {
          const member = of[each.who % of.length]!;
          pool.answer(member, undefined, now);
          known = known.filter(k => k.member !== member);
        } else {
          const call = callAvoiding(each.tried.map(i => of[i % of.length]!));
          const answers = pool.explain(call, now).map(({ member }) => member);
          const chosen = pool.choose(call, now);
          if (!news.trusted) {
            same(chosen, undefined);
            continue;
          }
          // The pool may have used up or removed some: of what it says it has, all must be known and not too old.
          let serving = known.filter(({ member }) => answers.includes(member));
          same(serving.length, answers.length);
          atMost(answers.length, poolSize);
          same(answers.length === 0, chosen === undefined);
          for (const { at } of serving) atMost(now - at, 10 * MAX_AGE);
          const fresh = serving.filter(({ at }) => now - at <= MAX_AGE);
          if (fresh.length >= 2) same(fresh.length, serving.length);
          serving = serving.filter(({ member }) => !call.tried.includes(member));
          same(serving.length, answers.length);
          if (chosen === undefined) continue;

          const sorted = [...crowding].sort((a, b) => a - b);
          const threshold = sorted[Math.max(0, Math.ceil(QUANTILE * sorted.length) - 1)]!;
          const crowd = (k: Known, more = 0): number => ((k.inFlight + more) * mean) / k.member.weight;
          const effort = (k: Known): number => 1 / (1 - Math.min(0.999, k.failing));
          const cold = serving.filter(k => crowd(k) <= threshold && k.failing < 0.2);
          const mine = serving.find(({ member }) => member === chosen)!;
          if (cold.length > 0) {
            same(cold.includes(mine), true);
            const slow = (k: Known): number => k.latency * effort(k);
            const fastest = Math.min(...cold.map(slow));
            atMost(slow(mine), 2 * Math.max(1, fastest));
            for (const k of cold) {
              if (slow(k) <= 2 * Math.max(1, fastest)) atMost(crowd(mine), crowd(k) + 1e-6);
            }
          } else {
            const full = (k: Known): number => crowd(k, 1) * effort(k);
            for (const k of serving) atMost(full(mine), full(k) + 1e-6);
          }
          pool.used(chosen, now);
          mine.inFlight++;
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('an answer serves for the paper’s number of calls on average: 1.92 with 50 members, a pool of 16, 3 probes a call', () => {
  const balancer = { load: probedLoad(), picker: () => () => undefined };
  const env = testEnv();
  const uses = (size: number): number => {
    const of = members(
      Array.from({ length: size }, (_, i) => `m${i}`),
      { balancer, env },
    );
    const news = new ProbeNews(QUANTILE, 10 * MAX_AGE, 3);
    const pool = new ProbePool(of, seededRandom(7), news, { maxAge: MAX_AGE, poolSize: 16 });
    let sum = 0;
    for (let i = 0; i < 3000; i++) {
      pool.answer(of[i % size]!, { inFlight: 0, latency: 1 }, 0);
      sum += (of[i % size]!.load as ProbedLoad).uses;
    }
    return sum / 3000;
  };
  // Two times over (1 - 16/50) * 3 - 1. A standard deviation is 0.27 / sqrt(3000) = 0.005; six of them, fixed seed.
  expect(Math.abs(uses(50) - 2 / ((1 - 16 / 50) * 3 - 1))).toBeLessThan(0.03);
  expect(Math.abs(uses(1000) - 2 / ((1 - 16 / 1000) * 3 - 1))).toBeLessThan(0.03);
  expect(uses(24)).toBe(Number.POSITIVE_INFINITY);
});

test('removed in turn are the oldest and the worst, one for three answers', () => {
  const balancer = { load: probedLoad(), picker: () => () => undefined };
  const env = testEnv();
  const of = members(
    Array.from({ length: 100 }, (_, i) => `m${String(i).padStart(3, '0')}`),
    { balancer, env },
  );
  const news = new ProbeNews(1, 10 * MAX_AGE, 0.01); // so few answers a call that each serves for many
  const pool = new ProbePool(of, seededRandom(7), news, { maxAge: MAX_AGE, poolSize: 16 });
  const held = (): number[] =>
    pool
      .explain(new Call(), 0)
      .map(({ member }) => of.indexOf(member))
      .sort((a, b) => a - b);
  const latencies = [1, 2, 90, 3, 80, 4];
  for (const [i, latency] of latencies.entries()) pool.answer(of[i]!, { inFlight: 0, latency }, 0);
  expect(held()).toEqual([0, 1, 2, 3, 4, 5]);
  pool.used(of[0]!, 0);
  expect(held()).toEqual([1, 3, 4, 5]); // 0 was the oldest, 2 the slowest
  for (const i of [6, 7, 8]) pool.answer(of[i]!, { inFlight: i === 7 ? 9 : 0, latency: 5 }, 0);
  pool.used(of[1]!, 0);
  expect(held()).toEqual([3, 4, 5, 6, 7, 8]);
});

test('the quantile of recent numbers is that of the last of them, sorted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 60, size: 'max' }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 1, max: 20 }),
      (values, quantile, size) => {
        const recent = new RecentQuantile(quantile, size);
        expect(recent.value).toBe(Number.POSITIVE_INFINITY);
        for (const [i, value] of values.entries()) {
          recent.add(value);
          const last = values.slice(Math.max(0, i + 1 - size), i + 1).sort((a, b) => a - b);
          expect(recent.value).toBe(last[Math.max(0, Math.ceil(quantile * last.length) - 1)]);
        }
        recent.clear();
        expect(recent.value).toBe(Number.POSITIVE_INFINITY);
      },
    ),
  );
});

test('where calls that found so many are known well, only they count: the median of the last 16', () => {
  fc.assert(
    fc.property(
      fc.nat(15),
      fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 8, maxLength: 40, size: 'max' }),
      (inFlight, latencies) => {
        const table = new LatencyTable(1000);
        for (const latency of latencies) {
          table.add(inFlight, latency, 0);
          table.add(inFlight + 1, 5000, 0);
        }
        const last = latencies.slice(-16).sort((a, b) => a - b);
        const middle = (last.length - 1) / 2;
        expect(table.median(inFlight, 1000)).toBe((last[Math.floor(middle)]! + last[Math.ceil(middle)]!) / 2);
        expect(table.median(inFlight, 1001)).toBe(0);
      },
    ),
  );
});

test('where there is something near, what is far away does not count', () => {
  const table = new LatencyTable(1000);
  table.add(3, 10, 0);
  for (const far of [5, 6, 7, 8]) for (let i = 0; i < 4; i++) table.add(far, 500, 0);
  expect(table.median(3, 0)).toBe(10);
  expect(table.median(2, 0)).toBe(10);
  expect(table.median(4, 0)).toBeGreaterThan(10); // 3 is as near as 5
});
