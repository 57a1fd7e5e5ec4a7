import { defineConfig } from 'vitest/config';
import { alias } from './vitest.config.ts';

/** What emerges over time, and the bars of the simulated scenarios: minutes of arithmetic, which whoever runs the tests after each change need not wait for. */
export default defineConfig({
  resolve: { alias },
  test: { include: ['test/simulation/**/*.test.ts'], testTimeout: 120_000, maxWorkers: '100%' },
});
