import { manualClock } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { createLoadRecorder, type LoadRecorderOptions } from '../../src/balancer/load-recorder.ts';

test('it counts what is in flight, and the end of a call once', () => {
  const load = createLoadRecorder({ clock: manualClock() });
  const ends = [load.begin(), load.begin(), load.begin()];
  expect(load.inFlight).toBe(3);
  ends[0]!();
  ends[0]!('failure');
  ends[1]!('failure');
  ends[2]!('ignored');
  expect(load.inFlight).toBe(0);
  expect(load.failing).toBeCloseTo(1 / 3);
});

test('its latency is that of calls that found as many in flight: idle again, it is quick again', async () => {
  const clock = manualClock();
  const load = createLoadRecorder({ clock });
  expect(load.latency).toBe(0);
  for (let i = 0; i < 5; i++) {
    const end = load.begin();
    await clock.advance(10);
    end();
  }
  const busy = Array.from({ length: 12 }, () => load.begin());
  for (const end of busy) {
    await clock.advance(50);
    end();
  }
  expect(load.latency).toBe(10);
  for (let i = 0; i < 9; i++) load.begin();
  expect(load.latency).toBeGreaterThan(400); // the tenth of twelve, that found nine, took 500
});

test('of a number in flight it has not seen, it goes by the nearest it has', async () => {
  const clock = manualClock();
  const load = createLoadRecorder({ clock });
  const first = load.begin();
  await clock.advance(20);
  first();
  for (const many of [1, 30, 1000, 100_000]) {
    const ends = Array.from({ length: many }, () => load.begin());
    expect(load.latency).toBe(20);
    for (const end of ends) end('ignored');
  }
});

test('failures are quick, and are no latencies', async () => {
  const clock = manualClock();
  const load = createLoadRecorder({ clock });
  const end = load.begin();
  await clock.advance(80);
  end();
  for (let i = 0; i < 100; i++) load.begin()('failure');
  expect(load.latency).toBe(80);
  expect(load.failing).toBeGreaterThan(0.9);
});

test('latencies are forgotten after ten seconds, failures fade, within a minute even the worst', async () => {
  const clock = manualClock();
  const load = createLoadRecorder({ clock });
  const end = load.begin();
  await clock.advance(80);
  end();
  for (let i = 0; i < 100_000; i++) load.begin()('failure');
  await clock.advance(10_000);
  expect(load.latency).toBe(80);
  expect(load.failing).toBeGreaterThan(0.5);
  await clock.advance(1);
  expect(load.latency).toBe(0);
  await clock.advance(50_000);
  expect(load.failing).toBeLessThan(0.01);
  expect(clock.pending).toBe(0);
});

test('one failure among a hundred calls is one in a hundred; the first call of all to fail is one in two', () => {
  const load = createLoadRecorder({ clock: manualClock() });
  load.begin()('failure');
  expect(load.failing).toBe(0.5);
  for (let i = 0; i < 98; i++) load.begin()();
  expect(load.failing).toBeCloseTo(0.01);
});

test('as JSON it is the answer to a probe', () => {
  const load = createLoadRecorder({ clock: manualClock() });
  load.begin();
  expect(JSON.parse(JSON.stringify(load))).toEqual({ inFlight: 1, latency: 0, failing: 0 });
});

test.each([
  [{ memory: 0 }, /createLoadRecorder memory is 0/],
  [{ failureHalfLife: Number.NaN }, /createLoadRecorder failureHalfLife is NaN/],
  [{ clock: {} }, /createLoadRecorder clock.now is undefined/],
])('the options %o are refused by name', (options, message) => {
  expect(() => createLoadRecorder(options as LoadRecorderOptions)).toThrow(message);
});
