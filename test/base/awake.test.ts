import { expect, test } from 'vitest';
import { Awake } from '../../src/base/awake.ts';
import type { Clock } from '../../src/base/env.ts';
import { stallingClock } from '../stalling-clock.ts';

test('while the process is awake it is the time of the clock', () => {
  const { clock, now, advance } = stallingClock();
  const awake = new Awake(clock);
  awake.begin(now());
  for (let i = 0; i < 100; i++) {
    advance(7);
    expect(awake.at(now())).toBe(now());
  }
});

test('while the process stands still so does it, but for what a timer takes to be due', () => {
  const { clock, now, advance, stall } = stallingClock();
  const awake = new Awake(clock);
  awake.begin(now());
  advance(1000);
  awake.begin(now());
  const before = awake.at(now());
  stall(500);
  const during = awake.at(now());
  stall(500);
  expect(awake.at(now())).toBe(during);
  expect(during - before).toBeLessThanOrEqual(12);
  advance(0);
  expect(awake.at(now())).toBe(during); // the timer rang, and nothing changed
  advance(1000);
  expect(awake.at(now())).toBeCloseTo(during + 1000, 6);
});

test('it never goes back', () => {
  const { clock, now, advance, stall } = stallingClock();
  const awake = new Awake(clock);
  awake.begin(now());
  let last = awake.at(now());
  for (let i = 0; i < 300; i++) {
    if (i % 3 === 0) advance(i % 17);
    else stall(i % 29);
    if (i % 7 === 0) awake.begin(now());
    expect(awake.at(now())).toBeGreaterThanOrEqual(last);
    last = awake.at(now());
  }
});

test('its timer keeps no process alive, rings ever more rarely while nobody begins to wait, and not at all for nobody', () => {
  const { clock, now, advance, alive, counts } = stallingClock();
  const awake = new Awake(clock);
  expect(counts.set).toBe(0);
  awake.begin(now());
  expect(alive()).toBe(false);
  advance(60_000);
  expect(alive()).toBe(false);
  expect(counts.set).toBeLessThan(70);
  awake.begin(now()); // is not left waiting for the rare one
  counts.set = 0;
  advance(25);
  expect(counts.set).toBeGreaterThanOrEqual(2);
  awake.end();
  awake.end();
  advance(2000);
  counts.set = 0;
  advance(10_000);
  expect(counts.set).toBe(0);
});

test('a clock without a timer that can be set again, or one that cannot be kept from holding the process, or is faked, is believed', () => {
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
    expect(awake.at(5000)).toBe(5000);
    awake.end();
  }
});
