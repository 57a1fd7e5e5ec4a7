import {
  type Classifier,
  consecutiveFailures,
  type Member,
  type RetryBudget,
  retry,
  retryBudget,
  timeout,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { giveUpReasonOf } from '../../src/policy/give-up.ts';
import { countedSignal, endpoint, type Fate, rig, running, watch } from '../helpers.ts';

/** An error that asks for so many ms of rest. */
class Busy extends Error {
  readonly rest: number | undefined;
  constructor(rest: number | undefined) {
    super('busy');
    this.rest = rest;
  }
}
const classifier: Classifier = {
  value: () => 'success',
  error: () => 'failure',
  retryAfter: error => (error as Partial<Busy>).rest,
};
const busy = (rest?: number) => (): Promise<never> => Promise.reject(new Busy(rest));

describe('an answer that asks not to try again', () => {
  test.each([
    [-1, 1, 'pushback'],
    [Number.NEGATIVE_INFINITY, 1, 'pushback'],
    [0, 3, 'attempts'],
    [Number.NaN, 3, 'attempts'],
    [undefined, 3, 'attempts'],
    [100, 3, 'attempts'],
  ])('(%s): %i attempts at three members, given up for %s', async (rest, attempts, reason) => {
    const { client, lines } = rig(3, { classifier, policies: [retry()] });
    await expect(client.run(busy(rest))).rejects.toThrow('busy');
    expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(attempts);
    expect(lines.at(-1)).toBe(`giveUp ${reason}`);
  });

  test('does not have its member left alone, nor pays for a retry', async () => {
    const withdrawn: number[] = [];
    const budget: RetryBudget = { deposit() {}, withdraw: now => withdrawn.push(now) > 0 };
    const { client, lines } = rig(1, { classifier, policies: [retry({ budget })] });
    await expect(client.run(busy(-1))).rejects.toThrow('busy');
    await client.run(async () => 'fine');
    expect(lines.filter(line => line.startsWith('panic'))).toEqual([]);
    expect(withdrawn).toEqual([]);
  });

  test('a `retryAfter` that throws is a fault, and asks for nothing', async () => {
    const boom = (): never => {
      throw new Error('boom');
    };
    const { client, lines } = rig(3, {
      classifier: { ...classifier, retryAfter: boom },
      policies: [retry()],
    });
    await expect(client.run(busy())).rejects.toThrow('busy');
    expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(3);
    expect(lines).toContain('fault classifier boom');
  });
});

describe('when all members ask to be left alone', () => {
  test('the next attempt is made when the first of them is free again, at that one', async () => {
    const rests: Record<string, number> = { m000: 700, m001: 300, m002: 500 };
    const { client, clock, lines } = rig(3, {
      classifier,
      policies: [timeout(1000), retry({ attempts: 4, backoff: () => 0 })],
    });
    const at: [string, number][] = [];
    const fate = watch(
      client.run(async ({ id }) => {
        at.push([id, clock.now()]);
        if (at.length <= 3) throw new Busy(rests[id]);
        return id;
      }),
    );
    await clock.advance(299);
    expect(fate.state).toBe('pending');
    expect(at).toHaveLength(3);
    await clock.advance(1);
    expect(at.at(-1)).toEqual(['m001', 300]);
    expect(fate.value).toBe('m001');
    expect(lines.filter(line => line.startsWith('panic'))).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('those that wait do not all come back in the same moment', async () => {
    const { client, clock } = rig(1, {
      classifier,
      policies: [retry({ attempts: 2, budget: false, backoff: () => 100 })],
    });
    const at: number[] = [];
    const fates = Array.from({ length: 50 }, () => {
      let runs = 0;
      return watch(
        client.run(async () => {
          if (++runs === 1) throw new Busy(1000);
          at.push(clock.now());
        }),
      );
    });
    await clock.advance(1100);
    expect(fates.every(({ state }) => state === 'resolved')).toBe(true);
    expect(Math.min(...at)).toBeGreaterThan(1000);
    expect(new Set(at).size).toBe(50);
    expect(Math.max(...at) - Math.min(...at)).toBeGreaterThan(50); // 50 draws from [0, 100), with a fixed seed
  });

  test.each([
    [999, 2, 'pending'],
    [1000, 1, 'rejected'],
  ])('for %i ms, and the call has 1000, there are %i attempts', async (rest, attempts, atOnce) => {
    const { client, clock, lines } = rig(1, {
      classifier,
      policies: [timeout(1000), retry({ attempts: 2, backoff: () => 0 })],
    });
    const fate = watch(client.run(busy(rest)));
    await settled();
    expect(fate.state).toBe(atOnce);
    await clock.advance(1000);
    expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(attempts);
  });

  test('but some are called all the same, for too many are refused, there is no wait', async () => {
    const { client, clock, lines } = rig(2, {
      classifier,
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      maxRefused: 0,
      policies: [retry({ attempts: 3, backoff: () => 0 })],
    });
    const fate = watch(client.run(busy(5000)));
    await clock.advance(0);
    expect(fate.state).toBe('rejected');
    expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(3);
  });

  test('where nobody is left to be called, the pick says so at once', async () => {
    const { client, clock } = rig(1, { classifier, policies: [retry({ backoff: () => 0 })] });
    const fate = watch(
      client.run(async ({ id }) => {
        client.pool.isolate(id);
        throw new Busy(5000);
      }),
    );
    await clock.advance(0);
    expect(fate.value).toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
  });

  test('and the deadline comes before, the call fails at once', async () => {
    const { client, clock, lines } = rig(2, {
      classifier,
      policies: [timeout(1000), retry({ attempts: 9 })],
    });
    const fate = watch(client.run(busy(2000)));
    await settled();
    expect(fate.state).toBe('rejected');
    expect(giveUpReasonOf(fate.value)).toBe('deadline');
    expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  test.each([
    [{}, 10_000, 'waits'],
    [{}, 10_001, 'pushback'],
    [{ maxRetryAfter: 50 }, 50, 'waits'],
    [{ maxRetryAfter: 50 }, 51, 'pushback'],
    [{ maxRetryAfter: 0 }, 1, 'pushback'],
    [{ maxRetryAfter: Infinity }, 300_000, 'waits'],
  ])('without a deadline, with %o, of a rest of %i ms: %s', async (options, rest, expected) => {
    const { client, clock } = rig(1, {
      classifier,
      policies: [retry({ ...options, attempts: 2, backoff: () => 0 })],
    });
    const fate = watch(client.run(busy(rest)));
    await settled();
    if (expected === 'waits') {
      expect(fate.state).toBe('pending');
      await clock.advance(rest - 1);
      expect(fate.state).toBe('pending');
      await clock.advance(1);
      expect(giveUpReasonOf(fate.value)).toBe('attempts');
    } else expect(giveUpReasonOf(fate.value)).toBe(expected);
    expect([clock.pending, running(client)]).toEqual([0, 0]);
  });

  test('one that has not asked is reason enough not to wait for the others, were its breaker open', async () => {
    const { client, clock, lines } = rig(2, {
      classifier,
      breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
      policies: [retry({ attempts: 3, backoff: () => 0, budget: false })],
    });
    let runs = 0;
    const fate = watch(client.run(() => busy(++runs === 1 ? 5000 : undefined)()));
    await clock.advance(0);
    expect(fate.state).toBe('rejected');
    expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(3);
  });

  test('those isolated or drained are not waited for', async () => {
    const { client, clock } = rig([endpoint('a'), endpoint('b'), endpoint('c', { weight: 0 })], {
      classifier,
      policies: [retry({ attempts: 2, backoff: () => 0 })],
    });
    await client.ready();
    client.pool.isolate('b');
    const fate = watch(client.run(busy(500)));
    await clock.advance(499);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(fate.state).toBe('rejected');
  });

  test('a call that waits counts as one for a client that drains, and ends with the abort of its caller', async () => {
    const { client, clock } = rig(1, { classifier, policies: [retry({ attempts: 2, backoff: () => 0 })] });
    const controller = new AbortController();
    const fate = watch(client.run(busy(5000), { signal: controller.signal }));
    await settled();
    const closed = watch(client.close({ drain: 1e6 }));
    await clock.advance(1000);
    expect(closed.state).toBe('pending');
    controller.abort('enough');
    await clock.advance(100);
    expect([fate.value, closed.state, clock.pending]).toEqual(['enough', 'resolved', 0]);
  });
});

describe('a budget is told of a call that waits, and that it waits no longer', () => {
  const told: (1 | -1)[] = [];
  const budget: RetryBudget = { deposit() {}, withdraw: () => true, waits: by => told.push(by) };
  const fails = async (): Promise<never> => Promise.reject(new Error('always'));
  const begun = async (signal?: AbortSignal) => {
    told.length = 0;
    const made = rig(1, { policies: [retry({ attempts: 2, backoff: () => 100, budget })] });
    const fate = watch(made.client.run(fails, { signal }));
    await settled();
    expect(told).toEqual([1]);
    return { ...made, fate };
  };

  test('when its time has come', async () => {
    const { clock, fate } = await begun();
    await clock.advance(100);
    expect([told, fate.state]).toEqual([[1, -1], 'rejected']);
  });

  test('when it is given up', async () => {
    const { signal, abort } = countedSignal();
    const { clock, fate } = await begun(signal);
    abort('enough');
    await clock.advance(0);
    expect([told, fate.value, clock.pending]).toEqual([[1, -1], 'enough', 0]);
  });
});

test('a call that is given up by who hears that it will be tried again does not wait for that', async () => {
  const { signal, abort } = countedSignal();
  const { client, clock } = rig(1, {
    policies: [retry({ backoff: () => 1e6, budget: false })],
    observer: { retry: () => abort('enough') },
  });
  const fate = watch(client.run(async () => Promise.reject(new Error('always')), { signal }));
  await settled();
  expect([fate.value, clock.pending]).toEqual(['enough', 0]);
});

test('nothing speaks against a member any more that succeeds once its rest is over', async () => {
  const members = new Set<Member>();
  const { client, clock } = rig(1, {
    classifier,
    observer: { attempt: ({ member }) => members.add(member) },
  });
  await client.ready();
  await client.run(busy(100)).catch(() => {});
  const [member] = members;
  await client.run(async () => {}); // in panic
  expect(member!.doubts).not.toBe(0);
  await clock.advance(100);
  expect(member!.doubts).not.toBe(0); // looking changes nothing
  await client.run(async () => {});
  expect(member!.doubts).toBe(0);
});

describe('the budget counts retries that wait', () => {
  test('as long as they wait, though that is longer than its window', async () => {
    const budget = retryBudget({ ratio: 0, minPerSecond: 2, window: 1000 }); // two at a time
    const { client, clock } = rig(1, {
      classifier,
      policies: [retry({ attempts: 2, budget, backoff: () => 0 })],
    });
    const run = (): Fate => watch(client.run(busy(5000)));
    const first = [run(), run(), run()];
    await settled();
    expect(first.map(({ state }) => state)).toEqual(['pending', 'pending', 'rejected']);
    expect(giveUpReasonOf(first[2]!.value)).toBe('budget');
    for (let i = 0; i < 4; i++) {
      await clock.advance(1000);
      const fate = run();
      await settled();
      expect(giveUpReasonOf(fate.value)).toBe('budget');
    }
  });

  test('and from when they are made for as long as any other', () => {
    const budget = retryBudget({ ratio: 0, minPerSecond: 1, window: 1000 });
    expect(budget.withdraw(0)).toBe(true);
    budget.waits!(1, 0);
    expect(budget.withdraw(5000)).toBe(false);
    budget.waits!(-1, 5000);
    expect(budget.withdraw(6000)).toBe(false);
    expect(budget.withdraw(6112)).toBe(true);
  });

  test('retries made in a window never exceed it, whenever they were paid for', () => {
    const step = fc.record({ wait: fc.nat(300), rest: fc.nat(3000), wanted: fc.nat(4), calls: fc.nat(4) });
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.array(step, { maxLength: 60 }),
        (ratio, steps) => {
          const budget = retryBudget({ ratio, minPerSecond: 2, window: 900 });
          const calls: number[] = [];
          const made: number[] = [];
          let due: number[] = [];
          let now = 0;
          // Both slide in tenths: calls count for 810 to 900 ms, retries for 900 to 1000.
          const recent = (times: readonly number[], tenth: number): number =>
            times.filter(at => Math.floor(at / tenth) > Math.floor(now / tenth) - 10).length;
          for (const { wait, rest, wanted, calls: more } of steps) {
            now += wait;
            for (const _ of due.filter(at => at <= now)) {
              budget.waits!(-1, now);
              made.push(now);
            }
            due = due.filter(at => at > now);
            for (let i = 0; i < more; i++) {
              budget.deposit(now);
              calls.push(now);
            }
            for (let i = 0; i < wanted; i++) {
              const granted = recent(made, 100) + due.length + 1 <= recent(calls, 90) * ratio + 1.8;
              expect(budget.withdraw(now)).toBe(granted);
              if (!granted) continue;
              if (rest === 0) made.push(now);
              else {
                budget.waits!(1, now);
                due.push(now + rest);
              }
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('one that a budget of the user throws at is a fault, and the retry is made', async () => {
    const boom = (): never => {
      throw new Error('boom');
    };
    const budget: RetryBudget = { deposit() {}, withdraw: () => true, waits: boom };
    const { client, clock, lines } = rig(1, {
      policies: [retry({ attempts: 2, budget, backoff: () => 100 })],
    });
    const fate = watch(client.run(busy()));
    await clock.advance(100);
    expect(fate.state).toBe('rejected');
    expect(lines.filter(line => line === 'fault policy boom')).toHaveLength(2);
    expect(lines.filter(line => line.startsWith('attempt '))).toHaveLength(2);
  });
});

test.each<[object, RegExp]>([
  [{ maxRetryAfter: -1 }, /^retry maxRetryAfter is -1/],
  [{ maxRetryAfter: Number.NaN }, /^retry maxRetryAfter is NaN/],
  [{ maxRetryAfter: '5' }, /^retry maxRetryAfter is "5"/],
  [{ budget: { deposit() {}, withdraw: () => true, waits: 5 } }, /^retry budget.waits is 5/],
])('retry(%o) is refused by name', (options, message) => {
  expect(() => retry(options)).toThrow(message);
});
