import {
  alwaysClosed,
  type Breaker,
  type Classifier,
  type Endpoint,
  hedge,
  limit,
  type Policy,
  p2c,
  peakEwma,
  retry,
  retryBudget,
  timeout,
} from 'fairlead/core';
import { describe, expect, test } from 'vitest';
import { countedSignal, deferred, rig, running, watch } from '../helpers.ts';

const never = (): Promise<never> => new Promise(() => {});

/** Enough for any test here, unless the budget is what it is about. */
const generous = { ratio: 1, budget: false } as const;

describe('a late attempt', () => {
  test('is joined by one at another member, and the first success is the result', async () => {
    const { client, clock, lines } = rig(3, { policies: [hedge({ delay: 100, ...generous })] });
    const answers = new Map<string, ReturnType<typeof deferred<string>>>();
    const fate = watch(
      client.run(({ id }) => {
        const answer = deferred<string>();
        answers.set(id, answer);
        return answer.promise;
      }),
    );
    await clock.advance(99);
    expect(answers.size).toBe(1);
    await clock.advance(1);
    expect(answers.size).toBe(2);
    const [first, second] = [...answers.keys()];
    answers.get(second!)!.resolve('hedged');
    await clock.advance(1);
    expect(fate.value).toBe('hedged');
    expect(lines.filter(line => !line.startsWith('members'))).toEqual([
      `attempt ${first}`,
      'hedge 2 after 100',
      `attempt ${second}`,
      `attemptEnd ${second} success`,
      `attemptEnd ${first} ignored`,
    ]);
    expect(running(client)).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('may win all the same; the other is aborted and no evidence', async () => {
    const { client, clock, lines } = rig(2, { policies: [hedge({ delay: 100, ...generous })] });
    const signals: AbortSignal[] = [];
    const first = deferred<string>();
    const fate = watch(
      client.run((_, signal) => {
        signals.push(signal!);
        return signals.length === 1 ? first.promise : new Promise(() => {});
      }),
    );
    await clock.advance(150);
    first.resolve('late');
    await clock.advance(0);
    expect(fate.value).toBe('late');
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
    expect(lines.filter(line => line.startsWith('attemptEnd')).map(line => line.split(' ')[2])).toEqual([
      'success',
      'ignored',
    ]);
    expect(clock.pending).toBe(0);
  });

  test.each([
    ['the hedge', 2, 50],
    ['the first', 1, 150],
  ])('and policies around are told of the winner, %s, alone', async (_, winner, took) => {
    for (const between of [[], [timeout(10_000)]]) {
      const told: unknown[] = [];
      const concurrency = () => ({
        current: 1,
        ended: (...how: unknown[]) => void told.push(how.slice(0, 2)),
      });
      const { client, clock } = rig(2, {
        policies: [limit({ concurrency }), ...between, hedge({ delay: 100, ...generous })],
      });
      await client.ready();
      const answer = deferred();
      let begun = 0;
      const fate = watch(client.run(() => (++begun === winner ? answer.promise : never())));
      await clock.advance(150);
      answer.resolve();
      await clock.advance(0);
      expect(fate.state).toBe('resolved');
      expect(told).toEqual([['success', took]]);
    }
  });

  test('that is beaten teaches how long it took at least', async () => {
    const { client, clock } = rig(2, {
      balancer: p2c({ load: peakEwma({ decay: 1e9 }) }),
      policies: [hedge({ delay: 100, ...generous })],
    });
    let slow: string | undefined;
    const call = (): Promise<unknown> =>
      client.run(({ id }: Endpoint) => {
        slow ??= id;
        return id === slow ? new Promise(() => {}) : Promise.resolve(id);
      });
    const fate = watch(call());
    await clock.advance(100);
    expect(fate.state).toBe('resolved');
    const member = client.pool.members().find(({ endpoint: { id } }) => id === slow)!;
    expect(member.cost).toBeCloseTo(100, 3);
  });

  test.each([
    ['of a call that may not be repeated', 3, false],
    ['of a call that may be repeated only if nothing was sent', 3, 'unsent'],
    ['with no other member to try', 1, true],
  ] as const)('%s stays alone', async (_, members, repeatable) => {
    const { client, clock } = rig(members, { policies: [hedge({ delay: 100, ...generous })] });
    let runs = 0;
    const fate = watch(
      client.run(
        () => {
          runs++;
          return never();
        },
        { repeatable },
      ),
    );
    await clock.advance(10_000);
    expect([runs, fate.state, clock.pending]).toEqual([1, 'pending', 0]);
  });

  test('is joined by as many as are allowed, each after the delay', async () => {
    const { client, clock } = rig(5, {
      policies: [hedge({ delay: 100, attempts: 3, ratio: 2, budget: false })],
    });
    const at: number[] = [];
    watch(
      client.run(() => {
        at.push(clock.now());
        return never();
      }),
    );
    await clock.advance(1000);
    expect(at).toEqual([0, 100, 200]);
  });
});

describe('a failure', () => {
  test("before the delay is the retry's business, not the hedge's", async () => {
    const { client, clock, lines } = rig(2, { policies: [retry(), hedge({ delay: 100, ...generous })] });
    let runs = 0;
    const fate = watch(client.run(async () => (++runs === 1 ? Promise.reject(new Error('no')) : 'yes')));
    await clock.advance(1000);
    expect(fate.value).toBe('yes');
    expect(lines.filter(line => line.startsWith('hedge'))).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('of one while the other runs is not the end; of both it is, and a retry goes to a third', async () => {
    const { client, clock, lines } = rig(3, { policies: [retry(), hedge({ delay: 100, ...generous })] });
    const ends = [150, 200, 10];
    const seen: string[] = [];
    const fate = watch(
      client.run(async ({ id }) => {
        const n = seen.push(id);
        await new Promise<void>(resolve => void clock.after(ends[n - 1]! - (n === 2 ? 100 : 0), resolve));
        if (n < 3) throw new Error(`failure ${n}`);
        return 'third';
      }),
    );
    await clock.advance(199);
    expect([fate.state, seen.length]).toEqual(['pending', 2]);
    await clock.advance(50);
    expect(fate.value).toBe('third');
    expect(new Set(seen).size).toBe(3);
    expect(lines.filter(line => line.endsWith('failure'))).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  test.each(['error', 'value'])(
    'of the hedge first, by an %s, is not forgotten: a retry goes to a third',
    async kind => {
      const policies = [retry(), hedge({ delay: 100, ...generous })];
      const classifier: Classifier = {
        value: v => (v === 503 ? 'failure' : 'success'),
        error: () => 'failure',
      };
      const { client, clock, lines } = rig(3, { policies, classifier });
      const answers: ReturnType<typeof deferred<number>>[] = [];
      const fate = watch(
        client.run(() => {
          answers.push(deferred<number>());
          return answers.at(-1)!.promise;
        }),
      );
      await clock.advance(100);
      await client.run(async () => 0); // so that the hedge's member is next in turn after the first
      if (kind === 'error') answers[1]!.reject(new Error('down'));
      else answers[1]!.resolve(503);
      await clock.advance(0);
      answers[0]!.reject(new Error('down'));
      await clock.advance(0);
      answers[2]!.resolve(1);
      await clock.advance(0);
      expect(fate.value).toBe(1);
      const [first, second, other, third] = lines.filter(line => line.startsWith('attempt '));
      expect(new Set([first, second, third]).size).toBe(3);
      expect(other).toBe(third);
    },
  );

  test("is the caller's as it was, when nothing is left to try", async () => {
    const { client, clock } = rig(2, { policies: [hedge({ delay: 100, ...generous })] });
    let runs = 0;
    const errors = [new Error('first'), new Error('second')];
    const fate = watch(
      client.run(async () => {
        const error = errors[runs++]!;
        await new Promise<void>(resolve => void clock.after(150, resolve));
        throw error;
      }),
    );
    await clock.advance(1000);
    expect(fate.value).toBe(errors[1]);
  });

  test('that is a value, such as a 503, loses to a success, and is let go of', async () => {
    const discarded: unknown[] = [];
    const classifier: Classifier = {
      value: value => (value === 503 ? 'failure' : 'success'),
      error: () => 'failure',
      discard: value => discarded.push(value),
    };
    for (const [other, result] of [
      [200, 200],
      [503, 503],
    ]) {
      const { client, clock } = rig(2, { classifier, policies: [hedge({ delay: 100, ...generous })] });
      let runs = 0;
      const fate = watch(
        client.run(async () => {
          const first = ++runs === 1;
          await new Promise<void>(resolve => void clock.after(first ? 150 : 100, resolve));
          return first ? 503 : other;
        }),
      );
      await clock.advance(1000);
      expect(fate.value).toBe(result);
    }
    expect(discarded).toEqual([503, 503]);
  });
});

describe('the delay', () => {
  /** Calls that take `ms` each, one after another. */
  const calls = async (count: number, ms: (n: number) => number, ratio = 0.02) => {
    const { client, clock, lines } = rig(4, { policies: [hedge({ ratio, budget: false })] });
    for (let n = 0; n < count; n++) {
      const done = watch(
        client.run(
          (_, signal) =>
            new Promise<void>((resolve, reject) => {
              const cancel = clock.after(ms(n), resolve);
              signal?.addEventListener('abort', () => {
                cancel();
                reject(signal.reason);
              });
            }),
        ),
      );
      await clock.advance(ms(n));
      expect(done.state).toBe('resolved');
    }
    expect(clock.pending).toBe(0);
    return lines.filter(line => line.startsWith('hedge'));
  };

  test('is a percentile of what was observed: about as many calls are hedged as the ratio says', async () => {
    // 1 % of the calls take ten times as long.
    const hedges = await calls(1000, n => (n % 100 === 99 ? 100 : 10));
    expect(hedges.length).toBeGreaterThan(5);
    expect(hedges.length).toBeLessThanOrEqual(20);
    // After what 98 % took, to the 9 % that a bucket is wide.
    for (const line of hedges) expect(Number(line.split(' ')[3])).toBeLessThanOrEqual(11);
  });

  test('is not guessed: nothing is hedged until a hundred calls were observed', async () => {
    expect(await calls(100, n => (n === 99 ? 1000 : 10), 1)).toEqual([]);
  });
});

describe('what is observed', () => {
  /** A client whose calls take as long as is said, one after another; answers when its latest hedges began. */
  const served = (percentile: number, members = 2) => {
    const classifier: Classifier = {
      value: value => (value === 'bad' ? 'failure' : 'success'),
      error: () => 'failure',
    };
    const policies = [hedge({ percentile, ratio: 2, budget: false })];
    const made = rig(members, { policies, classifier });
    const { client, clock, lines } = made;
    /** Each attempt of a call takes so long, the first and then the second. */
    const calls = async (count: number, takes: readonly number[], answer = 'good'): Promise<number[]> => {
      lines.length = 0;
      for (let n = 0; n < count; n++) {
        let runs = 0;
        const fate = watch(
          client.run(() => {
            const ms = takes[runs++]!;
            return new Promise(resolve => clock.after(ms, () => resolve(answer)));
          }),
        );
        await clock.advance(Math.min(1000, ...takes.map(ms => ms + 100)));
        expect(fate.state).toBe('resolved');
      }
      return lines.filter(line => line.startsWith('hedge')).map(line => Number(line.split(' ')[3]));
    };
    return { ...made, calls };
  };

  test('a hundred calls at once are enough', async () => {
    const { client, clock, lines } = served(0.5);
    for (let n = 0; n < 100; n++)
      watch(client.run(() => new Promise<void>(resolve => clock.after(10, resolve))));
    await clock.advance(10);
    watch(client.run(never));
    await clock.advance(11);
    expect(lines.at(-2)).toBe('hedge 2 after 10');
  });

  test('a bad answer says nothing of how long a good one takes', async () => {
    const { calls } = served(0.5);
    await calls(200, [1], 'bad');
    expect(await calls(1, [1000, 1000])).toEqual([]);
    await calls(150, [40]);
    await calls(200, [1, 1], 'bad');
    expect(await calls(1, [1000, 1000])).toEqual([41]);
  });

  test('once all have become slower, nobody is late for that', async () => {
    const { calls } = served(0.9);
    await calls(150, [10]);
    expect((await calls(64, [40, 1000])).length).toBeGreaterThan(0);
    await calls(128, [40, 1000]);
    expect(await calls(64, [40, 1000])).toEqual([]);
  });

  test('who is beaten counts as taking as long as it was given, which is not long', async () => {
    const { calls } = served(0.6);
    await calls(150, [10]);
    await calls(150, [1e6, 10]);
    const late = await calls(50, [1e6, 10]);
    expect(late).toHaveLength(50);
    expect(Math.max(...late)).toBeLessThan(60);
  });
});

describe('the budgets', () => {
  const stalled = async (policies: Parameters<typeof rig>[1], before = 0) => {
    const made = rig(3, policies);
    let runs = 0;
    for (let i = 0; i < before; i++) await made.client.run(async () => {});
    for (let i = 0; i < 1000; i++)
      watch(
        made.client.run(() => {
          runs++;
          return never();
        }),
      );
    await made.clock.advance(100);
    return { ...made, hedges: runs - 1000 };
  };

  test('hedges are a share of the calls, even when all are late', async () => {
    const { hedges } = await stalled({ policies: [hedge({ delay: 100, ratio: 0.02, budget: false })] });
    expect(hedges).toBe(20);
  });

  test('and of what retries may use: a retry budget that is empty allows none', async () => {
    const empty = retryBudget({ ratio: 0, minPerSecond: 0 });
    const { hedges } = await stalled({ policies: [hedge({ delay: 100, ratio: 0.5, budget: empty })] });
    expect(hedges).toBe(0);
  });

  test('which is the one of the retry beside it, unless told otherwise', async () => {
    // 20 % of 1000 calls and 100 in any case; retries and hedges together.
    const both = { policies: [retry(), hedge({ delay: 100, ratio: 1 })] };
    const { hedges, client, clock } = await stalled(both, 1000); // what has ended has paid in
    expect(hedges).toBe(300);
    let runs = 0;
    const failing = watch(
      client.run(async () => {
        runs++;
        throw new Error('no');
      }),
    );
    await clock.advance(10);
    expect([failing.state, runs]).toEqual(['rejected', 1]);
  });

  test('one of the user that throws pays for nothing, and one that cannot be paid into is left alone', async () => {
    const budget = {
      deposit() {},
      withdraw(): boolean {
        throw new Error('boom');
      },
    };
    const { hedges, lines } = await stalled({ policies: [hedge({ delay: 100, ratio: 0.001, budget })] });
    expect(hedges).toBe(0);
    expect(lines.filter(line => line.startsWith('fault'))).toEqual(['fault policy boom']);
  });

  test('a breaker that throws when asked for another member is at fault, and there is no hedge', async () => {
    let asked = false;
    const breaker = (): Breaker => ({
      ...alwaysClosed,
      allows() {
        if (asked) throw new Error('boom');
        return true;
      },
    });
    const { client, clock, lines } = rig(2, { policies: [hedge({ delay: 100, ...generous })], breaker });
    let runs = 0;
    watch(
      client.run(() => {
        runs++;
        asked = true;
        return never();
      }),
    );
    await clock.advance(200);
    expect(runs).toBe(1);
    expect(lines.at(-1)).toBe('fault breaker boom');
  });

  test('without a retry the hedge pays in for itself', async () => {
    const { hedges } = await stalled({ policies: [hedge({ delay: 100, ratio: 1 })] });
    expect(hedges).toBe(300);
  });
});

describe('two answers in the same moment', () => {
  test('one is the result, the other is let go of', async () => {
    const discarded: unknown[] = [];
    const { client, clock } = rig(2, {
      policies: [hedge({ delay: 100, ...generous })],
      classifier: { value: () => 'success', error: () => 'failure', discard: value => discarded.push(value) },
    });
    const answers = [deferred<string>(), deferred<string>()];
    let runs = 0;
    const fate = watch(client.run(() => answers[runs++]!.promise));
    await clock.advance(100);
    answers[0]!.resolve('first');
    answers[1]!.resolve('second');
    await clock.advance(0);
    expect(discarded).toHaveLength(1);
    expect([fate.value, ...discarded].sort()).toEqual(['first', 'second']);
  });

  test('the other is left where it cannot be let go of, or throws', async () => {
    const throwing = (): never => {
      throw new Error('boom');
    };
    for (const [discard, faults] of [
      [undefined, []],
      [throwing, ['fault classifier boom']],
    ] as const) {
      const { client, clock, lines } = rig(2, {
        policies: [hedge({ delay: 100, ...generous })],
        classifier: { value: () => 'success', error: () => 'failure', ...(discard && { discard }) },
      });
      const answers = [deferred<string>(), deferred<string>()];
      let runs = 0;
      watch(client.run(() => answers[runs++]!.promise));
      await clock.advance(100);
      for (const { resolve } of answers) resolve('answer');
      await clock.advance(0);
      expect(lines.filter(line => line.startsWith('fault'))).toEqual(faults);
    }
  });
});

test('a bad answer that loses is left where it cannot be let go of, or throws', async () => {
  const throwing = (): never => {
    throw new Error('boom');
  };
  for (const [discard, faults] of [
    [undefined, []],
    [throwing, ['fault classifier boom']],
  ] as const) {
    const { client, clock, lines } = rig(2, {
      policies: [hedge({ delay: 100, ...generous })],
      classifier: {
        value: value => (value === 'bad' ? 'failure' : 'success'),
        error: () => 'failure',
        ...(discard && { discard }),
      },
    });
    const answers = [deferred<string>(), deferred<string>()];
    let runs = 0;
    const fate = watch(client.run(() => answers[runs++]!.promise));
    await clock.advance(100);
    answers[0]!.resolve('bad');
    await clock.advance(0);
    answers[1]!.resolve('good');
    await clock.advance(0);
    expect(fate.value).toBe('good');
    expect(lines.filter(line => line.startsWith('fault'))).toEqual(faults);
  }
});

test('a policy inside that throws instead of rejecting fails the call', async () => {
  const rude: Policy = () => () => {
    throw new Error('rude');
  };
  const { client, clock } = rig(2, { policies: [hedge({ delay: 100, ...generous }), rude] });
  await client.ready();
  await expect(client.run(async () => 1)).rejects.toThrow('rude');
  expect(clock.pending).toBe(0);
});

describe('what is still arriving', () => {
  const hedged = (arriving: Classifier['arriving'], signal?: AbortSignal) => {
    const made = rig(2, {
      policies: [hedge({ delay: 100, ...generous })],
      classifier: { value: () => 'success', error: () => 'failure', ...(arriving && { arriving }) },
    });
    let given: AbortSignal | undefined;
    const fate = watch(
      made.client.run(
        async (_, own) => {
          given = own;
          return 'head';
        },
        { signal },
      ),
    );
    return { ...made, fate, given: () => given };
  };

  test('goes on listening to the caller, who may abort it', async () => {
    const controller = new AbortController();
    const body = {};
    const { given, fate, clock } = hedged(() => body, controller.signal);
    await clock.advance(1000);
    expect([fate.value, given()?.aborted]).toEqual(['head', false]);
    controller.abort('enough');
    expect(given()?.reason).toBe('enough');
  });

  test.each<[string, Classifier['arriving'], AbortSignal | undefined, string[]]>([
    ['where no caller may abort', () => ({}), undefined, []],
    ['where the classifier does not tell', undefined, new AbortController().signal, []],
    ['of an answer that is complete', () => undefined, new AbortController().signal, []],
    [
      'of which the classifier throws',
      () => {
        throw new Error('boom');
      },
      new AbortController().signal,
      ['fault classifier boom'],
    ],
  ])('%s, nobody need listen', async (_, arriving, signal, faults) => {
    const { fate, clock, lines } = hedged(arriving, signal);
    await clock.advance(0);
    expect(fate.value).toBe('head');
    expect(lines.filter(line => line.startsWith('fault'))).toEqual(faults);
  });
});

describe("the caller's abort", () => {
  test('is heard although a policy inside takes no notice; what that brings is let go of', async () => {
    const discarded: unknown[] = [];
    const { promise, resolve } = deferred<never>();
    const deaf: Policy = () => () => promise;
    const { client, clock } = rig(2, {
      policies: [hedge({ delay: 100, ...generous }), deaf],
      classifier: { value: () => 'success', error: () => 'failure', discard: value => discarded.push(value) },
    });
    const controller = new AbortController();
    await client.ready();
    const fate = watch(client.run(never, { signal: controller.signal }));
    await clock.advance(10);
    controller.abort('enough');
    await clock.advance(1000);
    expect([fate.state, fate.value, clock.pending]).toEqual(['rejected', 'enough', 0]);
    resolve('late' as never);
    await clock.advance(0);
    expect(discarded).toEqual(['late']);
  });

  test.each([
    ['two', 2, 1],
    ['nine', 9, 1],
  ])('is listened for once by %s attempts side by side', async (_, attempts, most) => {
    const { client, clock } = rig(10, {
      policies: [hedge({ delay: 100, attempts, ratio: 100, budget: false })],
    });
    const { signal, listeners } = countedSignal();
    watch(client.run(never, { signal }));
    await clock.advance(1000);
    expect([running(client), listeners()]).toEqual([attempts, most]);
  });

  test('is waited for by one listener, however many run side by side', async () => {
    const { client, clock } = rig(10, {
      policies: [hedge({ delay: 100, attempts: 9, ratio: 100, budget: false }), timeout(5000)],
    });
    const { signal, listeners } = countedSignal();
    watch(client.run(never, { signal }));
    await clock.advance(1000);
    expect([running(client), listeners()]).toEqual([9, 1]);
  });

  test('ends all attempts, which are no evidence, and leaves no listener', async () => {
    const { client, clock, lines } = rig(2, { policies: [hedge({ delay: 100, ...generous })] });
    const { signal, abort, listeners } = countedSignal();
    const fate = watch(client.run(() => new Promise(() => {}), { signal }));
    await clock.advance(150);
    abort(new Error('enough'));
    await clock.advance(0);
    expect(fate.value).toEqual(new Error('enough'));
    expect(lines.filter(line => line.startsWith('attemptEnd')).map(line => line.split(' ')[2])).toEqual([
      'ignored',
      'ignored',
    ]);
    expect([listeners(), clock.pending, running(client)]).toEqual([0, 0, 0]);
  });

  test('before the call begins leaves it unbegun; before the hedge is due, unhedged', async () => {
    const { client, clock, lines } = rig(2, { policies: [hedge({ delay: 100, ...generous })] });
    const gone = watch(client.run(async () => 1, { signal: AbortSignal.abort(new Error('gone')) }));
    const { signal, abort } = countedSignal();
    watch(client.run(() => new Promise(() => {}), { signal }));
    await clock.advance(50);
    abort(new Error('enough'));
    await clock.advance(1000);
    expect(gone.value).toEqual(new Error('gone'));
    expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(1);
  });
});

test('with a time-out for each attempt inside, a slow member is blamed and the hedge goes on', async () => {
  const { client, clock, lines } = rig(2, { policies: [hedge({ delay: 50, ...generous }), timeout(100)] });
  let runs = 0;
  const fate = watch(
    client.run(async () => {
      if (++runs === 1) return new Promise(() => {});
      await new Promise<void>(resolve => void clock.after(80, resolve));
      return 'second';
    }),
  );
  await clock.advance(200);
  expect(fate.value).toBe('second');
  expect(lines.filter(line => line.startsWith('attemptEnd')).map(line => line.split(' ')[2])).toEqual([
    'failure',
    'success',
  ]);
  expect(clock.pending).toBe(0);
});
