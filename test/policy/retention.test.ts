import { hedge, retry, timeout } from 'fairlead/core';
import { expect, test } from 'vitest';
import { countedSignal, rig, running, watch } from '../helpers.ts';
import { atMost } from '../in-loops.ts';
import { collected } from '../transport/garbage.ts';

const CALLS = 5000;

// A million of them, and the heap, are weighed by `npm run bench heap`.
test('calls without number under one signal leave nothing on it, no timer, and nothing that holds what they were given', {
  timeout: 60_000,
}, async () => {
  const { client, clock } = rig(3, {
    policies: [
      timeout(10_000),
      retry({ budget: false, backoff: () => 5 }),
      hedge({ delay: 50, ratio: 1, budget: false }),
      timeout(100),
    ],
    observer: undefined,
  });
  await client.ready();
  const { signal, listeners } = countedSignal();
  const held: WeakRef<object>[] = [];
  let attempts = 0;
  /** Most answer at once; some fail, some for ever; few are late until they are aborted. */
  const task = async (n: number, given: AbortSignal): Promise<object> => {
    held.push(new WeakRef(given));
    const attempt = ++attempts;
    if (n % 500 === 0 || attempt % 10 === 0) throw new Error('refused');
    if (attempt % 999 === 1) await new Promise(resolve => given.addEventListener('abort', resolve));
    const answer = {};
    held.push(new WeakRef(answer));
    return answer;
  };
  let failed = 0;
  for (let n = 1; n <= CALLS; n++) {
    const fate = watch(client.run((_, given) => task(n, given!), { signal }));
    await Promise.resolve();
    atMost(listeners(), 1);
    for (let turns = 0; fate.state === 'pending'; turns++)
      await (turns < 10 ? Promise.resolve() : clock.advance(5));
    if (fate.state === 'rejected') failed++;
  }
  expect(failed).toBeGreaterThanOrEqual(CALLS / 500);
  expect(attempts).toBeGreaterThan(CALLS * 1.1);
  expect([listeners(), clock.pending, running(client)]).toEqual([0, 0, 0]);
  await collected(() => held.every(ref => ref.deref() === undefined));
  await client.close();
});
