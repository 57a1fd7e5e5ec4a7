/**
 * Mutation testing: `npm run test:mutation`, or `npm run test:mutation -- 'src/policy/**' src/pool.ts` for a part of it.
 * Mutants and tests that have not changed since the last time are not run again; `--force` runs them all. Afterwards
 * docs/mutation.md says how it went. Fails if less than 85 % of the mutants are noticed.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { report } from './report.mjs';

process.chdir(fileURLToPath(new URL('../..', import.meta.url)));

const options = process.argv.slice(2).filter(argument => argument.startsWith('--'));
const files = process.argv.slice(2).filter(argument => !argument.startsWith('--'));
const stryker = 'scripts/mutation/node_modules/@stryker-mutator/core/bin/stryker.js';
const part = files.length > 0 ? ['--mutate', files.join()] : [];
const { status } = spawnSync(
  process.execPath,
  [stryker, 'run', 'scripts/mutation/stryker.config.mjs', ...part, ...options],
  { stdio: 'inherit' },
);
process.exitCode = status === 0 ? report() : 1;
