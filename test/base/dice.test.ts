import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Dice } from '../../src/base/dice.ts';
import { seededRandom } from '../../src/testing/seeded-random.ts';

const dice = (): Dice => new Dice(seededRandom(7));

test('words taken in pairs, given back or thrown one by one are the same words in the same order', () => {
  const step = fc.constantFrom('word', 'below', 'pair', 'pair and back');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: 'max' }), steps => {
      const mixed = dice();
      const plain = dice();
      for (const what of steps) {
        if (what === 'word') expect(mixed.word()).toBe(plain.word());
        else if (what === 'below') expect(mixed.below(1000)).toBe(plain.below(1000));
        else {
          const place = mixed.pair();
          expect(mixed.at(place, 1000)).toBe(plain.below(1000));
          if (what === 'pair and back') mixed.back();
          else expect(mixed.at(place + 1, 7)).toBe(plain.below(7));
        }
      }
    }),
    { numRuns: 50 },
  );
});

test('numbers below a bound are spread evenly', () => {
  const counts = new Array<number>(10).fill(0);
  const one = dice();
  for (let i = 0; i < 10_000; i++) counts[one.below(10)]!++;
  // Six standard deviations of a count are 6 * sqrt(10_000 * 0.1 * 0.9) = 180.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(180);
});
