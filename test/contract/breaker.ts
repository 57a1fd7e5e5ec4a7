import type { MakeBreaker } from 'fairlead';
import { type BreakerLawOptions, breakerLaws } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, test } from 'vitest';

/** Every breaker keeps these laws; `options` say what it promises on top. */
export function describeBreaker(name: string, make: MakeBreaker, options?: BreakerLawOptions): void {
  describe(`the laws of breakers, for ${name}`, () => {
    for (const law of breakerLaws(fc, make, options)) test(law.name, law.run);
  });
}
