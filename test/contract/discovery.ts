import { type DiscoveryLawOptions, discoveryLaws } from 'fairlead/testing';
import { describe, test } from 'vitest';

/** Every source of endpoints keeps these laws. */
export function describeDiscovery(
  name: string,
  make: Parameters<typeof discoveryLaws>[0],
  options?: DiscoveryLawOptions,
): void {
  describe(`the laws of discovery, for ${name}`, () => {
    for (const law of discoveryLaws(make, options)) test(law.name, law.run);
  });
}
