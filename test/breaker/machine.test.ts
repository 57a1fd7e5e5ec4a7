import {
  type Breaker,
  type ConsecutiveFailuresOptions,
  consecutiveFailures,
  type Outcome,
} from 'fairlead/core';
import { manualClock, seededRandom } from 'fairlead/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';

/** Opens at the first failure, for exactly a second unless told otherwise. */
const breakerOf = (options: ConsecutiveFailuresOptions = {}, random = seededRandom(1)): Breaker =>
  consecutiveFailures({ threshold: 1, jitter: 0, ...options })({ clock: manualClock(), random });

/** A call from begin to end, at one time. */
function call(breaker: Breaker, outcome: Outcome, now: number): void {
  breaker.begin(now);
  breaker.end(outcome, 0, breaker.epoch, now);
}

/** For how many ms it refuses calls from now on, to a whole ms. */
function refusesFor(breaker: Breaker, now: number): number {
  let ms = 0;
  while (!breaker.allows(now + ms)) ms++;
  return ms;
}

test('so many failures in a row open it; a success between them starts the count again, an ignored call does not', () => {
  const breaker = breakerOf({ threshold: 3 });
  for (const outcome of ['failure', 'failure', 'success', 'failure', 'ignored', 'failure'] as const) {
    call(breaker, outcome, 0);
    expect(breaker.state).toBe('closed');
  }
  call(breaker, 'failure', 0);
  expect(breaker.state).toBe('open');
});

test('it is open to the millisecond, lets one probe through, and closes on its success', () => {
  const breaker = breakerOf();
  call(breaker, 'failure', 100);
  expect(breaker.allows(1099)).toBe(false);
  expect(breaker.allows(1100)).toBe(true);
  expect(breaker.state).toBe('open'); // asking moved nothing
  breaker.begin(1100);
  expect(breaker.state).toBe('half-open');
  expect(breaker.allows(1100)).toBe(false);
  breaker.end('success', 5, breaker.epoch, 1105);
  expect(breaker.state).toBe('closed');
});

test('of three probes all must succeed; one that fails opens it at once, and what the others bring is void', () => {
  const breaker = breakerOf({ probes: 3 });
  call(breaker, 'failure', 0);
  for (let probe = 0; probe < 3; probe++) {
    expect(breaker.allows(1000)).toBe(true);
    breaker.begin(1000);
  }
  expect(breaker.allows(1000)).toBe(false);
  const { epoch } = breaker;
  breaker.end('success', 1, epoch, 1001);
  breaker.end('failure', 2, epoch, 1002);
  expect(breaker.state).toBe('open');
  breaker.end('success', 3, epoch, 1003);
  expect(breaker.state).toBe('open');
  expect(refusesFor(breaker, 1002)).toBe(2000);
});

test('an ignored probe frees its place, and only its own', () => {
  const breaker = breakerOf({ probes: 2 });
  call(breaker, 'failure', 0);
  breaker.begin(1000);
  breaker.begin(1000);
  breaker.end('ignored', 1, breaker.epoch, 1001);
  expect(breaker.allows(1001)).toBe(true);
  breaker.begin(1001);
  expect(breaker.allows(1001)).toBe(false);
});

test('probes that never come back are given up after the open time, and what they bring later is void', () => {
  const breaker = breakerOf();
  call(breaker, 'failure', 0);
  breaker.begin(1000);
  const lost = breaker.epoch;
  expect(refusesFor(breaker, 1000)).toBe(1000);
  breaker.begin(2000);
  expect(breaker.epoch).not.toBe(lost);
  breaker.end('failure', 1500, lost, 2500);
  expect(breaker.state).toBe('half-open');
  breaker.end('success', 600, breaker.epoch, 2600);
  expect(breaker.state).toBe('closed');
});

test('how long probes are waited for is counted from the latest', () => {
  const breaker = breakerOf({ probes: 2 });
  call(breaker, 'failure', 0);
  breaker.begin(1000);
  breaker.begin(1900);
  expect(refusesFor(breaker, 1900)).toBe(1000);
});

test('each probe that fails doubles the open time up to the most, and a lasting recovery starts it afresh', () => {
  const breaker = breakerOf({ openFor: 100, maxOpenFor: 1000 });
  let now = 0;
  call(breaker, 'failure', now);
  for (const expected of [100, 200, 400, 800, 1000, 1000]) {
    expect(refusesFor(breaker, now)).toBe(expected);
    now += expected;
    call(breaker, 'failure', now);
  }
  now += 1000;
  call(breaker, 'success', now);
  now += 1900; // closed until all but the first 100 ms are taken back
  call(breaker, 'failure', now);
  expect(refusesFor(breaker, now)).toBe(100);
});

