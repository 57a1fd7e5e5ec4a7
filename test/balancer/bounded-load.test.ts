import {
  type Attempt,
  type Balancer,
  Call,
  consecutiveFailures,
  createRing,
  fixed,
  type Member,
  noLoad,
  Pool,
  type Site,
} from 'fairlead';
import { manualClock, members, testEnv } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maglev } from '../../src/balancer/maglev.ts';
import { createMaglev } from '../../src/balancer/maglev-table.ts';
import type { Placement, RingMember } from '../../src/balancer/placement.ts';
import { createRendezvous, rendezvous } from '../../src/balancer/rendezvous.ts';
import { type RingOptions, ring } from '../../src/balancer/ring.ts';
import { below, same } from '../in-loops.ts';

const site: Site = { clock: manualClock(), observer: undefined };
const size = 1009;

type Make = (options: RingOptions) => Balancer;
const KINDS: readonly (readonly [string, Make, (of: RingMember[]) => Placement])[] = [
  ['ring', ring, of => createRing(of)],
  ['ring that jumps', options => ring({ ...options, overflow: 'jump' }), of => createRing(of)],
  ['maglev', ({ boundedLoad }) => maglev({ size, boundedLoad }), of => createMaglev(of, { size })],
  ['rendezvous', ({ boundedLoad }) => rendezvous({ boundedLoad }), createRendezvous],
];

/** HAProxy's rule, reckoned anew: how many calls each may have, in the order of ids. */
function capacities(of: readonly Member[], factor: number): number[] {
  const total = of.reduce((sum, { inFlight }) => sum + inFlight, 0);
  const weights = of.reduce((sum, { weight }) => sum + weight, 0);
  const allowed = Math.ceil(factor * (total + 1) - 1e-9);
  let before = 0;
  return of.map(({ weight }) => {
    const from = before;
    before += weight;
    return Math.max(1, Math.floor((allowed * before) / weights) - Math.floor((allowed * from) / weights));
  });
}

const weights = fc.array(fc.constantFrom(1, 2, 4, 0.5), { minLength: 1, maxLength: 10 });
/** A few keys that come again and again, as hot ones do; a number ends one of the calls in flight. */
const script = fc.array(
  fc.oneof(
    fc.constantFrom('a', 'a', 'a', 'b', 'b', 'c', 'd', 'e', 'f'),
    fc.nat({ max: 1000 }),
    fc.constantFrom('a', 'b'),
  ),
  { maxLength: 200, size: 'max' },
);

