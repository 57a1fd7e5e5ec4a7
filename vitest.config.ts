import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const src = (file: string): string => fileURLToPath(new URL(`./src/${file}`, import.meta.url));

/** The package's entries by name, as its users import them, straight from the sources. */
export const alias = [
  { find: /^fairlead$/, replacement: src('index.ts') },
  { find: /^fairlead\/core$/, replacement: src('core.ts') },
  { find: /^fairlead\/dns$/, replacement: src('registry/dns.ts') },
  { find: /^fairlead\/dialects$/, replacement: src('dialect/index.ts') },
  { find: /^fairlead\/tcp$/, replacement: src('transport/tcp-check.ts') },
  { find: /^fairlead\/testing$/, replacement: src('testing/index.ts') },
];

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/**/*.test.ts'],
    // Nothing is asserted of how long a test takes, and a machine may be busy.
    testTimeout: 60_000,
    // By default one processor is left idle: half of them on the machines that have two.
    maxWorkers: '100%',
    exclude: ['test/integration/**', 'test/simulation/**', 'node_modules/**'],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'json-summary'] },
  },
});
