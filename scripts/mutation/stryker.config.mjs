/** Where Stryker works and what it leaves, none of it in git. */
export const OUT = 'scripts/mutation/.out';

// biome-ignore lint/style/noDefaultExport: Stryker wants one
export default {
  mutate: [
    'src/{breaker,health,policy}/**/*.ts',
    'src/{pool,pool-options,membership,runner,explain}.ts',
    'src/base/{abort,awake,chain,deadlines}.ts',
  ],
  testRunner: 'in-process',
  plugins: ['./scripts/mutation/runner.mjs'],
  coverageAnalysis: 'perTest',
  // Only a loop without end takes that long, on a machine that is busy with other things, too.
  timeoutMS: 20_000,
  timeoutFactor: 3,
  concurrency: 2,
  tempDirName: `${OUT}/sandbox`,
  // Within the sandbox, node_modules are looked for upwards: those of this folder, and then the root's.
  symlinkNodeModules: false,
  ignorePatterns: ['**', '!src/**', '!test/**', '!*.json', '!scripts/mutation/vitest-shim.mjs'],
  incremental: true,
  incrementalFile: `${OUT}/incremental.json`,
  reporters: ['clear-text', 'progress-append-only', 'json', 'html'],
  clearTextReporter: { logTests: false, reportTests: false, skipFull: true },
  jsonReporter: { fileName: `${OUT}/mutation.json` },
  htmlReporter: { fileName: `${OUT}/mutation.html` },
  allowEmpty: true,
};
