import { Acceptance, type Breaker, type BreakerState, Call, type Member, p2c } from 'fairlead/core';
import { expect, test } from 'vitest';
import { anyCall, member, membersFor, testEnv, traffic } from '../helpers.ts';

const breakerIn = (state: BreakerState, allowed: boolean): Breaker => ({
  state,
  epoch: 0,
  allows: () => allowed,
  begin() {},
  end() {},
});

test('the two drawn are never the same: of two members the idle one always gets the call', () => {
  const balancer = p2c();
  const env = testEnv();
  const [busy, idle] = membersFor(balancer, 2) as [Member, Member];
  busy.begin({ clock: env.clock, observer: undefined }, 0);
  const pick = balancer.picker([busy, idle], env);
  for (let i = 0; i < 500; i++) expect(pick(anyCall(), 0)).toBe(idle);
});

test('every pair is as likely as any other: of members from cheap to dear, each gets the pairs it wins', () => {
  const env = testEnv();
  const members = [0, 1, 2, 3].map(i =>
    member(`m${i}`, { load: { begin() {}, end() {}, cost: () => i + 1 } }),
  );
  for (const each of members) each.inFlight = 1; // not idle: then cost alone decides
  const pick = p2c().picker(members, env);
  const picks = 30_000;
  const counts = members.map(() => 0);
  for (let i = 0; i < picks; i++) counts[members.indexOf(pick(anyCall(), 0)!)]!++;
  // Of six pairs they win three, two, one and none. A standard deviation is 0.003; five of them, with a fixed seed.
  for (const [i, count] of counts.entries()) {
    expect(Math.abs(count / picks - (3 - i) / 6)).toBeLessThan(0.015);
  }
  expect(counts[3]).toBe(0);
});

test('weights count even if everything is always idle', () => {
  const balancer = p2c();
  const env = testEnv();
  const members = membersFor(balancer, 4, i => [1, 2, 3, 4][i]!);
  const pick = balancer.picker(members, env);
  const counts = new Map<Member, number>();
  const picks = 40_000;
  for (let i = 0; i < picks; i++) {
    const chosen = pick(anyCall(), 0)!;
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  // One standard deviation of a share is at most sqrt(0.4 * 0.6 / 40 000) = 0.0025; five of them, with a fixed seed.
  for (const [i, each] of members.entries()) {
    expect(Math.abs(counts.get(each)! / picks - (i + 1) / 10)).toBeLessThan(0.0125);
  }
});

test('weights count under load: a member of weight 3 carries about three times as much', () => {
  const balancer = p2c();
  const env = testEnv();
  const counts = traffic(
    balancer.picker(
      membersFor(balancer, 4, i => (i === 0 ? 3 : 1)),
      env,
    ),
    () => ({ ms: 5 + 10 * env.random(), outcome: 'success' }),
    { calls: 20_000, callers: 60 },
  );
  // 10 callers per unit of weight; in flight differs by one or two round 30, so the ratio is 3 to within a tenth or so.
  expect(counts.get('m000')! / counts.get('m001')!).toBeGreaterThan(2.5);
  expect(counts.get('m000')! / counts.get('m001')!).toBeLessThan(3.5);
});

test('when all but one of a hundred are refused, that one is found; when all are, nobody is', () => {
  const well = member('well', { weight: 0.001 });
  const ill = Array.from({ length: 99 }, (_, i) => member(`ill${i}`, { breaker: breakerIn('open', false) }));
  const env = testEnv();
  const pick = p2c().picker([...ill.slice(0, 50), well, ...ill.slice(50)], env);
  for (let i = 0; i < 100; i++) expect(pick(anyCall(), 0)).toBe(well);
  const none = p2c().picker(ill, env);
  expect(none(anyCall(), 0)).toBeUndefined();
  const panicking = new Call();
  panicking.acceptance = Acceptance.any;
  expect(none(panicking, 0)).toBeDefined();
});

test('a set of one is that one, or nobody', () => {
  const only = member('only');
  const env = testEnv();
  expect(p2c().picker([only], env)(anyCall(), 0)).toBe(only);
  expect(
    p2c().picker([member('x', { breaker: breakerIn('open', false) })], env)(anyCall(), 0),
  ).toBeUndefined();
});

test('a member due for a probe goes before one that is cheaper, or it would never be found to be well', () => {
  const load = { begin() {}, end() {}, cost: () => 1e12 };
  const due = member('due', { load, breaker: breakerIn('half-open', true) });
  const cheap = member('cheap');
  const env = testEnv();
  const pick = p2c().picker([cheap, due], env);
  for (let i = 0; i < 50; i++) expect(pick(anyCall(), 0)).toBe(due);
});
