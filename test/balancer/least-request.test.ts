import { type Breaker, inFlight, type Load, leastRequest, type Member } from 'fairlead/core';
import { seededRandom } from 'fairlead/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyCall, member, membersFor, testEnv } from '../helpers.ts';

const refusing: Breaker = { state: 'open', epoch: 0, allows: () => false, begin() {}, end() {} };
const costing = (cost: number): Load => ({ begin() {}, end() {}, cost: () => cost });

test('of a small set, no accepted member is cheaper for its weight than the one picked', () => {
  const shape = fc.record({
    cost: fc.integer({ min: 1, max: 1000 }),
    weight: fc.integer({ min: 1, max: 5 }),
    refused: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(shape, { minLength: 1, maxLength: 32 }), fc.integer(), (shapes, seed) => {
      const members = shapes.map(({ cost, weight, refused }, i) => {
        const made = member(`m${i}`, {
          weight,
          load: costing(cost),
          ...(refused ? { breaker: refusing } : {}),
        });
        made.inFlight = 1; // not idle: then cost alone decides
        return made;
      });
      const env = { ...testEnv(), random: seededRandom(seed) };
      const picked = leastRequest().picker(members, env)(anyCall(), 0);
      const price = (each: Member): number => each.load.cost(0) / each.weight;
      const accepted = members.filter(({ breaker }) => breaker !== refusing);
      if (picked === undefined) expect(accepted).toEqual([]);
      else expect(price(picked)).toBe(Math.min(...accepted.map(price)));
    }),
  );
});

test('sets larger than `scan` are drawn from, so the cheapest does not get everything', () => {
  const env = testEnv();
  const members = Array.from({ length: 40 }, (_, i) => {
    const made = member(`m${i}`, { load: costing(i === 0 ? 1 : 100) });
    made.inFlight = 1;
    return made;
  });
  const share = (scan: number, choices: number): number => {
    const pick = leastRequest({ scan, choices }).picker(members, env);
    return (
      Array.from({ length: 1000 }, () => pick(anyCall(), 0)).filter(each => each === members[0]).length / 1000
    );
  };
  expect(share(40, 2)).toBe(1);
  expect(share(39, 40)).toBe(1);
  // It is among n drawn from 40 with a chance of n in 40, for no member is drawn twice; five standard deviations of
  // 0.016 at most are 0.08.
  for (const choices of [2, 3, 4, 10, 20, 39])
    expect(Math.abs(share(39, choices) - choices / 40)).toBeLessThan(0.08);
});

test('among idle members whose costs are alike, weight decides and not the noise in their latencies', () => {
  const env = testEnv();
  const members = [10, 11, 14, 19].map((cost, i) => member(`m${i}`, { load: costing(cost), weight: i + 1 }));
  const pick = leastRequest().picker(members, env);
  const picks = 40_000;
  const counts = members.map(() => 0);
  for (let i = 0; i < picks; i++) counts[members.indexOf(pick(anyCall(), 0)!)]!++;
  // One standard deviation of a share is at most 0.0025; five of them, with a fixed seed.
  for (const [i, count] of counts.entries()) {
    expect(Math.abs(count / picks - (i + 1) / 10)).toBeLessThan(0.0125);
  }
});

test('an idle member that is more than twice as dear is left alone', () => {
  const members = [member('fast', { load: costing(10) }), member('slow', { load: costing(21) })];
  const pick = leastRequest().picker(members, testEnv());
  for (let i = 0; i < 100; i++) expect(pick(anyCall(), 0)).toBe(members[0]);
});

test('a member due for a probe goes first, though the dearest of all', () => {
  const due = member('due', {
    load: costing(1e12),
    breaker: { state: 'open', epoch: 1, allows: () => true, begin() {}, end() {} },
  });
  const members = [member('a'), member('b'), due, member('c')];
  const pick = leastRequest().picker(members, testEnv());
  for (let i = 0; i < 50; i++) expect(pick(anyCall(), 0)).toBe(due);
});

test('a call that has failed once is no probe: it goes to a member known to be well, if there is one', () => {
  const due = member('due', {
    breaker: { state: 'open', epoch: 1, allows: () => true, begin() {}, end() {} },
  });
  const well = member('well', { load: costing(1e6) });
  for (const scan of [0, 10]) {
    const call = anyCall();
    call.tried = [member('tried')];
    const pick = leastRequest({ scan }).picker([due, well], testEnv());
    for (let i = 0; i < 50; i++) expect(pick(call, 0)).toBe(well);
    expect(leastRequest({ scan }).picker([due], testEnv())(call, 0)).toBe(due);
  }
});

test('it never lets one member have two calls more in flight than another', () => {
  const balancer = leastRequest({ load: inFlight() });
  const env = testEnv();
  const members = membersFor(balancer, 7);
  const pick = balancer.picker(members, env);
  for (let i = 0; i < 100; i++) {
    pick(anyCall(), 0)!.begin({ clock: env.clock, observer: undefined }, 0);
    const counts = members.map(each => each.inFlight);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  }
});
