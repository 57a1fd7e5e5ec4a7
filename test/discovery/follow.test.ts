import { type Discovery, type Endpoint, type FollowOptions, follow } from 'fairlead/core';
import { type ScriptedDiscovery, scriptedDiscovery, settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { countedSignal, endpoint, type Fate, type TestEnv, testEnv, watch } from '../helpers.ts';

const [a, b, c] = [endpoint('a'), endpoint('b'), endpoint('c')];
const drained = (each: Endpoint): Endpoint => ({ ...each, weight: 0 });

interface Following extends TestEnv {
  /** The ids of each set taken. */
  readonly sets: string[];
  readonly errors: string[];
  readonly over: Fate;
  readonly stop: () => void;
}

function following(source: Discovery, options?: FollowOptions, seed = 1): Following {
  const env = testEnv(seed);
  const sets: string[] = [];
  const errors: string[] = [];
  const { signal, abort } = countedSignal();
  const followed = follow(
    source,
    env,
    signal,
    {
      set: set => sets.push(set.map(({ id, weight }) => (weight === 0 ? `(${id})` : id)).join(' ')),
      error: error => errors.push(error instanceof Error ? error.message : String(error)),
    },
    options,
  );
  return { ...env, sets, errors, over: watch(followed), stop: () => abort('stopped') };
}

async function scripted(options?: FollowOptions): Promise<ScriptedFollowing> {
  const source = scriptedDiscovery([a, b]);
  const followed = following(source.discovery, options);
  await settled();
  return { ...followed, source, set: source.set, fail: source.fail };
}

interface ScriptedFollowing extends Following {
  readonly source: ScriptedDiscovery;
  readonly set: ScriptedDiscovery['set'];
  readonly fail: ScriptedDiscovery['fail'];
}

describe('sets', () => {
  test('a set is taken, sorted by id; one that says the same in other words is not', async () => {
    const { sets, set } = await scripted();
    for (const same of [
      [b, a],
      [{ ...a, weight: 1, priority: 0, metadata: {} }, b],
      [a, { ...b, zone: undefined as never }],
    ]) {
      set(same);
    }
    await settled();
    expect(sets).toEqual(['a b']);
    set([a, b, c]);
    set([c, { ...a, weight: 2 }, b]);
    set([c, { ...a, weight: 2, metadata: { version: '2' } }, b]);
    set([{ ...a, host: 'elsewhere' }]);
    await settled();
    expect(sets).toEqual(['a b', 'a b c', 'a b c', 'a b c', 'a']);
  });

  test.each([
    ['not an array', { a }],
    ['nothing', undefined],
    ['null', null],
    ['a text', 'a:80'],
    ['mostly unusable', [a, { id: 'b' }, { id: 'c' }]],
  ])('nonsense (%s) is reported, the last good set stands and the source goes on', async (_, nonsense) => {
    const { sets, errors, set, clock, over } = await scripted();
    set(nonsense);
    await settled();
    expect(errors).toHaveLength(1);
    set([c]);
    await settled();
    expect(sets).toEqual(['a b', 'c']);
    expect(clock.pending).toBe(0);
    expect(over.state).toBe('pending');
  });

  test('a set whose reading throws is nonsense like any other', async () => {
    const { sets, errors, set } = await scripted();
    set([
      {
        get id(): string {
          throw new Error('a trap');
        },
      },
    ]);
    set([c]);
    await settled();
    expect(errors).toEqual(['a trap']);
    expect(sets).toEqual(['a b', 'c']);
  });

  test('a set that the follower refuses is offered again when the source repeats it', async () => {
    const env = testEnv();
    const source = scriptedDiscovery([a], [b], [b]);
    const offered: string[] = [];
    const errors: unknown[] = [];
    void follow(source.discovery, env, new AbortController().signal, {
      set(set) {
        offered.push(set.map(({ id }) => id).join(' '));
        if (offered.length === 2) throw 'not now';
      },
      error: error => errors.push(error),
    });
    await settled();
    expect(offered).toEqual(['a', 'b', 'b']);
    expect(errors).toEqual(['not now']);
  });

  test('a source may report what is wrong and go on', async () => {
    const { sets, errors } = following(async function* (_env, _signal, report) {
      report(new Error('stale'));
      yield [a];
      await new Promise(() => {});
    });
    await settled();
    expect([sets, errors]).toEqual([['a'], ['stale']]);
  });

  test('a source that gives sets without ever waiting leaves the process time for other things', async () => {
    let given = 0;
    const { clock, stop } = following(async function* () {
      for (;;) yield [endpoint(`x${given++}`)];
    });
    for (let i = 0; i < 20; i++) await settled();
    const before = given;
    expect(before).toBeGreaterThan(0);
    await settled();
    expect(given).toBeLessThanOrEqual(101); // it waits on the clock now
    await clock.advance(5);
    expect(given).toBeGreaterThan(before);
    stop();
  });
});

describe('empty sets', () => {
  test('a first set is believed, be it empty', async () => {
    const { sets } = following(scriptedDiscovery([]).discovery);
    await settled();
    expect(sets).toEqual(['']);
  });

  test.each<[string, Endpoint[], string]>([
    ['no endpoint', [], ''],
    ['drained ones only', [drained(a), drained(b)], '(a) (b)'],
  ])('%s is believed when nothing else has been said for 30 s', async (_, set, taken) => {
    const { sets, clock, source } = await scripted();
    source.set(set);
    await clock.advance(29_999);
    expect(sets).toEqual(['a b']);
    await clock.advance(1);
    expect(sets).toEqual(['a b', taken]);
    expect(clock.pending).toBe(0);
  });

  test('a good set in between ends the doubt, and the next empty one is doubted afresh', async () => {
    const { sets, clock, set } = await scripted({ emptyAfter: 1000 });
    set([]);
    await clock.advance(900);
    set([a, b]);
    await clock.advance(900);
    expect(clock.pending).toBe(0);
    set([]);
    await clock.advance(900);
    expect(sets).toEqual(['a b']);
    await clock.advance(100);
    expect(sets).toEqual(['a b', '']);
  });

  test('repetition neither shortens nor lengthens the doubt, and the latest word is what is believed', async () => {
    const { sets, clock, set } = await scripted({ emptyAfter: 1000 });
    set([]);
    for (let i = 0; i < 9; i++) {
      await clock.advance(100);
      set(i === 8 ? [drained(a)] : []);
    }
    await clock.advance(99);
    expect(sets).toEqual(['a b']);
    await clock.advance(1);
    expect(sets).toEqual(['a b', '(a)']);
  });

  test('a source that fails while it is doubted has not gone on saying so: the doubt begins afresh when it is back', async () => {
    const { sets, clock, set, fail } = await scripted({ emptyAfter: 1000 });
    set([]);
    await clock.advance(500);
    fail('the registry restarts');
    await clock.advance(5000);
    expect(sets).toEqual(['a b']);
    set([]);
    await clock.advance(999);
    expect(sets).toEqual(['a b']);
    await clock.advance(1);
    expect(sets).toEqual(['a b', '']);
  });

  test('with emptyAfter 0 it is believed at once, with Infinity never', async () => {
    const [once, never] = [await scripted({ emptyAfter: 0 }), await scripted({ emptyAfter: Infinity })];
    for (const { set } of [once, never]) set([]);
    for (const { clock } of [once, never]) await clock.advance(1e9);
    expect([once.sets, never.sets]).toEqual([['a b', ''], ['a b']]);
  });

  test('a source that says so and ends is believed in time, too', async () => {
    const { sets, clock, set, source, over } = await scripted({ emptyAfter: 1000 });
    set([]);
    source.end();
    await clock.advance(999);
    expect(over.state).toBe('resolved');
    expect(sets).toEqual(['a b']);
    await clock.advance(1);
    expect(sets).toEqual(['a b', '']);
  });

  test('whoever stops while in doubt leaves no timer', async () => {
    const { sets, clock, set, stop } = await scripted();
    set([]);
    await settled();
    expect(clock.pending).toBe(1);
    stop();
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect(sets).toEqual(['a b']);
  });
});

describe('restarts', () => {
  test('a source that throws is started afresh, after a wait that doubles up to the most and is never the same', async () => {
    const waits: number[] = [];
    let last = 0;
    const { clock, errors, stop } = following(
      // biome-ignore lint/correctness/useYield: it never gets so far
      async function* ({ clock }) {
        waits.push(clock.now() - last);
        last = clock.now();
        throw new Error('down');
      },
      { restartAfter: 100, maxRestartAfter: 3200 },
    );
    await clock.advance(20_000);
    stop();
    waits.slice(1).forEach((wait, i) => {
      const most = Math.min(3200, 100 * 2 ** i);
      expect(wait).toBeGreaterThanOrEqual(most / 2);
      expect(wait).toBeLessThan(most);
    });
    expect(waits.length).toBeGreaterThan(10);
    expect(new Set(waits).size).toBe(waits.length);
    expect(errors).toHaveLength(waits.length);
    await settled();
    expect(clock.pending).toBe(0);
  });

  test('one that gave a set before it failed is started afresh after the shortest wait, and its last set stands', async () => {
    const { sets, clock, set, fail, source } = await scripted({ restartAfter: 100 });
    for (let i = 0; i < 6; i++) fail('down');
    await clock.advance(10_000);
    expect(sets).toEqual(['a b']);
    set([a]);
    await settled();
    fail('down again');
    await clock.advance(100);
    set([c]);
    await settled();
    expect(sets).toEqual(['a b', 'a', 'c']);
    expect(source.running).toBe(1);
  });

  test('a thousand failures do not make the wait anything but the longest', async () => {
    let starts = 0;
    const { clock } = following(
      () => {
        starts++;
        throw new Error('down');
      },
      { restartAfter: 1, maxRestartAfter: 2 },
    );
    await clock.advance(4000);
    expect(starts).toBeGreaterThan(2000); // 2 ms at most
    expect(starts).toBeLessThan(4010);
  });

  test.each<[string, unknown]>([
    [
      'throws at once',
      () => {
        throw new Error('down');
      },
    ],
    ['answers nothing', () => undefined],
    ['answers what cannot be iterated', () => ({})],
    ['answers an array, not a stream', () => [[a]]],
    [
      'gives what is no promise',
      () => ({ [Symbol.asyncIterator]: () => ({ next: () => ({ value: [a], done: false }) }) }),
    ],
    [
      'gives a promise of nothing',
      () => ({ [Symbol.asyncIterator]: () => ({ next: async () => undefined }) }),
    ],
    [
      'rejects',
      () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('down')) }) }),
    ],
  ])('a source that %s is reported and started afresh, for as long as it takes', async (_, source) => {
    let starts = 0;
    const { errors, clock, over, stop } = following((...given) => {
      starts++;
      return (source as Discovery)(...given);
    });
    await clock.advance(1000);
    expect(starts).toBeGreaterThan(2);
    expect(errors).toHaveLength(starts);
    stop();
    await settled();
    expect(over.state).toBe('resolved');
    expect(clock.pending).toBe(0);
  });

  test('a source that ends is over: its last set stands', async () => {
    const { over, clock, errors, source } = await scripted();
    source.end();
    await clock.advance(60_000);
    expect(over.state).toBe('resolved');
    expect([source.starts, source.running, errors, clock.pending]).toEqual([1, 0, [], 0]);
  });
});

