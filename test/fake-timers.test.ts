import { createClient, type EmittingClientOptions, hedge, retry } from 'fairlead';
import { settled } from 'fairlead/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { endpoints } from './helpers.ts';

const never = (): Promise<never> => new Promise(() => {});

const clientOf = (options: Partial<EmittingClientOptions>) =>
  createClient({
    discovery: async function* () {
      yield endpoints(2);
    },
    policies: [],
    ...options,
  });

afterEach(() => {
  vi.useRealTimers();
});

// Not all fakes have `performance`: those of Node itself have not.
describe.each([
  ['all that is faked by default', undefined],
  ['timers alone', ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] as const],
])(`a test of the user's that fakes %s`, (_, toFake) => {
  let elapsed = 0;
  const until = async (ms: number): Promise<void> => {
    for (; elapsed < ms; elapsed++) await vi.advanceTimersByTimeAsync(1);
  };
  const fake = (): void => {
    vi.useFakeTimers(toFake && { toFake: [...toFake] });
  };
  beforeEach(() => {
    elapsed = 0;
  });

  test.each([
    ['made before', false],
    ['made and used before', true],
  ])('finds every time-out on time, of a client %s', async (_, used) => {
    const client = clientOf({ timeout: 100 });
    await client.ready();
    if (used) await client.run(async () => 1);
    fake();
    const ends: string[] = [];
    const start = (name: string): void => {
      const from = elapsed;
      client.run(never).catch(error => ends.push(`${name}: ${error.code} after ${elapsed - from}`));
    };
    start('first');
    await until(50);
    start('beside it');
    await until(120);
    await client.run(async () => 1);
    await until(190);
    start('long after');
    await until(320);
    expect(ends).toEqual([
      expect.stringMatching(/^first: TIMEOUT after (99|10[01])$/),
      expect.stringMatching(/^beside it: TIMEOUT after (99|10[01])$/),
      expect.stringMatching(/^long after: TIMEOUT after (99|10[01])$/),
    ]);
  });

  test('finds hedges on time', async () => {
    const client = clientOf({ policies: [hedge({ delay: 30, ratio: 1, budget: false })] });
    await client.ready();
    await client.run(async () => 1);
    fake();
    const begun: number[] = [];
    void client.run(() => {
      begun.push(elapsed);
      return never();
    });
    await until(20);
    void client.run(async () => 1);
    await until(60);
    expect(begun).toHaveLength(2);
    expect(Math.abs(begun[1]! - 30)).toBeLessThanOrEqual(1);
  });
});

test(`a breaker lets a probe through as a test's fake clock has it`, async () => {
  const client = clientOf({ policies: [retry({ attempts: 1 })], panic: false });
  await client.ready();
  vi.useFakeTimers();
  const dead = async (): Promise<never> => Promise.reject(new Error('down'));
  for (let i = 0; i < 20; i++) await client.run(dead).catch(() => {});
  await expect(client.run(dead)).rejects.toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
  await vi.advanceTimersByTimeAsync(600_000);
  await settled();
  await expect(client.run(dead)).rejects.toThrow('down');
});

test('whoever waits by real timers as they are replaced goes on doing so', async () => {
  const client = clientOf({ timeout: 10 });
  await client.ready();
  const { setTimeout } = globalThis;
  const first = client.run(never).catch(error => error.code);
  await new Promise(resolve => setTimeout(resolve, 3));
  const second = client.run(never).catch(error => error.code);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  expect(await Promise.all([first, second])).toEqual(['TIMEOUT', 'TIMEOUT']);
});
