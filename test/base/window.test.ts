import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Window } from '../../src/base/window.ts';

test('after an hour in which nobody asked, the past is forgotten', () => {
  const window = new Window(10_000);
  window.add(0, 5, 3);
  window.advance(3_600_000);
  expect([window.first, window.second]).toEqual([0, 0]);
});

test('idle time is not walked through: a window idle for 10^12 of its spans answers at once', () => {
  const window = new Window(1); // a loop over the tenths gone by would take days
  window.add(0, 1, 1);
  window.advance(1e12);
  expect(window.first).toBe(0);
  window.add(1e12, 2, 0);
  expect(window.first).toBe(2);
});

test('an event counts for nine tenths of the span at least and for the whole span at most', () => {
  for (const at of [0, 1, 50, 99]) {
    const window = new Window(1000);
    window.add(at, 1, 0);
    window.advance(at + 900);
    expect(window.first).toBe(1);
    window.advance(at + 1000);
    expect(window.first).toBe(0);
  }
});

test('the two kinds do not run into each other, however many there are', () => {
  const window = new Window(1000);
  for (let i = 0; i < 60; i++) window.add(5, 1e6, 1e6);
  expect([window.first, window.second]).toEqual([6e7, 6e7]);
  window.advance(5000);
  expect([window.first, window.second]).toEqual([0, 0]);
});

test('it counts as a list of all events would, for any series of events and pauses, clocks that go back included', () => {
  const step = fc.record({
    pause: fc.oneof(fc.integer({ min: -30, max: 30 }), fc.integer({ min: -500, max: 100_000 })),
    first: fc.nat(5),
    second: fc.nat(5),
    cleared: fc.integer({ min: 0, max: 19 }).map(n => n === 0),
  });
  fc.assert(
    fc.property(fc.integer({ min: -1000, max: 1000 }), fc.array(step, { maxLength: 60 }), (start, steps) => {
      const span = 100;
      const window = new Window(span);
      let events: { tenth: number; first: number; second: number }[] = [];
      let latest = Number.NEGATIVE_INFINITY;
      let now = start;
      for (const { pause, first, second, cleared } of steps) {
        now += pause;
        latest = Math.max(latest, Math.floor(now / (span / 10)));
        if (cleared) {
          window.clear();
          events = [];
        }
        window.add(now, first, second);
        events.push({ tenth: latest, first, second });
        const counted = events.filter(({ tenth }) => tenth > latest - 10);
        expect(window.first).toBe(counted.reduce((sum, event) => sum + event.first, 0));
        expect(window.second).toBe(counted.reduce((sum, event) => sum + event.second, 0));
      }
    }),
  );
});
