import { type Classifier, consecutiveFailures, type Policy, retry, type Task } from 'fairlead/core';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limit } from '../../src/policy/limit.ts';
import { type ThrottleOptions, throttle } from '../../src/policy/throttle.ts';
import { rig, testEnv } from '../helpers.ts';

const good: Task<string> = async () => 'ok';
const bad: Task<never> = () => Promise.reject(new Error('refused'));
const code = (error: unknown): unknown => (error as { code?: string }).code;

/** A throttled client whose chance is set by hand: 0 is refused wherever any share is, and almost 1 never. */
async function throttled(
  options: ThrottleOptions = {},
  {
    more = [],
    around = [],
    classifier,
  }: { more?: Policy[]; around?: Policy[]; classifier?: Classifier } = {},
) {
  const { clock } = testEnv();
  const chance = { next: 0.999999 };
  const made = rig(2, {
    env: { clock, random: () => chance.next },
    policies: [...around, throttle({ minPerSecond: 0, ...options }), ...more],
    ...(classifier && { classifier }),
  });
  const { client } = made;
  await client.ready();
  const run = (task: Task<unknown>): Promise<unknown> =>
    client.run(task).catch(error => code(error) ?? 'failed');
  /** Whether a call drawn at `share` is refused. */
  const refused = async (share: number): Promise<boolean> => {
    chance.next = share;
    const result = await run(good);
    chance.next = 0.999999;
    return result === 'THROTTLED';
  };
  return { ...made, clock, run, refused };
}

test('as long as at least half of the calls succeed nothing is refused', async () => {
  const { run, refused } = await throttled();
  for (let n = 0; n < 20; n++) {
    await run(good);
    await run(bad);
    expect(await refused(0)).toBe(false);
  }
});

test('the share refused is (requests - 2 accepts) / (requests + 1)', async () => {
  const { run, refused } = await throttled();
  for (let n = 0; n < 3; n++) await run(good);
  for (let n = 0; n < 7; n++) await run(bad);
  // 10 requests, 3 accepts: 4 in 11. Whoever is let through changes it, so each is asked of its own.
  expect(await refused(4 / 11 - 1e-9)).toBe(true);
  const other = await throttled();
  for (let n = 0; n < 3; n++) await other.run(good);
  for (let n = 0; n < 7; n++) await other.run(bad);
  expect(await other.refused(4 / 11)).toBe(false);
});

test('never more than four fifths are refused, so that somebody finds out when it is over', async () => {
  const { run, refused } = await throttled();
  for (let n = 0; n < 1000; n++) await run(bad);
  expect(await refused(0.7999)).toBe(true);
  expect(await refused(0.8)).toBe(false);
});

test('who is refused reaches no member, gets an error of its own without a stack, and is not tried again', async () => {
  const { run, client, lines, env } = await withEnv();
  for (let n = 0; n < 50; n++) await run(bad);
  env.next = 0;
  lines.length = 0;
  const [first, second] = await Promise.all([1, 2].map(() => client.run(good).catch(error => error)));
  expect(first).toMatchObject({ name: 'FairleadError', code: 'THROTTLED', attempts: [] });
  expect(first.message).toBe('80 % of the calls are refused, for too many fail');
  expect(first.stack).not.toContain('\n');
  expect(second).not.toBe(first);
  expect(lines).toEqual([]);
});

/** With a retry around it and a breaker inside. */
async function withEnv() {
  const env = { next: 0.999999 };
  const { clock } = testEnv();
  const { client, lines } = rig(2, {
    env: { clock, random: () => env.next },
    breaker: consecutiveFailures({ threshold: 1e6 }),
    policies: [retry({ attempts: 2, backoff: () => 0 }), throttle({ minPerSecond: 0 })],
  });
  await client.ready();
  const run = (task: Task<unknown>): Promise<unknown> =>
    client.run(task).catch(error => code(error) ?? 'failed');
  return { client, lines, env, run };
}

test('inside retry a refusal ends the call, and its error tells of the attempts before', async () => {
  const { client, env, run } = await withEnv();
  for (let n = 0; n < 50; n++) await run(bad);
  const error = await client
    .run(() => {
      env.next = 0;
      return Promise.reject(new Error('refused'));
    })
    .catch(error => error);
  expect(error).toMatchObject({ code: 'THROTTLED', attempts: [{ outcome: 'failure' }] });
});

