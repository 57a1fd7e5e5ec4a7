import { AsyncLocalStorage } from 'node:async_hooks';
import { hedge, limit, type Policy, retry, type Task, timeout } from 'fairlead/core';
import { expect, test } from 'vitest';
import { deferred, rig, watch } from '../helpers.ts';

/** What a request is part of, as tracing has it. */
const trace = new AsyncLocalStorage<string>();
const generous = { ratio: 100, budget: false } as const;

const CASES: readonly [string, readonly Policy[]][] = [
  ['a time-out', [timeout(100)]],
  ['a retry', [retry({ attempts: 3, backoff: () => 50, budget: false }), timeout(100)]],
  ['a hedge', [hedge({ delay: 30, attempts: 3, ...generous }), timeout(100)]],
  ['a queue', [limit({ concurrency: 1, queue: 9, timeout: 1e6 }), timeout(100)]],
  [
    'all of them',
    [
      timeout(1000),
      limit({ concurrency: 2, queue: 9 }),
      retry(),
      hedge({ delay: 30, ...generous }),
      timeout(100),
    ],
  ],
];

test.each(CASES)(
  'attempts, and what is told of them, are in the asynchronous context of their own call: %s',
  async (_, policies) => {
    const found: [string, string | undefined][] = [];
    const whose = new WeakMap<object, string>();
    const { client, clock } = rig(4, {
      policies,
      observer: {
        attempt: (attempt, call) => {
          whose.set(attempt, call.key!);
          found.push([call.key!, trace.getStore()]);
        },
        attemptEnd: attempt => found.push([whose.get(attempt)!, trace.getStore()]),
        retry: ({ call }) => found.push([call.key!, trace.getStore()]),
        hedge: ({ call }) => found.push([call.key!, trace.getStore()]),
      },
    });
    await client.ready();
    const fates = ['a', 'b', 'c'].map((key, i) =>
      trace.run(key, () => {
        const late = deferred<void>();
        clock.after(40 + 50 * i, late.resolve);
        const task: Task<void> = async () => {
          found.push([key, trace.getStore()]);
          await (i === 1 ? new Promise(() => {}) : late.promise);
          found.push([key, trace.getStore()]);
        };
        return watch(client.run(task, { key }));
      }),
    );
    for (let i = 0; i < 100; i++) await clock.advance(20);
    expect(fates.map(({ state }) => state)).not.toContain('pending');
    expect(found.length).toBeGreaterThan(8);
    for (const [key, context] of found) expect(context).toBe(key);
  },
);
