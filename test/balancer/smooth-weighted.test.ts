import { Call, type Member, type Picker } from 'fairlead';
import { callAvoiding, manualClock, members, testEnv } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { type SmoothWeightedOptions, smoothWeighted } from '../../src/balancer/smooth-weighted.ts';

interface Set {
  readonly of: readonly Member[];
  readonly picker: Picker;
  /** How many of the next so many picks each gets. */
  readonly counts: (picks: number) => number[];
  readonly fail: (i: number) => void;
}

function set(weights: readonly number[], options?: SmoothWeightedOptions): Set {
  const balancer = smoothWeighted(options);
  const site = { clock: manualClock(), observer: undefined };
  const of = members(
    weights.map((weight, i) => ({ id: `m${i}`, weight })),
    { balancer },
  );
  const picker = balancer.picker(of, testEnv());
  const call = new Call();
  return {
    of,
    picker,
    counts(picks) {
      const counts = of.map(() => 0);
      for (let i = 0; i < picks; i++) counts[of.indexOf(picker(call, 0)!)]!++;
      return counts;
    },
    fail: i => of[i]!.begin(site, 0).end('failure'),
  };
}

test("a failure takes a member's weight, which comes back within as many picks as it weighs", () => {
  const { counts, fail } = set([5, 1, 1]);
  counts(7);
  fail(0);
  // Its share of these picks is 0/2, 1/3, 2/4, 3/5 and 4/6: 2.1 picks in all, instead of 3.6.
  expect(counts(5)[0]).toBe(2);
  counts(7);
  expect(counts(70)).toEqual([50, 10, 10]);
});

test('a success or an abort takes nothing', () => {
  const { of, counts, picker } = set([5, 1, 1]);
  counts(7);
  const site = { clock: manualClock(), observer: undefined };
  of[0]!.begin(site, 0).end('success');
  of[0]!.begin(site, 0).end('ignored');
  expect(counts(7)).toEqual([5, 1, 1]);
  expect(picker.explain!(new Call(), 0).map(({ note }) => note)).not.toContainEqual(
    expect.stringContaining('failures'),
  );
});

test('what a failure takes depends on the ratios of the weights, not on the numbers they are given in', () => {
  const one = set([5, 1, 1]);
  const other = set([500, 100, 100]);
  for (const { counts, fail } of [one, other]) {
    counts(3);
    fail(0);
  }
  for (let i = 0; i < 20; i++) expect(other.counts(1)).toEqual(one.counts(1));
});

test('with maxFails 4, a failure takes a quarter; with Infinity, nothing', () => {
  const share = (maxFails: number): number => {
    const { of, picker, fail } = set([6, 2], { maxFails });
    fail(0);
    return picker.explain!(new Call(), 0).find(({ member }) => member === of[0])!.share!;
  };
  expect(share(4)).toBeCloseTo(4.5 / 6.5);
  expect(share(Number.POSITIVE_INFINITY)).toBe(6 / 8);
  expect(share(1)).toBe(0);
});

test('when all have failed, they share calls as if none had', () => {
  const { of, picker, fail } = set([3, 1]);
  for (const i of [0, 1]) fail(i);
  const shares = picker.explain!(new Call(), 0).map(({ member, share }) => [of.indexOf(member), share]);
  expect(Object.fromEntries(shares)).toEqual({ 0: 0.75, 1: 0.25 });
});

test('a member that has failed is still picked where there is no other, and is whole when its breaker has closed', () => {
  const { of, picker, fail } = set([5, 1]);
  fail(0);
  expect(picker(callAvoiding([of[1]!]), 0)).toBe(of[0]);
  for (let i = 0; i < 5; i++) fail(0);
  of[0]!.load.forgive!();
  const [first] = picker.explain!(new Call(), 0).filter(({ member }) => member === of[0]);
  expect(first!.share).toBeCloseTo(5 / 6);
});

test('when a heavy member is refused, the others go on evenly: none has a run to make up for it', () => {
  const { of, picker, counts } = set([1000, 1, 1]);
  counts(1501);
  const call = callAvoiding([of[0]!]);
  const taken = Array.from({ length: 20 }, () => of.indexOf(picker(call, 0)!)).join('');
  expect(taken).toMatch(/^.{0,2}(12)*1?$/);
});

test('explains whose turn is next, and with what share', () => {
  const { of, picker } = set([5, 3, 2]);
  for (let i = 0; i < 30; i++) {
    const explained = picker.explain!(new Call(), 0);
    expect(Object.fromEntries(explained.map(({ member, share }) => [member.endpoint.id, share]))).toEqual({
      m0: 0.5,
      m1: 0.3,
      m2: 0.2,
    });
    expect(picker.explain!(new Call(), 0)).toEqual(explained);
    expect(picker(new Call(), 0)).toBe(explained[0]!.member);
  }
  expect(picker.explain!(callAvoiding([of[0]!]), 0).map(({ share }) => share)).toHaveLength(2);
});

test('a member whose turn is next loses it by a failure that takes its whole weight', () => {
  for (let skipped = 0; skipped < 7; skipped++) {
    const { of, picker, counts, fail } = set([5, 1, 1]);
    counts(skipped);
    const next = picker.explain!(new Call(), 0)[0]!.member;
    fail(of.indexOf(next));
    expect(picker(new Call(), 0)).not.toBe(next);
  }
});

test('explains whose turn is next while failures lower weights, too', () => {
  const { of, picker, fail } = set([9, 7, 4, 2, 1], { maxFails: 3 });
  const call = new Call();
  for (let i = 0; i < 500; i++) {
    if (i % 3 === 0) fail((i * 7) % 4);
    const expected = picker.explain!(call, 0)[0]!.member;
    expect(picker(call, 0), `pick ${i} of ${of.length}`).toBe(expected);
  }
});

test.each([0, 0.5, -1, Number.NaN, '3'])('maxFails cannot be %s', maxFails => {
  expect(() => smoothWeighted({ maxFails: maxFails as number })).toThrow(/smoothWeighted maxFails is/);
});
