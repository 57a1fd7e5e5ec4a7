import { Acceptance, random, ring, roundRobin, weightedRoundRobin } from 'fairlead/core';
import { endpoints, membershipChanges, seededRandom } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aperture } from '../../src/balancer/aperture.ts';
import { type SubsetOptions, subset } from '../../src/balancer/subset.ts';
import { ids, Stage, type Switch, some, someKeys } from './wrapping.ts';

const staged = (options: SubsetOptions, count: number, inner = roundRobin): Stage =>
  new Stage(subset(inner, options), some('m', count));

/** Who is in the subset: those that have a share of the calls. */
const inside = (stage: Stage): Set<unknown> =>
  new Set([...stage.shares()].filter(([, share]) => share > 0).map(([id]) => id));

const gone = <T>(before: ReadonlySet<T>, after: ReadonlySet<T>): T[] =>
  [...before].filter(each => !after.has(each));

describe('a random subset', () => {
  test('is called, all of it and nobody else', () => {
    const stage = staged({ size: 5 }, 50);
    expect(inside(stage)).toHaveLength(5);
    expect(new Set(stage.places(someKeys(20)))).toEqual(inside(stage));
  });

  test('of a set that is no larger is the set', () => {
    for (const count of [1, 4, 5]) expect(inside(staged({ size: 5 }, count))).toHaveLength(count);
  });

  test('changes by one member at the most when one comes or goes, and not at all when weights do', () => {
    fc.assert(
      fc.property(membershipChanges(fc), fc.integer({ min: 1, max: 6 }), (changes, size) => {
        const stage = new Stage(subset(random, { size }), []);
        let before = new Set<unknown>();
        for (const { kind, endpoint, endpoints: now } of changes) {
          if (now.length === 0) break;
          stage.set(now);
          const after = inside(stage);
          const [lost, won] = [gone(before, after), gone(after, before)];
          expect(after.size).toBe(Math.min(size, now.length));
          if (kind === 'reweighed') expect([lost, won]).toEqual([[], []]);
          // Whoever comes may push one out; whoever goes is made good by one.
          if (kind === 'added' && before.size > 0)
            expect(won).toEqual(after.has(endpoint.id) ? [endpoint.id] : []);
          if (kind === 'removed') expect(lost).toEqual(before.has(endpoint.id) ? [endpoint.id] : []);
          expect(Math.max(lost.length, won.length)).toBeLessThanOrEqual(1);
          before = after;
        }
      }),
    );
  });

  test('is another for each client, so that all members have clients', () => {
    const counts = new Map<unknown, number>();
    const CLIENTS = 1000;
    const chance = seededRandom(1);
    for (let i = 0; i < CLIENTS; i++) {
      const seed = Math.floor(chance() * 2 ** 32);
      for (const id of inside(staged({ size: 10, seed }, 50))) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect(counts.size).toBe(50);
    // Each is in a subset with a chance of 0.2: 200 times with a standard deviation of 12.6; five of those.
    for (const count of counts.values()) expect(Math.abs(count - 200)).toBeLessThan(64);
  });

  test('is drawn once for a balancer, from the chance it is given', () => {
    const of = (seed: number) => {
      const stage = staged({ size: 5 }, 0);
      (stage.env as { random: () => number }).random = seededRandom(seed);
      stage.set(some('m', 50));
      return stage;
    };
    const stage = of(1);
    const first = inside(stage);
    stage.set(some('m', 50));
    expect(inside(stage)).toEqual(first);
    expect(inside(of(1))).toEqual(first);
    expect(inside(of(2))).not.toEqual(first);
  });

  test('shares calls out by weight', () => {
    const stage = new Stage(subset(weightedRoundRobin, { size: 2, seed: 3 }), [
      { id: 'a', weight: 3 },
      { id: 'b', weight: 3 },
      { id: 'c', weight: 3 },
    ]);
    expect([...stage.shares().values()].sort()).toEqual([0, 0.5, 0.5]);
  });
});

describe('when nobody in the subset is acceptable', () => {
  test('the rest is called, evenly, until one of the subset is', () => {
    const stage = staged({ size: 2, seed: 1 }, 6);
    const subset = [...inside(stage)] as string[];
    expect(stage.notes()).toContainEqual(expect.stringMatching(/: outside the subset$/));
    stage.out(subset);
    const rest = ids(some('m', 6)).filter(id => !subset.includes(id));
    expect([...stage.shares()].filter(([, share]) => share > 0).map(([id]) => id)).toEqual(rest);
    expect([...stage.counts(40)].filter(([, count]) => count > 0)).toEqual(rest.map(id => [id, 10]));
    (stage.member(subset[0]!).breaker as Switch).due = true;
    expect(stage.pick()).toBe(subset[0]);
    stage.out([]);
    expect(new Set(stage.places(someKeys(10)))).toEqual(new Set(subset));
  });

  test('a retry goes to the rest', () => {
    const stage = staged({ size: 1, seed: 1 }, 3);
    const tried = [stage.picked()!];
    for (let i = 0; i < 5; i++) expect(stage.picked(undefined, tried)).not.toBe(tried[0]);
  });

  test('in panic the subset is called again', () => {
    const stage = staged({ size: 1, seed: 1 }, 3);
    const one = stage.picked();
    stage.out(['m0', 'm1', 'm2']);
    expect(stage.pick()).toBeUndefined();
    expect(stage.picked(undefined, [], Acceptance.untriedInPanic)).toBe(one);
  });

  test('a balancer that cannot make a picker for the rest throws, which the pool makes good', () => {
    const stage = new Stage(
      subset(
        () => {
          const balancer = roundRobin();
          return {
            ...balancer,
            picker(members, env) {
              if (members.length > 1) throw new Error('no');
              return balancer.picker(members, env);
            },
          };
        },
        { size: 1 },
      ),
      some('m', 3),
    );
    const one = stage.pick()!;
    stage.out([one]);
    expect(() => stage.pick()).toThrow('no');
  });
});

describe('deterministic aperture', () => {
  const fleets = fc.record({
    weights: fc.array(fc.constantFrom(1, 1, 1, 2, 0.3, 10), { minLength: 1, maxLength: 60 }),
    clients: fc.integer({ min: 1, max: 60 }),
    size: fc.integer({ min: 1, max: 20 }),
  });

  test('all clients together call every server for what it is due', () => {
    fc.assert(
      fc.property(fleets, ({ weights, clients, size }) => {
        const load = weights.map(() => 0);
        for (let index = 0; index < clients; index++) {
          const parts = aperture(weights, { index, of: clients }, size);
          const due = weights.map((weight, i) => weight * parts[i]!);
          const total = due.reduce((sum, each) => sum + each, 0);
          due.forEach((each, i) => {
            load[i]! += each / total / clients;
          });
        }
        const total = weights.reduce((sum, each) => sum + each, 0);
        weights.forEach((weight, i) => {
          expect(load[i]).toBeCloseTo(weight / total, 9);
        });
      }),
    );
  });

  test('covers as many servers as asked, in the mean, and one more client’s worth at the most', () => {
    fc.assert(
      fc.property(fleets, ({ weights, clients, size }) => {
        const parts = aperture(
          weights.map(() => 1),
          { index: clients - 1, of: clients },
          size,
        );
        const covered = parts.reduce((sum, part) => sum + part, 0);
        const { length } = weights;
        expect(covered).toBeGreaterThanOrEqual(Math.min(size, length) - 1e-6);
        expect(covered).toBeLessThanOrEqual(Math.min(length, size + length / clients) + 1e-6);
        expect([...parts].every(part => part >= 0 && part <= 1)).toBe(true);
        // All but the two at the ends are covered in full.
        expect([...parts].filter(part => part > 0 && part < 1).length).toBeLessThanOrEqual(2);
      }),
    );
  });

  test('the servers get as many calls as each other, from any number of clients', () => {
    const [SERVERS, CLIENTS, CALLS] = [10, 7, 3000];
    const counts = new Map<string, number>();
    for (let index = 0; index < CLIENTS; index++) {
      const stage = staged({ size: 3, client: { index, of: CLIENTS } }, SERVERS);
      // 3 of 10 servers are 2.1 of 7 clients, so three clients long: 4.3 servers.
      expect(inside(stage).size).toBeGreaterThanOrEqual(5);
      expect(inside(stage).size).toBeLessThanOrEqual(6);
      for (const [id, count] of stage.counts(CALLS)) counts.set(id, (counts.get(id) ?? 0) + count);
    }
    for (const count of counts.values())
      expect(Math.abs(count / ((CALLS * CLIENTS) / SERVERS) - 1)).toBeLessThan(0.02);
  });

  test('with a balancer that goes by keys a server at the end gets that part of its keys, always the same', () => {
    const stage = staged({ size: 3, client: { index: 1, of: 7 } }, 10, () => ring());
    const edge = stage
      .notes('any')
      .flatMap(note => /^(\w+): at the edge of the subset: (\d+) %/.exec(note)?.slice(1) ?? []);
    expect(edge.length).toBeGreaterThan(0);
    const keys = someKeys(2000);
    const places = stage.places(keys);
    expect(stage.places(keys)).toEqual(places);
    const shares = stage.shares();
    for (const { endpoint } of stage.of) {
      const part = places.filter(id => id === endpoint.id).length / keys.length;
      // What the refused keys of one member come to among the others is told by their shares only roughly.
      expect(Math.abs(part - shares.get(endpoint.id)!)).toBeLessThan(0.08);
    }
  });

  test('is the same circle for all clients, shuffled by the seed', () => {
    const first = (seed?: number) => [...inside(staged({ client: { index: 0, of: 100 }, seed }, 100))];
    expect(first()).toEqual(first(0));
    expect(first()).not.toEqual(first(1));
    expect(first()).toHaveLength(12);
    expect(first()).not.toEqual(ids(some('m', 12)));
  });

  test('changes by few members when one comes or goes', () => {
    fc.assert(
      fc.property(
        endpoints(fc, { minLength: 20, maxLength: 40 }),
        fc.integer({ min: 0, max: 9 }),
        (set, index) => {
          const all = set.map(({ id }) => ({ id }));
          const stage = new Stage(subset(random, { size: 5, client: { index, of: 10 } }), all.slice(1));
          const before = inside(stage);
          stage.set(all);
          const after = inside(stage);
          // Its arc is moved by less than one server at either end, one comes in between, and now and then it is a
          // client's width longer or shorter.
          const width = Math.ceil(all.length / 10);
          expect(gone(before, after).length).toBeLessThanOrEqual(2 + width);
          expect(gone(after, before).length).toBeLessThanOrEqual(3 + width);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('takes weights and sets of any size', () => {
    for (const weights of [[1e308, 1e308, 1e308], [1e-300, 1, 1e300], [5], [1, 0.001]])
      for (const of of [1, 2, 3, 1000])
        for (const index of new Set([0, of - 1])) {
          const parts = aperture(weights, { index, of }, 2);
          expect([...parts].every(part => part >= 0 && part <= 1)).toBe(true);
          expect(Math.max(...parts)).toBeGreaterThan(0);
        }
  });
});
