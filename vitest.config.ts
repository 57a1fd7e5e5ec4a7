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

/** What replaces modules, or waits for the garbage of a whole process, has a process of its own. */
const ALONE = [
  'test/property/hash.test.ts',
  'test/testing/without-fast-check.test.ts',
  'test/policy/retention.test.ts',
  'test/transport/abort.test.ts',
];

export default defineConfig({
  resolve: { alias },
  test: {
    // Nothing is asserted of how long a test takes, and a machine may be busy.
    testTimeout: 60_000,
    // By default one processor is left idle: half of them on the machines that have two.
    maxWorkers: '100%',
    // A third of the time would go by if each file imported everything for itself.
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/simulation/**', ...ALONE],
        },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'json-summary'] },
  },
});
