import type { Balancer } from 'fairlead';
import { type BalancerLawOptions, balancerLaws } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, test } from 'vitest';

/** Of the default hundred: there are thirty balancers, and each run makes several of it. */
const FEWER = { fastCheck: { numRuns: 30 } };

/** Every balancer keeps these laws; `options` say how it shares calls out. */
export function describeBalancer(name: string, make: () => Balancer, options?: BalancerLawOptions): void {
  describe(`the laws of balancers, for ${name}`, () => {
    for (const law of balancerLaws(fc, make, { ...FEWER, ...options })) test(law.name, law.run);
  });
}