test('outside retry what counts is what became of the call', async () => {
  const { run, refused } = await throttled({}, { more: [retry({ budget: false, backoff: () => 0 })] });
  for (let n = 0; n < 20; n++) {
    let first = true;
    await run(() => {
      const fails = first;
      first = false;
      return fails ? Promise.reject(new Error('refused')) : Promise.resolve('ok');
    });
  }
  expect(await refused(0)).toBe(false);
});

test('up to five calls a second nothing is refused, whatever fails', async () => {
  const { run, refused } = await throttled({ minPerSecond: 5 });
  for (let n = 0; n < 9; n++) await run(bad);
  expect(await refused(0)).toBe(false); // the tenth in 2 s
  expect(await refused(0)).toBe(true);
});

test('after the window all is forgotten', async () => {
  const { run, refused, clock } = await throttled();
  for (let n = 0; n < 50; n++) await run(bad);
  await clock.advance(1999);
  expect(await refused(0.51)).toBe(true);
  await clock.advance(1); // now there is that one alone: (1 - 0) / (1 + 1)
  expect(await refused(0.51)).toBe(false);
});

// After one failure alone the share is (1 - 0) / (1 + 1).
test.each([
  [0.5 - 1e-9, true],
  [0.5, false],
])(
  'a caller who gives up, a call that gets no member and one refused inside count as nothing: %d',
  async (share, is) => {
    const { client, run, refused } = await throttled({}, { more: [limit({ concurrency: 1 })] });
    for (let n = 0; n < 50; n++) {
      const controller = new AbortController();
      const gone = client.run(() => new Promise(() => {}), { signal: controller.signal }).catch(() => {});
      expect(await run(good)).toBe('OVERLOADED');
      controller.abort();
      await gone;
    }
    for (const id of ['m000', 'm001']) client.pool.isolate(id);
    for (let n = 0; n < 50; n++) expect(await run(good)).toBe('NO_AVAILABLE_ENDPOINT');
    for (const id of ['m000', 'm001']) client.pool.release(id);
    await run(bad);
    expect(await refused(share)).toBe(is);
  },
);

test.each([
  ['a retry that gets no member, inside', [retry({ attempts: 2, backoff: () => 5 })], [], 0],
  // One that tries again and leaves the call as it is, which retry does not.
  ['another try that gets no member, outside', [], [again()], 1],
])('%s: what the try before it did is not counted for it', async (_, more, around, failures) => {
  const { client, run, refused, clock } = await throttled({ maxRefused: 1 }, { more, around });
  for (let n = 0; n < 9; n++) {
    const over = run(async () => {
      client.pool.isolate('m000');
      client.pool.isolate('m001');
      await new Promise<void>(resolve => void clock.after(1, resolve));
      throw new Error('refused');
    });
    await clock.advance(10);
    expect(await over).toBe('NO_AVAILABLE_ENDPOINT');
    client.pool.release('m000');
    client.pool.release('m001');
  }
  // Nothing at all, or nine failures, not 18.
  expect(await refused(failures === 0 ? 0 : 0.9)).toBe(false);
});

function again(): Policy {
  return next => (task, call) => next(task, call).catch(() => next(task, call));
}

test('a call counts when it is over, however long ago it began', async () => {
  const { run, refused, clock } = await throttled();
  const slow = Array.from({ length: 20 }, () =>
    run(() => new Promise((_, reject) => void clock.after(60_000, () => reject(new Error('refused'))))),
  );
  await clock.advance(60_000);
  await Promise.all(slow);
  expect(await refused(0.7)).toBe(true);
});

test('a policy inside that throws, or a task that does, is a call like others', async () => {
  const thrower: Policy = () => () => {
    throw new Error('policy');
  };
  const { run } = await throttled({}, { more: [thrower] });
  expect(await run(good)).toBe('failed');
});

