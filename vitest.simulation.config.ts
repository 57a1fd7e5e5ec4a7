import { defineConfig } from 'vitest/config';
import { alias } from './vitest.config.ts';

/** The bars of the simulated scenarios: minutes of arithmetic, which whoever runs the tests after each change need not wait for. */
export default defineConfig({
  resolve: { alias },
  test: { include: ['test/simulation/scenarios.test.ts'], testTimeout: 120_000 },
});
