import { type Discovery, type Endpoint, follow, sleep } from 'fairlead';
import {
  callAvoiding,
  endpoint,
  endpoints,
  evenness,
  ids,
  keys,
  manualClock,
  members,
  membershipChanges,
  scriptedDiscovery,
  seededRandom,
  settled,
  testEnv,
} from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSet } from '../src/discovery/endpoints.ts';

describe('manualClock', () => {
  test('stands still until told, and begins where it is told', async () => {
    const clock = manualClock(500);
    let fired = false;
    clock.after(0, () => {
      fired = true;
    });
    await settled();
    expect(clock.now()).toBe(500);
    expect(fired).toBe(false);
    await clock.advance(0);
    expect(fired).toBe(true);
    await clock.advance(250);
    expect(clock.now()).toBe(750);
  });

  test('fires what is due in the order of time, then of setting, each at its time', async () => {
    const clock = manualClock();
    const fired: string[] = [];
    const note = (name: string) => () => void fired.push(`${name} at ${clock.now()}`);
    clock.after(30, note('third'));
    clock.after(10, note('first'));
    clock.after(30, note('fourth'));
    clock.after(20, note('second'));
    clock.after(31, note('too late'));
    clock.after(-5, note('at once'));
    await clock.advance(30);
    expect(fired).toEqual(['at once at 0', 'first at 10', 'second at 20', 'third at 30', 'fourth at 30']);
    expect(clock.pending).toBe(1);
  });

  test('fires on time what is set meanwhile, by timers and by promises that wait for them', async () => {
    const clock = manualClock();
    const fired: number[] = [];
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 4; i++) {
        await sleep(clock, 100);
        fired.push(clock.now());
      }
    };
    const over = loop();
    await clock.advance(350);
    expect(fired).toEqual([100, 200, 300]);
    await clock.advance(50);
    await over;
    expect(fired).toEqual([100, 200, 300, 400]);
  });

  test('fires nothing that was called off, also if that happens in the same moment', async () => {
    const clock = manualClock();
    const fired: string[] = [];
    const first = clock.after(10, () => fired.push('called off before'));
    first();
    clock.after(20, () => {
      fired.push('kept');
      second();
    });
    const second = clock.after(20, () => fired.push('called off by the one before it'));
    expect(clock.pending).toBe(2);
    await clock.advance(100);
    expect(fired).toEqual(['kept']);
    expect(clock.pending).toBe(0);
  });
});

describe('seededRandom', () => {
  test('says the same again for the same seed, and something else for another', () => {
    const numbers = (seed: number): number[] => Array.from({ length: 20 }, seededRandom(seed));
    expect(numbers(7)).toEqual(numbers(7));
    const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => seededRandom(seed)()));
    expect(firsts.size).toBe(1000);
  });

  test('says numbers from 0 to below 1, spread evenly', () => {
    const random = seededRandom(1);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) {
      const value = random();
      if (!(value >= 0 && value < 1)) throw new Error(`it said ${value}`);
      counts[Math.floor(value * 10)]!++;
    }
    // 10 000 each, with a standard deviation of 95; and the seed is always the same.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });
});

describe('scriptedDiscovery', () => {
  const a: Endpoint = { id: 'a', host: 'a', port: 1 };
  const b: Endpoint = { id: 'b', host: 'b', port: 1 };
  const run = (discovery: Discovery) => {
    const controller = new AbortController();
    const sets = discovery(testEnv(), controller.signal, () => {})[Symbol.asyncIterator]();
    return { sets, stop: () => controller.abort() };
  };

  test('gives the sets it was made with, then those it is told, also such as are none', async () => {
    const source = scriptedDiscovery([a], [a, b]);
    const { sets } = run(source.discovery);
    expect(await sets.next()).toEqual({ done: false, value: [a] });
    expect(await sets.next()).toEqual({ done: false, value: [a, b] });
    const next = sets.next();
    await settled();
    source.set('nonsense');
    expect(await next).toEqual({ done: false, value: 'nonsense' });
  });

  test('fails when told, and once started again goes on with what was said meanwhile', async () => {
    const source = scriptedDiscovery([a]);
    const first = run(source.discovery);
    await first.sets.next();
    source.fail(new Error('gone'));
    await expect(first.sets.next()).rejects.toThrow('gone');
    expect([source.starts, source.running]).toEqual([1, 0]);
    source.set([b]);
    const second = run(source.discovery);
    expect((await second.sets.next()).value).toEqual([b]);
    expect([source.starts, source.running]).toEqual([2, 1]);
  });

  test('ends when told, and when the signal aborts while it waits', async () => {
    const source = scriptedDiscovery();
    const first = run(source.discovery);
    const second = run(source.discovery);
    const waiting = [first.sets.next(), second.sets.next()];
    await settled();
    expect(source.running).toBe(2);
    first.stop();
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    expect(source.running).toBe(1);
    source.end();
    expect(await waiting[1]).toEqual({ done: true, value: undefined });
    expect(source.running).toBe(0);
  });

  test('is started afresh by follow when it fails, after a while', async () => {
    const source = scriptedDiscovery([a]);
    const env = testEnv();
    const clock = manualClock();
    const heard: unknown[] = [];
    const stop = new AbortController();
    const over = follow(source.discovery, { ...env, clock }, stop.signal, {
      set: set => void heard.push(set.map(({ id }) => id)),
      error: error => void heard.push((error as Error).message),
    });
    source.fail(new Error('gone'));
    source.set([b]);
    await clock.advance(1000);
    expect(heard).toEqual([['a'], 'gone', ['b']]);
    expect([source.starts, source.running]).toEqual([2, 1]);
    stop.abort();
    await over;
    expect([source.running, clock.pending]).toEqual([0, 0]);
  });
});