describe('which failures speak of overload', () => {
  const statuses: Classifier = {
    value: value => ((value as number) < 500 ? 'success' : 'failure'),
    error: () => 'failure',
  };
  const answer = (status: number) => async (): Promise<number> => status;

  test('any, without asking whoever was not named', async () => {
    const { run, lines } = await throttled();
    for (let n = 0; n < 5; n++) await run(bad);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
  });

  test('any, unless the user knows better', async () => {
    const { run, refused } = await throttled({}, { classifier: statuses });
    for (let n = 0; n < 50; n++) await run(answer(500));
    expect(await refused(0.5)).toBe(true);
  });

  test('those of which the user says so; the others are accepted', async () => {
    const overload: ThrottleOptions['overload'] = ({ value }) => value === 503;
    const { run, refused } = await throttled({ overload }, { classifier: statuses });
    for (let n = 0; n < 50; n++) await run(answer(500));
    expect(await refused(0)).toBe(false);
    for (let n = 0; n < 150; n++) await run(answer(503));
    expect(await refused(0.4)).toBe(true);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
      'fault policy mine',
    ],
    ['answers nonsense', () => undefined as never, undefined],
  ])('where the user %s, all do', async (_, overload, told) => {
    const { run, refused, lines } = await throttled({ overload }, { classifier: statuses });
    for (let n = 0; n < 50; n++) await run(answer(503));
    expect(await refused(0.5)).toBe(true);
    expect(lines.find(line => line.startsWith('fault'))).toBe(told);
  });
});

test('whatever has happened, the share is as the formula has it, and each client has its own', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('good' as const, 'bad' as const, 'refused' as const), {
        maxLength: 60,
        size: 'max',
      }),
      fc.record({
        ratio: fc.double({ min: 1, max: 4, noNaN: true }),
        maxRefused: fc.integer({ min: 0, max: 100 }).map(percent => percent / 100),
        minPerSecond: fc.integer({ min: 0, max: 5 }),
      }),
      async (history, options) => {
        const draw = { next: 1 };
        const { clock } = testEnv();
        const policies = [throttle(options)];
        const made = [1, 2].map(() => rig(2, { env: { clock, random: () => draw.next }, policies }).client);
        const [client, other] = made as [(typeof made)[0], (typeof made)[0]];
        await Promise.all(made.map(each => each.ready()));
        let requests = 0;
        let accepts = 0;
        const share = (): number =>
          requests < options.minPerSecond * 2
            ? 0
            : Math.max(
                0,
                Math.min(options.maxRefused, (requests - options.ratio * accepts) / (requests + 1)),
              );
        for (const step of history) {
          const expected = share();
          draw.next = step === 'refused' ? expected * 0.999 : Math.max(expected, 1e-12);
          const result = await client
            .run(step === 'bad' ? bad : good)
            .catch(error => code(error) ?? 'failed');
          const isRefused = step === 'refused' && expected > 0;
          expect(result === 'THROTTLED').toBe(isRefused);
          requests++;
          if (!isRefused && step !== 'bad') accepts++;
        }
        draw.next = 0;
        await expect(other.run(good)).resolves.toBe('ok');
      },
    ),
    { numRuns: 100 },
  );
});

test('with everything down a fifth of the calls go on, and after it all do again within three windows', async () => {
  const { client, clock } = rig(2, { policies: [throttle()] }, 7);
  await client.ready();
  /** How many of a second's 100 calls were refused. */
  const second = async (task: Task<unknown>): Promise<number> => {
    let refused = 0;
    for (let n = 0; n < 100; n++) {
      client.run(task).catch(error => code(error) === 'THROTTLED' && refused++);
      await clock.advance(10);
    }
    await settled();
    return refused;
  };
  for (let n = 0; n < 10; n++) expect(await second(good)).toBe(0);
  for (let n = 0; n < 10; n++) await second(bad);
  // 100 draws at 0.8: a standard deviation is 4.
  const down = await second(bad);
  expect(down).toBeGreaterThan(68);
  expect(down).toBeLessThan(92);
  for (let n = 0; n < 5; n++) await second(good);
  expect(await second(good)).toBe(0);
  expect(clock.pending).toBe(0);
});

describe('bad options', () => {
  const NO_NUMBERS = [null, '5', true, {}, Number.NaN];
  const ROWS: readonly [keyof ThrottleOptions, readonly unknown[]][] = [
    ['ratio', [...NO_NUMBERS, 0.99]],
    ['maxRefused', [...NO_NUMBERS, -0.1, 1.1]],
    ['minPerSecond', [...NO_NUMBERS, -1]],
    ['window', [...NO_NUMBERS, 0, Infinity]],
    ['overload', [null, 'f', 5, {}, true]],
  ];
  test.each(ROWS.flatMap(([name, values]) => values.map(value => [name, value] as const)))(
    'throttle %s: %o is refused by name',
    (name, value) => {
      expect(() => throttle({ [name]: value } as never)).toThrow(`throttle ${name}`);
    },
  );
});
