import { defineConfig } from 'vitest/config';
import { alias } from './vitest.config.ts';

/** Tests against real servers, one file after another: they share ports and the machine. */
export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/integration/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