describe.each(KINDS)('bounded load, %s', (name, make, create) => {
  const walks = name !== 'ring that jumps';

  test('a call goes to the first in its line who is under his bound, whatever began and ended before', () => {
    fc.assert(
      fc.property(weights, script, fc.constantFrom(1.01, 1.1, 1.25, 2, 10), (each, steps, boundedLoad) => {
        const set = each.map((weight, i) => ({ id: `member-${i}`, weight }));
        const balancer = make({ boundedLoad });
        const of = members(set, { balancer });
        const picker = balancer.picker(of, testEnv());
        const placed = create(set);
        const running: Attempt[] = [];
        for (const step of steps) {
          if (typeof step === 'number') {
            if (running.length > 0) running.splice(step % running.length, 1)[0]!.end('success');
            continue;
          }
          const bounds = capacities(of, boundedLoad);
          const picked = picker(new Call({ key: step }), 0)!;
          below(picked.inFlight, bounds[of.indexOf(picked)]!);
          const line = placed.getN(step, of.length).map(id => of.find(({ endpoint }) => endpoint.id === id)!);
          const first = line.find(member => member.inFlight < bounds[of.indexOf(member)]!)!;
          if (walks || first === line[0]) same(picked, first);
          same(picker(new Call({ key: step }), 0), picked);
          running.push(picked.begin(site, 0));
        }
      }),
      { numRuns: 40 },
    );
  });

  test('no member ever has more than its share of factor × all calls, and one', () => {
    fc.assert(
      fc.property(weights, fc.constantFrom(1.1, 1.25, 2), (each, boundedLoad) => {
        const set = each.map((weight, i) => ({ id: `member-${i}`, weight }));
        const balancer = make({ boundedLoad });
        const of = members(set, { balancer });
        const picker = balancer.picker(of, testEnv());
        const sum = each.reduce((a, b) => a + b, 0);
        for (let total = 1; total <= 150; total++) {
          picker(new Call({ key: 'hot' }), 0)!.begin(site, 0);
          for (const { inFlight, weight } of of) below(inFlight, (boundedLoad * total * weight) / sum + 2);
        }
      }),
      { numRuns: 12 },
    );
  });

  test('a key that was sent elsewhere comes back when its owner has room', () => {
    const balancer = make({ boundedLoad: 1.25 });
    const of = members(['a', 'b', 'c', 'd'], { balancer });
    const picker = balancer.picker(of, testEnv());
    const owner = picker(new Call({ key: 'hot' }), 0)!;
    const running = Array.from({ length: 40 }, () => picker(new Call({ key: 'hot' }), 0)!.begin(site, 0));
    expect(owner.inFlight).toBeGreaterThan(10);
    expect(owner.inFlight).toBeLessThan(15);
    for (const attempt of running) attempt.end('success');
    for (let i = 0; i < 3; i++) expect(picker(new Call({ key: 'hot' }), 0)).toBe(owner);
  });

  test('is off unless asked for', () => {
    const balancer = make({});
    expect(balancer.load).toBeUndefined();
    const of = members(['a', 'b', 'c'], { balancer });
    const picker = balancer.picker(of, testEnv());
    const picked = new Set<Member>();
    for (let i = 0; i < 100; i++) {
      const member = picker(new Call({ key: 'hot' }), 0)!;
      member.begin(site, 0);
      picked.add(member);
    }
    expect(picked.size).toBe(1);
  });

  test('refused members are passed over before the bound is looked at, and are not in the reckoning', async () => {
    const env = testEnv();
    const balancer = make({ boundedLoad: 1.25 });
    const names = ['a', 'b', 'c', 'd', 'e'];
    const pool = new Pool({
      discovery: fixed(names.map(id => ({ id, host: id, port: 1 }))),
      balancer,
      breaker: consecutiveFailures({ threshold: 1 }),
      env,
    });
    await pool.ready();
    const begin = (key: string): Attempt => pool.pick(new Call({ key }));
    const refused = new Set<string>();
    const held: Attempt[] = [];
    for (let i = 0; refused.size < 2; i++) {
      const attempt = begin(`x${i}`);
      // What it still has in flight must not make room for the others.
      for (let k = 0; k < 20; k++) held.push(attempt.member.begin(site, 0));
      attempt.end('failure');
      refused.add(attempt.endpoint.id);
    }
    const heirs = create(names.map(id => ({ id })));
    const heir = (key: string): string => heirs.getN(key, 5).find(id => !refused.has(id))!;
    const loads = new Map<string, number>();
    let displaced = 0;
    for (let i = 0; i < 300; i++) {
      const { id } = begin(`key-${i}`).endpoint;
      expect(refused).not.toContain(id);
      loads.set(id, (loads.get(id) ?? 0) + 1);
      if (walks && id !== heir(`key-${i}`)) displaced++;
      expect(loads.get(id)!).toBeLessThanOrEqual(Math.ceil((1.25 * (i + 1)) / 3) + 1);
    }
    // Were the two in the reckoning, the three were full with a quarter of the calls each, and nearly all displaced.
    expect(displaced).toBeLessThan(100);
    for (const attempt of held) attempt.end('ignored');
    await pool.close();
  });

  test('when all that a call accepts are full, the bound is reckoned over those, and the key stays with its own', () => {
    const balancer = make({ boundedLoad: 1.25 });
    const of = members(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], { balancer });
    const picker = balancer.picker(of, testEnv());
    const [x, y] = [of[1]!, of[6]!];
    for (let i = 0; i < 10; i++) {
      x.begin(site, 0);
      y.begin(site, 0);
    }
    const only = (key: string): Member => {
      const call = new Call({ key });
      call.filter = member => member === x || member === y;
      return picker(call, 0)!;
    };
    const owners = Array.from({ length: 50 }, (_, i) => only(`key-${i}`));
    expect(new Set(owners)).toEqual(new Set([x, y]));
    // Of 1.25 × 21 calls each may have 13.1: with 14 it is full, with 13 not.
    for (let i = 0; i < 3; i++) x.begin(site, 0);
    owners.forEach((owner, i) => {
      expect(only(`key-${i}`)).toBe(owner);
    });
    for (let i = 0; i < 6; i++) x.begin(site, 0);
    for (let i = 0; i < 50; i++) expect(only(`key-${i}`)).toBe(y);
  });

  test('explains who is over the bound', () => {
    const balancer = make({ boundedLoad: 1.25 });
    const of = members(['a', 'b', 'c', 'd'], { balancer });
    const picker = balancer.picker(of, testEnv());
    const owner = picker(new Call({ key: 'hot' }), 0)!;
    const call = new Call({ key: 'hot' });
    expect(picker.explain!(call, 0)[0]).toMatchObject({ member: owner, note: 'the owner' });
    for (let i = 0; i < 4; i++) owner.begin(site, 0);
    const told = picker.explain!(call, 0);
    expect(told[0]).toMatchObject({
      member: owner,
      note: expect.stringMatching(/^over its bound: 4 of [12] in flight$/),
    });
    expect(told[1]!.member).toBe(picker(call, 0));
    expect(told).toHaveLength(4);
  });
});

