import { expect, test } from 'vitest';
import { missed } from '../../scripts/simulate/scenario.ts';
import { scenarios } from '../../scripts/simulate/scenarios.ts';

// Each bar, with the reason for its bound, is in the scenario. Seeds are fixed, so a bar that holds holds always.
test.each(scenarios.map(scenario => [scenario.title, scenario] as const))(
  '%s: every bar is met',
  async (_, scenario) => {
    const { bars } = await scenario.run('brief');
    expect(bars.length).toBeGreaterThan(0);
    expect(missed(bars)).toEqual([]);
  },
);