describe('stopping', () => {
  test('ends a source that waits, and nothing of it is left', async () => {
    const { over, clock, stop, source } = await scripted();
    stop();
    await settled();
    expect(over.state).toBe('resolved');
    expect([source.running, clock.pending]).toEqual([0, 0]);
  });

  test.each<[string, Discovery]>([
    [
      'never answers',
      async function* () {
        await new Promise(() => {});
        yield [];
      },
    ],
    [
      'takes no notice and fails later',
      async function* ({ clock }) {
        await new Promise<void>(resolve => void clock.after(50, resolve));
        throw new Error('later');
      },
    ],
    [
      'takes no notice and answers later',
      async function* ({ clock }) {
        await new Promise<void>(resolve => void clock.after(50, resolve));
        yield [a];
      },
    ],
    [
      'cannot be told',
      () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: () => {
            throw new Error('rude');
          },
        }),
      }),
    ],
    [
      'rejects to be told',
      () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: () => Promise.reject(new Error('rude')),
        }),
      }),
    ],
  ])('leaves behind a source that %s, and hears nothing more of it', async (_, source) => {
    const { over, clock, stop, sets, errors } = following(source);
    await settled();
    stop();
    await settled();
    expect(over.state).toBe('resolved');
    await clock.advance(100);
    expect([sets, errors, clock.pending]).toEqual([[], [], 0]);
  });

  test('calls off a restart', async () => {
    const { clock, stop, over, fail } = await scripted();
    fail('down');
    await settled();
    expect(clock.pending).toBe(1);
    stop();
    await settled();
    expect([over.state, clock.pending]).toEqual(['resolved', 0]);
  });

  test('before it began, nothing begins', async () => {
    const source = scriptedDiscovery([a]);
    await follow(source.discovery, testEnv(), AbortSignal.abort(), { set() {}, error() {} });
    expect(source.starts).toBe(0);
  });

  test.each([[[]], [[b]]])(
    'a set that is on its way when it stops is not taken, and sets no timer: %j',
    async late => {
      const env = testEnv();
      const controller = new AbortController();
      const sets: unknown[] = [];
      const source: Discovery = () => {
        let turn = 0;
        return {
          [Symbol.asyncIterator]: () => ({
            next: async () => {
              if (turn++ === 0) return { done: false, value: [a] };
              // The set has been given; the stop comes before it is received.
              queueMicrotask(() => queueMicrotask(() => controller.abort('stopped')));
              return { done: false, value: late };
            },
          }),
        };
      };
      await follow(source, env, controller.signal, { set: set => sets.push(set), error() {} });
      expect(sets).toEqual([[a]]);
      expect(env.clock.pending).toBe(0);
    },
  );
});
