import { type Outcome, timeout } from 'fairlead/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GradientOptions, gradient } from '../../src/policy/gradient.ts';
import { limit } from '../../src/policy/limit.ts';
import { rig, testEnv, watch } from '../helpers.ts';
import { atMost } from '../in-loops.ts';

const WINDOW = 100;

/** Latencies and outcomes, over and over. */
type Mix = readonly (readonly [elapsed: number, outcome: Outcome])[];

/** A limit, and what feeds it one window at a time: ten of a kind, with so many in flight. */
function fed(options?: GradientOptions) {
  const env = testEnv();
  const adaptive = gradient(options)(env);
  let now = 0;
  const window = (mix: Mix, inFlight = adaptive.current): number => {
    now += WINDOW;
    for (let i = 0; i < 10; i++) {
      const [elapsed, outcome] = mix[i % mix.length]!;
      adaptive.ended(outcome, elapsed, inFlight, now);
    }
    return adaptive.current;
  };
  const windows = (count: number, mix: Mix, inFlight?: number): number => {
    for (let i = 0; i < count; i++) window(mix, inFlight);
    return adaptive.current;
  };
  const pause = (ms: number): void => {
    now += ms;
  };
  return { adaptive, env, window, windows, pause };
}

const ok = (elapsed: number) => [[elapsed, 'success']] as const;
const failed = (elapsed: number) => [[elapsed, 'failure']] as const;

/** How a window that is not slow moves the limit, by the formula of Gradient2: a fifth of the way to `limit * slope + 4`. */
const moved = (current: number, slope: number): number => current + 0.2 * (current * slope + 4 - current);

