import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CountWindow } from '../../src/base/count-window.ts';
import { same } from '../in-loops.ts';

test('whatever comes, it counts the last so many events as a list of them would, also after it was cleared', () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(29, 30, 31, 59, 60, 61));
  const step = fc.oneof(
    { weight: 60, arbitrary: fc.boolean() },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  );
  fc.assert(
    fc.property(size, fc.array(step, { maxLength: 300, size: 'max' }), (most, steps) => {
      const window = new CountWindow(most);
      let list: boolean[] = [];
      for (const marked of steps) {
        if (marked === 'clear') {
          window.clear();
          list = [];
        } else {
          window.add(0, 1, marked ? 1 : 0);
          list = [...list, marked].slice(-most);
        }
        same(window.first, list.length);
        same(window.second, list.filter(each => each).length);
      }
    }),
  );
});

test('a million events are a million bits', () => {
  const window = new CountWindow(1_000_000);
  for (let i = 0; i < 1_500_000; i++) window.add(0, 1, i % 3 === 0 ? 1 : 0);
  expect([window.first, window.second]).toEqual([1_000_000, 333_333]);
});