test('it opens for twice the last time, less a ms for each that it was closed', () => {
  const breaker = breakerOf({ openFor: 100, maxOpenFor: 1500 });
  call(breaker, 'failure', 0);
  let now = 100;
  for (const [closed, opens] of [
    [0, 200], // no recovery at all
    [50, 350],
    [10, 690],
    [690, 690], // as long as it was open: it is no worse, and no better
    [800, 580],
    [0, 1160],
    [0, 1500], // not 2320
    [2850, 150],
    [200, 100],
    [1e9, 100],
  ] as const) {
    call(breaker, 'success', now);
    now += closed;
    call(breaker, 'failure', now);
    expect(refusesFor(breaker, now)).toBe(opens);
    now += opens;
  }
});

test('a member that is well for less time than it was out stays out longer each time; well for long, it starts afresh', () => {
  const breaker = breakerOf({ openFor: 100, maxOpenFor: 1e6 });
  let before = 0;
  let now = 0;
  for (let round = 0; round < 12; round++) {
    call(breaker, 'failure', now);
    const open = refusesFor(breaker, now);
    expect(open).toBeGreaterThan(before);
    now += open;
    call(breaker, 'success', now);
    now += Math.floor(open * 0.9);
    before = open;
  }
  now += 2 * before;
  call(breaker, 'failure', now);
  expect(refusesFor(breaker, now)).toBe(100);
});

test('open times are drawn within the jitter round the doubled time, never above the most, whatever was drawn before', () => {
  const jitter = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(jitter, fc.integer(), (share, seed) => {
      const breaker = breakerOf({ openFor: 100, maxOpenFor: 3200, jitter: share }, seededRandom(seed));
      let now = 0;
      call(breaker, 'failure', now);
      for (let expected = 100; expected <= 3200; expected *= 2) {
        const open = refusesFor(breaker, now);
        expect(open).toBeGreaterThanOrEqual(Math.floor(expected * (1 - share)));
        expect(open).toBeLessThanOrEqual(Math.min(3200, Math.ceil(expected * (1 + share))));
        now += open;
        call(breaker, 'failure', now);
      }
    }),
  );
});

test('two breakers that opened together do not probe together', () => {
  const random = seededRandom(1);
  const times = Array.from({ length: 20 }, () => {
    const breaker = breakerOf({ jitter: 0.2 }, random);
    call(breaker, 'failure', 0);
    return refusesFor(breaker, 0);
  });
  // Drawn from 800 to 1200, twenty times: all within a fifth of that range has a chance of 20 * 0.2^19.
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(80);
});

test('outcomes of calls that began before it opened never re-open it once it has closed', () => {
  const breaker = breakerOf({ threshold: 2 });
  const before = breaker.epoch;
  for (let i = 0; i < 10; i++) breaker.begin(0);
  breaker.end('failure', 1, before, 1);
  breaker.end('failure', 1, before, 1);
  expect(breaker.state).toBe('open');
  call(breaker, 'success', 1001);
  expect(breaker.state).toBe('closed');
  for (let i = 0; i < 8; i++) breaker.end('failure', 1100, before, 1100);
  expect(breaker.state).toBe('closed');
});

test('a call in panic that is given up frees no probe that is not its own', () => {
  const breaker = breakerOf();
  call(breaker, 'failure', 0);
  breaker.begin(1000); // the probe
  breaker.begin(1001); // refused, and called all the same
  breaker.end('ignored', 1, breaker.epoch, 1002);
  expect(breaker.allows(1002)).toBe(false);
});

test('a hint that comes while it is closed changes nothing: opened again so soon, it stays so for twice as long', () => {
  const breaker = breakerOf();
  call(breaker, 'failure', 0);
  call(breaker, 'success', 1000);
  expect(breaker.state).toBe('closed');
  breaker.hint?.(1000);
  call(breaker, 'failure', 1000);
  expect(refusesFor(breaker, 1000)).toBe(2000);
});

test('closed again, it saves what is left of its open time, by half of what it was well for; soon that is nothing', () => {
  const breaker = breakerOf();
  call(breaker, 'failure', 0);
  expect(breaker.save?.(400)).toEqual({ state: 'open', remaining: 600, openFor: 1000 });
  call(breaker, 'success', 1000);
  expect(breaker.save?.(1600)).toEqual({ state: 'closed', remaining: 0, openFor: 700 });
  expect(breaker.save?.(2000)).toBeUndefined();
});

test('the time in between takes nothing from an open breaker: a probe that fails has it open for twice as long', () => {
  const breaker = breakerOf();
  breaker.restore?.({ state: 'open', remaining: 500, openFor: 4000 }, 2000, 0);
  expect(breaker.allows(0)).toBe(true);
  call(breaker, 'failure', 0);
  expect(refusesFor(breaker, 0)).toBe(8000);
});