describe('gradient', () => {
  test('begins at 20 and grows by 0.8 a window while calls take as long as usual', () => {
    const { adaptive, window, windows } = fed();
    expect(adaptive.current).toBe(20);
    expect(window(ok(10))).toBeCloseTo(20.8);
    expect(windows(4, ok(10))).toBeCloseTo(24);
  });

  test('calls that take no time at all are as usual as others', () => {
    expect(fed().windows(5, ok(0))).toBeCloseTo(24);
  });

  test('what takes up to one and a half times as long as usual is usual', () => {
    const { windows, window, adaptive } = fed();
    windows(20, ok(10));
    const before = adaptive.current;
    // The window itself teaches a little: 2 * 100 ms of 600 s.
    expect(window(ok(15))).toBeCloseTo(moved(before, 1), 9);
    expect(window(ok(15.2))).toBeLessThan(moved(adaptive.current, 1));
  });

  test('falls at once in proportion to how much longer it takes, but never by more than half', () => {
    for (const [elapsed, slope] of [
      [20, 0.75],
      [25, 0.6],
      [30, 0.5],
      [3000, 0.5],
    ] as const) {
      const { windows, window, adaptive } = fed();
      windows(20, ok(10));
      const before = adaptive.current;
      expect(window(ok(elapsed))).toBeCloseTo(before * slope, 6);
    }
  });

  test('never falls below the queue, however slow all is', () => {
    const { windows } = fed({ memory: 1e12 });
    windows(20, ok(10));
    expect(windows(10, ok(1000))).toBe(4);
    const other = fed({ memory: 1e12, queue: 0 });
    other.windows(20, ok(10));
    expect(other.windows(10, ok(1000))).toBe(1);
  });

  test('a service that was always slow now and then is not slow for being so again', () => {
    // One in ten takes 91 ms: 10 ms in the mean, with a standard deviation of 27, which is 8.5 in the mean of ten.
    const uneven: Mix = [...Array.from({ length: 9 }, () => ok(1)[0]), [91, 'success']];
    const { windows, window } = fed({ max: 60 });
    windows(100, uneven);
    const twice: Mix = [...Array.from({ length: 8 }, () => ok(1)[0]), [91, 'success'], [91, 'success']];
    expect(window(twice)).toBe(60);
    expect(window([[91, 'success']])).toBeLessThan(60);
  });

  test('one call in ten that takes as long as a hundred is an outlier, and no overload', () => {
    const { windows, window } = fed({ max: 60 });
    windows(100, ok(10));
    expect(window([...Array.from({ length: 9 }, () => ok(10)[0]), [1000, 'success']])).toBe(60);
  });

  test('latencies below a millisecond are alike', () => {
    const { windows, window } = fed({ max: 60 });
    windows(100, ok(0.1));
    expect(window(ok(1))).toBe(60);
    expect(window(ok(4))).toBeLessThan(60);
  });

  test('stays within min and max', () => {
    const low = fed({ min: 12, memory: 1e12 });
    low.windows(20, ok(10));
    expect(low.windows(500, ok(1000))).toBe(12);
    expect(fed({ max: 30 }).windows(500, ok(10))).toBe(30);
    expect(fed({ max: 5 }).adaptive.current).toBe(5);
    expect(fed({ min: 50 }).adaptive.current).toBe(50);
    expect(fed({ initial: 7 }).adaptive.current).toBe(7);
  });

  test('does not grow beyond where it began while less than half of it is in use', () => {
    const { window, windows } = fed();
    expect(windows(50, ok(10), 9)).toBe(20);
    expect(window(ok(10), 10)).toBeGreaterThan(20);
  });

  test('when it is slow, falls from what was in flight, by half at most, and then grows to where it began', () => {
    const { window, windows } = fed();
    windows(50, ok(10), 9);
    expect(window(ok(20), 16)).toBeCloseTo(16 * 0.75);
    expect(window(ok(20), 3)).toBeCloseTo(6);
    expect(window(ok(10), 1)).toBeCloseTo(6.8);
    expect(windows(50, ok(10), 1)).toBeCloseTo(20, 0);
  });

  test('of a window the most in flight counts', () => {
    const { adaptive } = fed();
    for (let i = 0; i < 10; i++) adaptive.ended('success', 10, i === 3 ? 20 : 1, WINDOW);
    expect(adaptive.current).toBeCloseTo(20.8);
    for (let i = 0; i < 10; i++) adaptive.ended('success', 10, 1, 2 * WINDOW);
    expect(adaptive.current).toBeCloseTo(20.8);
  });

  test('a window is not over before its time, nor before ten have told', () => {
    const { adaptive } = fed();
    for (let i = 0; i < 100; i++) adaptive.ended('success', 10, 20, WINDOW - 1);
    expect(adaptive.current).toBe(20);
    adaptive.ended('success', 10, 20, WINDOW);
    expect(adaptive.current).toBeGreaterThan(20);
    const before = adaptive.current;
    for (let i = 0; i < 9; i++) adaptive.ended('success', 10, 20, 1e4 + i);
    expect(adaptive.current).toBe(before);
    adaptive.ended('success', 10, 20, 2e4);
    expect(adaptive.current).toBeGreaterThan(before);
  });

  test('also where the clock began long ago', async () => {
    const { clock, random } = testEnv();
    await clock.advance(5000);
    const adaptive = gradient()({ clock, random });
    for (let i = 0; i < 100; i++) adaptive.ended('success', 10, 20, 5000 + WINDOW - 1);
    expect(adaptive.current).toBe(20);
    adaptive.ended('success', 10, 20, 5000 + WINDOW);
    expect(adaptive.current).toBeCloseTo(20.8);
  });

  test('callers who give up after as long as usual tell nothing', () => {
    const { adaptive, windows } = fed();
    windows(10, ok(10));
    const before = adaptive.current;
    for (let i = 0; i < 100; i++) adaptive.ended('ignored', 10, 20, 1e4);
    expect(adaptive.current).toBe(before);
  });

  test('one that may not move stays where it is', () => {
    expect(fed({ min: 5, max: 5 }).windows(10, ok(10))).toBe(5);
  });

  test('who fails fast does not seem fast: failures lower it by their share', () => {
    const { windows, window, adaptive } = fed({ memory: 1e12 });
    windows(20, ok(10));
    let before = adaptive.current;
    expect(window([...ok(10), ...ok(10), ...ok(10), ...failed(0), ...ok(10)])).toBeCloseTo(
      moved(before, 0.8),
    );
    before = adaptive.current;
    expect(window(failed(0))).toBeCloseTo(moved(before, 0.5));
    // Nor was anything learned of it: 10 ms is as usual as before, and 15 ms no slower.
    before = adaptive.current;
    expect(window(ok(14.9))).toBeCloseTo(moved(before, 1));
  });

  test('time-outs, all alike, never come to be taken for usual', () => {
    const { windows } = fed();
    windows(20, ok(10));
    expect(windows(50_000, failed(1000))).toBe(4);
  });

  test('where all fail from the first on, it is low as well', () => {
    expect(fed().windows(100, failed(1000))).toBeCloseTo(8);
    expect(fed().windows(100, failed(0))).toBeCloseTo(8);
  });

  test('callers who give up before there is an answer say that it is slow, if they waited longer than usual', () => {
    const patient = fed({ memory: 1e12 });
    patient.windows(20, ok(10));
    const before = patient.adaptive.current;
    expect(patient.window([[40, 'ignored']])).toBeCloseTo(before * 0.5);
    const mixed = fed({ memory: 1e12 });
    mixed.windows(20, ok(10));
    const then = mixed.adaptive.current;
    // In the mean 25 ms.
    expect(mixed.window([...ok(10), [40, 'ignored']])).toBeCloseTo(then * 0.6);
    const first = fed();
    expect(first.windows(50, [[40, 'ignored']])).toBe(20);
    const hasty = fed();
    hasty.windows(20, ok(10));
    const after = hasty.adaptive.current;
    expect(hasty.windows(50, [[1, 'ignored']])).toBe(after);
  });

  test('what has become slower for good is usual within a minute, learned at the floor', () => {
    const { windows, adaptive } = fed();
    windows(100, ok(10));
    // By a 300th of the way a window: after 109 it is 0.3 of the way, at 16 ms with a standard deviation of 9.
    expect(windows(100, ok(30))).toBe(4);
    expect(windows(20, ok(30))).toBeGreaterThan(4);
    windows(500, ok(30));
    expect(adaptive.current).toBe(200);
  });

  test('what is slow does not become usual while the limit can still fall', () => {
    const { windows, window, adaptive } = fed();
    windows(20, ok(10));
    windows(2, ok(30));
    const before = adaptive.current;
    expect(window(ok(25))).toBeCloseTo(before * 0.6, 6);
  });

  test('failures that come late lower it by their share if they are more than one in twenty', () => {
    const { windows, adaptive } = fed({ max: 60 });
    windows(100, ok(10));
    const before = adaptive.current;
    const late = (of: number): void => {
      for (let i = 0; i < of; i++)
        adaptive.ended(i === 0 ? 'failure' : 'success', i === 0 ? 12 : 10, 60, 20_000 + 200 * of);
    };
    late(10);
    expect(adaptive.current).toBeCloseTo(before * 0.9);
    // Early ones may have any reason: that lowers it as the formula has it.
    const other = fed({ max: 60 });
    other.windows(100, ok(10));
    const early: Mix = [...Array.from({ length: 9 }, () => ok(10)[0]), [9, 'failure']];
    expect(other.window(early)).toBeCloseTo(moved(60, 0.9));
  });

  test('what has become quicker is usual within a minute: by a twentieth a second while it is half', () => {
    const { windows, window } = fed({ max: 60 });
    windows(100, ok(100));
    windows(250, ok(10)); // 100 ms * 0.95 ** 25 is 28 ms, and 1.5 times that 42 ms, and a little for chance
    expect(window(ok(40))).toBe(60);
    windows(200, ok(10)); // ln(100 / 20) / -ln(0.95) = 31 s until usual is 20 ms
    expect(window(ok(40))).toBeLessThan(60);
  });

  test('what is usual moves by twice the share that the window is of the memory', () => {
    const { windows, window, adaptive } = fed({ memory: 4000 });
    windows(20, ok(10));
    window(ok(14)); // usual is 10.2 ms now, with a variance of 0.76
    const before = adaptive.current;
    expect(window(ok(30))).toBeCloseTo((before * (1.5 * 10.2 + 2 * Math.sqrt(0.76 / 10))) / 30, 6);
  });

  test('after a pause, however long, quick answers lower what is usual by a twentieth at a time', () => {
    const { windows, window, pause, adaptive } = fed({ max: 60 });
    windows(100, ok(100));
    pause(3_600_000);
    window(ok(10)); // a tenth of the way, 91 ms, less a twentieth: 86.45 ms, with a variance of 658
    const before = adaptive.current;
    expect(window(ok(200))).toBeCloseTo((before * (1.5 * 86.45 + 2 * Math.sqrt(658 / 10))) / 200, 1);
  });

  test('what is usual is at first the mean of ten windows', () => {
    const { window, windows, adaptive } = fed({ memory: 1e12, max: 1000 });
    window(ok(30));
    windows(9, ok(10)); // in the mean 12 ms, with a variance of 36
    const before = adaptive.current;
    expect(window(ok(24))).toBeCloseTo((before * (1.5 * 12 + 2 * Math.sqrt(36 / 10))) / 24, 6);
  });

  test('whatever it is told, it stays within its bounds, and needs no timer', () => {
    const told = fc.tuple(
      fc.constantFrom<Outcome>('success', 'failure', 'ignored'),
      fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e7, noNaN: true })),
      fc.integer({ min: 1, max: 500 }),
      fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })),
    );
    const bounds = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 50, max: 300 }));
    fc.assert(
      fc.property(bounds, fc.array(told, { maxLength: 300, size: 'max' }), ([min, max], all) => {
        const { adaptive, env } = fed({ min, max, window: 1 });
        let now = 0;
        for (const [outcome, elapsed, inFlight, ms] of all) {
          adaptive.ended(outcome, elapsed, inFlight, (now += ms));
          atMost(min, adaptive.current);
          atMost(adaptive.current, max);
        }
        expect(env.clock.pending).toBe(0);
      }),
    );
  });

  test('in a client: time-outs make it narrow, and answers wide again', async () => {
    const policies = [limit({ concurrency: gradient() }), timeout(50)];
    const { client, clock } = rig(2, { policies });
    await client.ready();
    const round = async (ms: number): Promise<number> => {
      const task = (): Promise<void> => new Promise(resolve => void clock.after(ms, resolve));
      const fates = Array.from({ length: 50 }, () => watch(client.run(task)));
      await clock.advance(100);
      return fates.filter(({ value }) => (value as { code?: string })?.code !== 'OVERLOADED').length;
    };
    expect(await round(10)).toBe(20);
    for (let n = 0; n < 20; n++) await round(10);
    expect(await round(10)).toBeGreaterThan(30);
    for (let n = 0; n < 30; n++) await round(1000);
    expect(await round(10)).toBeLessThan(10);
    for (let n = 0; n < 45; n++) await round(10);
    expect(await round(10)).toBeGreaterThan(30);
  });
});

describe('bad options', () => {
  const NO_NUMBERS = [null, '5', true, {}, Number.NaN];
  const ROWS: readonly [keyof GradientOptions, readonly unknown[]][] = [
    ['initial', [...NO_NUMBERS, 0, 201]],
    ['min', [...NO_NUMBERS, 0, -1, Infinity]],
    ['max', [...NO_NUMBERS, 0, Infinity]],
    ['tolerance', [...NO_NUMBERS, 0.9]],
    ['queue', [...NO_NUMBERS, -1]],
    ['smoothing', [...NO_NUMBERS, 0, 1.1]],
    ['window', [...NO_NUMBERS, 0]],
    ['memory', [...NO_NUMBERS, 0]],
  ];
  test.each(ROWS.flatMap(([name, values]) => values.map(value => [name, value] as const)))(
    'gradient %s: %o is refused by name',
    (name, value) => {
      expect(() => gradient({ [name]: value } as never)).toThrow(`gradient ${name}`);
    },
  );

  test('min above max is refused', () => {
    expect(() => gradient({ min: 10, max: 5 })).toThrow('gradient max is 5; it must be at least min, 10');
  });
});
