import { type ManualClock, manualClock } from 'fairlead/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deadlines, type Waiting } from '../../src/base/deadlines.ts';
import type { Clock, Timer } from '../../src/base/env.ts';

/** Somebody who waits, and notes when its time came. */
function waiter(due: () => void): Waiting {
  return { older: undefined, newer: undefined, until: Number.POSITIVE_INFINITY, cancel: undefined, due };
}

/** A clock that tells how often a timer was set, and whether timers are shared at all. */
function counted(clock: ManualClock, shared: boolean): { readonly clock: Clock; sets(): number } {
  let sets = 0;
  return {
    clock: {
      now: () => clock.now(),
      after(ms, callback) {
        sets++;
        return clock.after(ms, callback);
      },
      timer(callback): Timer {
        const timer = clock.timer(callback);
        return {
          set(ms) {
            if (!shared) return false;
            sets++;
            return timer.set(ms);
          },
          ref: timer.ref,
          unref: timer.unref,
        };
      },
    },
    sets: () => sets,
  };
}

const step = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), ms: fc.integer({ min: 0, max: 50 }) }),
  fc.record({ kind: fc.constant('leave' as const), which: fc.nat(30) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.double({ min: 0, max: 30, noNaN: true }) }),
);

test.each([
  ['by one timer', true],
  ['by a timer each, where the platform has none that may be shared', false],
])('whoever joins is due in time, once, unless it leaves: %s', async (_, shared) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      const manual = manualClock(1e6);
      const deadlines = new Deadlines(counted(manual, shared).clock);
      const all: { readonly at: number; readonly waiting: Waiting; left: boolean; due: number[] }[] = [];
      for (const taken of steps) {
        if (taken.kind === 'join') {
          const due: number[] = [];
          const waiting = waiter(() => due.push(manual.now()));
          all.push({ at: manual.now() + taken.ms, waiting, left: false, due });
          deadlines.join(waiting, taken.ms, manual.now());
        } else if (taken.kind === 'leave') {
          const still = all.filter(({ left, due }) => !left && due.length === 0);
          const one = still[taken.which % still.length];
          if (one === undefined) continue;
          one.left = true;
          deadlines.leave(one.waiting);
          deadlines.leave(one.waiting); // again: nothing
        } else await manual.advance(taken.ms);
        const waits = all.some(({ left, due }) => !left && due.length === 0);
        expect(manual.pending > 0).toBe(waits);
      }
      await manual.advance(100);
      for (const { at, left, due } of all) {
        expect(due.length).toBe(left ? 0 : 1);
        if (!left) expect(due[0]).toBeCloseTo(at, 6);
      }
      expect(manual.pending).toBe(0);
    }),
  );
});

test('a thousand that come and go one after another take one timer', () => {
  const { clock, sets } = counted(manualClock(), true);
  const deadlines = new Deadlines(clock);
  for (let i = 0; i < 1000; i++) {
    const waiting = waiter(() => {});
    deadlines.join(waiting, 100, i / 100);
    deadlines.leave(waiting);
  }
  expect(sets()).toBe(1);
});

test('an error of one keeps the others from nothing but that moment', async () => {
  const manual = manualClock();
  const deadlines = new Deadlines(manual);
  const heard: string[] = [];
  deadlines.join(
    waiter(() => {
      throw new Error('mine');
    }),
    10,
    0,
  );
  deadlines.join(
    waiter(() => heard.push('same moment')),
    10,
    0,
  );
  deadlines.join(
    waiter(() => heard.push('later')),
    20,
    0,
  );
  await expect(manual.advance(15)).rejects.toThrow('mine');
  await manual.advance(15);
  expect(heard).toEqual(['same moment', 'later']);
});

/** A clock and a timer that do as they are told, whether or not they agree. */
function byHand() {
  let now = 0;
  let callback = (_at?: number): void => {};
  const set: number[] = [];
  const clock: Clock = {
    now: () => now,
    after: () => () => {},
    timer(given) {
      callback = given;
      return { set: ms => set.push(ms) > 0, ref() {}, unref() {} };
    },
  };
  const to = (time: number): void => {
    now = time;
  };
  return { clock, set, to, ring: (at?: number) => callback(at) };
}

test('a timer that is early by what the clock rounds is believed', () => {
  const { clock, set, to, ring } = byHand();
  let due = 0;
  const deadlines = new Deadlines(clock);
  deadlines.join(
    waiter(() => due++),
    100,
    0,
  );
  to(99.7);
  ring();
  expect([due, set]).toEqual([1, [100]]);
});

test('timers that are always early by what the clock rounds do not add up, whoever follows whom', async () => {
  const manual = manualClock();
  const EARLY = 0.9;
  const clock: Clock = {
    now: () => manual.now(),
    after: () => () => {},
    timer(callback) {
      const timer = manual.timer(callback);
      return { ...timer, set: ms => timer.set(Math.max(0, ms - EARLY)) };
    },
  };
  const deadlines = new Deadlines(clock);
  const waited: number[] = [];
  for (let i = 0; i < 1000; i++) {
    const since = manual.now();
    deadlines.join(
      waiter(() => waited.push(manual.now() - since)),
      50,
      since,
    );
    await manual.advance(5);
  }
  expect(waited.length).toBeGreaterThan(900);
  expect(Math.min(...waited)).toBeGreaterThanOrEqual(50 - EARLY - 1e-6);
  expect(Math.max(...waited)).toBeLessThan(51);
});

test('a clock that stands still while its timers ring, as where a test fakes but these, delays nobody further', () => {
  const { clock, set, ring } = byHand();
  const due: string[] = [];
  const deadlines = new Deadlines(clock);
  deadlines.join(
    waiter(() => due.push('first')),
    100,
    0,
  );
  deadlines.join(
    waiter(() => due.push('second')),
    120,
    0,
  );
  ring();
  ring();
  expect([due, set]).toEqual([
    ['first', 'second'],
    [100, 20],
  ]);
});

test('who is due only since the timer fired waits for the next time: the answer may lie in a socket that is not read yet', () => {
  const { clock, set, to, ring } = byHand();
  const due: string[] = [];
  const deadlines = new Deadlines(clock);
  deadlines.join(
    waiter(() => due.push('at 100')),
    100,
    0,
  );
  to(50);
  deadlines.join(
    waiter(() => due.push('at 150')),
    100,
    50,
  );
  to(400); // somebody else held the process up between the timer and its callback
  ring(101);
  expect(due).toEqual(['at 100']);
  ring(401);
  expect(due).toEqual(['at 100', 'at 150']);
  expect(set).toEqual([100, 0]);
});