describe('the count of all calls', () => {
  /** Begins calls at both, in turns, and holds each to the rule: too low a total, too, would send a call elsewhere. */
  const alternate = (one: Balancer, other: Balancer, of: Member[]): void => {
    const pickers = [one.picker(of, testEnv()), other.picker(of, testEnv())];
    const placed = createRing(of.map(({ endpoint }) => endpoint.id));
    const running: Attempt[] = [];
    for (let i = 0; i < 200; i++) {
      const key = `k${i % 4}`;
      const bounds = capacities(of, 1.25);
      const line = placed.getN(key, 3).map(id => of.findIndex(({ endpoint }) => endpoint.id === id));
      const first = of[line.find(each => of[each]!.inFlight < bounds[each]!)!]!;
      const picked = pickers[i % 2]!(new Call({ key }), 0)!;
      expect(picked).toBe(first);
      running.push(picked.begin(site, 0));
      if (i % 3 === 2) running.shift()!.end('success');
    }
  };

  test('is right for two pickers of the same members, though loads tell only the newer', () => {
    const balancer = ring({ boundedLoad: 1.25 });
    alternate(balancer, ring({ boundedLoad: 1.25 }), members(['a', 'b', 'c'], { balancer }));
    alternate(balancer, balancer, members(['a', 'b', 'c'], { balancer }));
  });

  test('is right though the loads are others, as where a balancer round it gives its own', () => {
    const balancer = ring({ boundedLoad: 1.25 });
    const of = members(['a', 'b', 'c'], { balancer: { picker: () => () => undefined, load: () => noLoad } });
    alternate(balancer, balancer, of);
  });

  test('never mixes two pools of one balancer', () => {
    const balancer = ring({ boundedLoad: 1.25 });
    const [busy, idle] = [members(['a', 'b', 'c'], { balancer }), members(['a', 'b', 'c'], { balancer })];
    const full = balancer.picker(busy, testEnv());
    const picker = balancer.picker(idle, testEnv());
    for (let i = 0; i < 300; i++) full(new Call({ key: `k${i}` }), 0)!.begin(site, 0);
    const owner = picker(new Call({ key: 'hot' }), 0)!;
    owner.begin(site, 0);
    owner.begin(site, 0);
    // With 2 in flight at its own, 1.25 * 3 / 3 is 1 or 2; with those of the other pool it were 126.
    expect(picker(new Call({ key: 'hot' }), 0)).not.toBe(owner);
  });

  test('goes on when the set changes while calls are in flight, and leaves out those who left', () => {
    const balancer = ring({ boundedLoad: 1.25 });
    const all = members(['a', 'b', 'c', 'd'], { balancer });
    const before = balancer.picker(all, testEnv());
    const running = Array.from({ length: 80 }, (_, i) =>
      before(new Call({ key: `k${i}` }), 0)!.begin(site, 0),
    );
    const rest = all.slice(1);
    const after = balancer.picker(rest, testEnv());
    for (let i = 0; i < 60; i++) {
      const bounds = capacities(rest, 1.25);
      const picked = after(new Call({ key: 'hot' }), 0)!;
      expect(picked.inFlight).toBeLessThan(bounds[rest.indexOf(picked)]!);
      running.push(picked.begin(site, 0));
      running.shift()!.end('success');
    }
  });
});

test('keys of a full member jump to all others, where walking gives most to its neighbours', () => {
  const names = Array.from({ length: 20 }, (_, i) => `member-${i}`);
  const taken = (overflow: 'walk' | 'jump', points: number): Map<Member, number> => {
    const balancer = ring({ boundedLoad: 1.25, overflow, points });
    const of = members(names, { balancer });
    const picker = balancer.picker(of, testEnv());
    const full = of[7]!;
    for (let i = 0; i < 100; i++) full.begin(site, 0);
    for (const member of of) if (member !== full) member.begin(site, 0);
    const counts = new Map<Member, number>();
    for (let i = 0; i < 40_000; i++) {
      if (createdOwner(points, `key-${i}`) !== full.endpoint.id) continue;
      const picked = picker(new Call({ key: `key-${i}` }), 0)!;
      counts.set(picked, (counts.get(picked) ?? 0) + 1);
    }
    expect(counts.has(full)).toBe(false);
    return counts;
  };
  const rings = new Map<number, ReturnType<typeof createRing>>();
  const createdOwner = (points: number, key: string): string | undefined => {
    if (!rings.has(points)) rings.set(points, createRing(names, { points }));
    return rings.get(points)!.get(key);
  };
  // With one point each there is one neighbour; jumps go by shares, of which with one point some are tiny.
  expect(taken('walk', 1).size).toBe(1);
  expect(taken('jump', 1).size).toBeGreaterThan(10);
  // With 160, jumps give each what its share of the ring is of about 2000 keys: 105, a standard deviation of 13.
  const jumped = [...taken('jump', 160).values()];
  expect(jumped).toHaveLength(19);
  expect(Math.max(...jumped)).toBeLessThan(200);
});