describe('members', () => {
  test('are as a pool makes them: sorted, active, without drained ones', () => {
    const of = members(['b', { id: 'c', weight: 0 }, { id: 'a', weight: 2, zone: 'z' }]);
    expect(of.map(({ endpoint: { id }, weight, active }) => [id, weight, active])).toEqual([
      ['a', 2, true],
      ['b', 1, true],
    ]);
    expect(of[0]!.endpoint.zone).toBe('z');
  });

  test('that a call avoids are not accepted by it, all others are', () => {
    const [a, b] = members(['a', 'b']);
    const call = callAvoiding([a!], { key: 'k' });
    expect([call.key, call.accepts(a!, 0), call.accepts(b!, 0)]).toEqual(['k', false, true]);
  });
});

describe('the arbitraries', () => {
  const sample = <T>(of: { generate: unknown } & Parameters<typeof fc.sample<T>>[0]): T[] =>
    fc.sample(of, { numRuns: 500, seed: 1 });

  test('endpoints are sets that discovery would take as they are', () => {
    fc.assert(
      fc.property(endpoints(fc, { drained: true }), set => {
        const read = readSet(set, error => {
          throw error;
        });
        expect(new Set(read)).toEqual(new Set(set));
        expect(set.some(({ weight }) => weight !== 0)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(
        endpoint(fc),
        each =>
          void expect(
            readSet([each], error => {
              throw error;
            }),
          ).toEqual([each]),
      ),
    );
    expect(
      sample(endpoints(fc))
        .flat()
        .every(({ weight }) => weight !== 0),
    ).toBe(true);
    expect(
      sample(endpoints(fc, { drained: true }))
        .flat()
        .some(({ weight }) => weight === 0),
    ).toBe(true);
  });

  test('keys and ids are distinct, and of every kind', () => {
    const all = sample(keys(fc));
    for (const set of all) expect(new Set(set).size).toBe(set.length);
    const flat = all.flat();
    expect(flat).toContain('');
    expect(flat.some(key => key.length > 200)).toBe(true);
    for (const kind of [
      /^[ -~]+$/,
      /[\u0080-\u07ff]/,
      /[\u4e00-\u9fff]/,
      /\p{Surrogate}/u,
      /[\u{10000}-\u{10ffff}]/u,
    ]) {
      expect(flat.some(key => kind.test(key))).toBe(true);
    }
    const names = sample(ids(fc, { minLength: 3, maxLength: 4 }));
    expect(names.every(set => set.length >= 3 && set.length <= 4 && new Set(set).size === set.length)).toBe(
      true,
    );
    expect(names.flat()).not.toContain('');
  });

  test('membershipChanges tell each change, and the set after it', () => {
    const start = [{ id: 'first', host: 'h', port: 1 }];
    const kinds = new Set<string>();
    fc.assert(
      fc.property(membershipChanges(fc, { start }), changes => {
        let before = new Map<string, Endpoint>(start.map(each => [each.id, each]));
        for (const { kind, endpoint: changed, endpoints: now } of changes) {
          kinds.add(kind);
          expect(before.has(changed.id)).toBe(kind !== 'added');
          const expected = new Map(before);
          if (kind === 'removed') expected.delete(changed.id);
          else expected.set(changed.id, changed);
          before = new Map(now.map(each => [each.id, each]));
          expect(before).toEqual(expected);
          expect(now).toHaveLength(before.size);
        }
      }),
      { seed: 1 },
    );
    expect([...kinds].sort()).toEqual(['added', 'removed', 'reweighed']);
  });
});

describe('evenness', () => {
  const turnwise = (...owners: string[]) => {
    let turn = 0;
    return { get: () => owners[turn++ % owners.length] };
  };

  test('tells shares as ratios to what weights entitle to', () => {
    expect(evenness(turnwise('a', 'b'), ['a', 'b'])).toEqual({ largest: 1, smallest: 1, deviation: 0 });
    const { largest, smallest, deviation } = evenness(turnwise('a', 'a', 'b', 'b'), [
      { id: 'a', weight: 3 },
      'b',
    ]);
    expect([largest, smallest]).toEqual([2, 2 / 3]);
    expect(deviation).toBeCloseTo(Math.sqrt((1 + 1 / 9) / 2), 12);
  });

  test('names a key that goes to nobody it knows', () => {
    expect(() => evenness(turnwise('a', 'x'), ['a', 'b'])).toThrow(
      'key "key-1" went to "x", which is no member',
    );
    expect(() => evenness({ get: () => undefined }, ['a'])).toThrow('key "key-0" went to undefined');
  });
});
