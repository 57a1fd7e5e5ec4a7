import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventQueue, type Occurrence, Reach } from '../../../src/testing/simulate/event-queue.ts';
import { same } from '../../in-loops.ts';

interface Named extends Occurrence {
  readonly name: number;
}
const named = (name: number): Named => ({ name, happen: () => Reach.nobody });

test('whatever is added, taken and swept, all come once, by time, then in the order of adding', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 20 }) }) },
    { weight: 3, arbitrary: fc.constant({ take: true } as const) },
    { weight: 1, arbitrary: fc.record({ sweep: fc.integer({ min: 1, max: 4 }) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), steps => {
      const queue = new EventQueue();
      let model: { at: number; name: number }[] = [];
      let names = 0;
      const taken = (): void => {
        const event = queue.next() as Named | undefined;
        model.sort((a, b) => a.at - b.at || a.name - b.name);
        const first = model.shift();
        same(event?.name, first?.name);
        if (first !== undefined) same(queue.now, first.at);
      };
      for (const each of steps) {
        if ('add' in each) {
          const at = queue.now + each.add;
          model.push({ at, name: names });
          queue.add(at, named(names++));
        } else if ('sweep' in each) {
          queue.sweep(item => (item as Named).name % each.sweep === 0);
          model = model.filter(({ name }) => name % each.sweep !== 0);
        } else taken();
        same(queue.size, model.length);
      }
      while (model.length > 0) taken();
      expect(queue.next()).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

test('there is room for many', () => {
  const queue = new EventQueue();
  for (let i = 5000; i > 0; i--) queue.add(i, named(i));
  for (let i = 1; i <= 5000; i++) same((queue.next() as Named).name, i);
});

test('a chain of events at one time is told from a crowd of them', () => {
  const queue = new EventQueue();
  for (let i = 0; i < 100; i++) queue.add(5, named(i));
  for (let i = 0; i < 100; i++) queue.next();
  expect(queue.generation).toBe(0);
  for (let i = 1; i <= 50; i++) {
    queue.add(5, named(i));
    queue.next();
    expect(queue.generation).toBe(i);
  }
  queue.add(6, named(0));
  queue.next();
  expect(queue.generation).toBe(0);
});
