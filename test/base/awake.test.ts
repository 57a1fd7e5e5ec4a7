import { expect, test } from 'vitest';
import { Awake } from '../../src/base/awake.ts';
import type { Clock } from '../../src/base/env.ts';
import { stallingClock } from '../stalling-clock.ts';

/** A process that has computed nearly all the time for ten seconds. */
async function busy(awake: Awake, { now, stall, advance }: ReturnType<typeof stallingClock>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    awake.begin(now());
    stall(50);
    await advance(1);
  }
}

test('while the process is awake it is the time of the clock', async () => {
  const { clock, now, advance } = stallingClock();
  const awake = new Awake(clock);
  awake.begin(now());
  for (let i = 0; i < 100; i++) {
    await advance(7);
    expect(awake.at(now())).toBe(now());
  }
});

test('while the process stands still so does it, but for what a timer takes to be due', async () => {
  const { clock, now, advance, stall } = stallingClock();
  const awake = new Awake(clock);
  awake.begin(now());
  await advance(1000);
  awake.begin(now());
  const before = awake.at(now());
  stall(500);
  const during = awake.at(now());
  stall(500);
  expect(awake.at(now())).toBe(during);
  expect(during - before).toBeLessThanOrEqual(12);
  await advance(0);
  expect(awake.at(now())).toBe(during); // the timer rang, and nothing changed
  await advance(1000);
  expect(awake.at(now())).toBeCloseTo(during + 1000, 6);
});

test('it never goes back', async () => {
  const { clock, now, advance, stall } = stallingClock();
  const awake = new Awake(clock);
  awake.begin(now());
  let last = awake.at(now());
  for (let i = 0; i < 300; i++) {
    if (i % 3 === 0) await advance(i % 17);
    else stall(i % 29);
    if (i % 7 === 0) awake.begin(now());
    expect(awake.at(now())).toBeGreaterThanOrEqual(last);
    last = awake.at(now());
  }
});

test('its timer keeps no process alive, rings ever more rarely while nobody begins to wait, and not at all for nobody', async () => {
  const { clock, now, advance, alive, counts } = stallingClock();
  const awake = new Awake(clock);
  expect(counts.set).toBe(0);
  awake.begin(now());
  expect(alive()).toBe(false);
  await advance(60_000);
  expect(alive()).toBe(false);
  expect(counts.set).toBeLessThan(10);
  counts.set = 0;
  awake.begin(now()); // is not left waiting for the rare one
  await advance(25);
  expect(counts.set).toBeGreaterThanOrEqual(2);
  awake.end();
  awake.end();
  counts.set = 0;
  await advance(10_000);
  expect(counts.set).toBe(0);
});

test('while somebody begins to wait all the time its timer rings every ten ms, and is not put off', async () => {
  for (let steps = 1; steps <= 60; steps++) {
    const { clock, now, advance, stall, counts } = stallingClock();
    const awake = new Awake(clock);
    await advance(2000);
    for (let i = 0; i < steps; i++) {
      awake.begin(now());
      await advance(5);
    }
    expect(counts.set).toBeLessThanOrEqual(2 + steps / 2);
    const before = awake.at(now());
    stall(500);
    expect(awake.at(now()) - before).toBeLessThanOrEqual(12);
  }
});

test('a process that was always busy, and is no more, has its pauses noticed again', async () => {
  const made = stallingClock();
  const { clock, now, advance, stall } = made;
  const awake = new Awake(clock);
  await busy(awake, made);
  for (let i = 0; i < 400; i++) {
    awake.begin(now());
    await advance(5);
  }
  const before = awake.at(now());
  stall(500);
  expect(awake.at(now()) - before).toBeLessThan(20);
});

test('a clock without a timer that can be set again, or one that cannot be kept from holding the process, or is faked, is believed', async () => {
  const none: Clock = { now: () => 0, after: () => () => {} };
  const timer = (more: object) => ({ set: () => true, ref() {}, unref() {}, ...more });
  const clocks = [
    undefined,
    none,
    { ...none, timer: () => timer({ set: () => false }) },
    { ...none, timer: () => timer({ faked: () => true }) },
  ];
  for (const clock of clocks) {
    const awake = new Awake(clock);
    awake.begin(0);
    await undefined;
    await undefined;
    expect(awake.at(5000)).toBe(5000);
    awake.end();
  }
});

test('a process that is always busy does not stand still: what is usual is no pause', async () => {
  const made = stallingClock();
  const { clock, now, advance, stall } = made;
  const awake = new Awake(clock);
  await busy(awake, made);
  const before = [awake.at(now()), now()] as const;
  for (let i = 0; i < 20; i++) {
    awake.begin(now());
    stall(50);
    await advance(1);
  }
  expect(awake.at(now()) - before[0]).toBeCloseTo(now() - before[1], 6);
});

test('a timer that never rings is given up, and time goes on', async () => {
  const { clock, now, advance } = stallingClock();
  let lost = true;
  const awake = new Awake({
    ...clock,
    timer: callback => clock.timer!(() => (lost ? undefined : callback())),
  });
  awake.begin(now());
  await advance(5000);
  lost = false;
  awake.begin(now());
  await advance(500);
  const before = awake.at(now());
  await advance(500);
  expect(awake.at(now())).toBeCloseTo(before + 500, 6);
});
