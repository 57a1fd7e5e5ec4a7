/**
 * A test runner for Stryker that loads all tests once and runs those that reach a mutant, in this process, up to the
 * first that fails. Stryker's own runner for vitest starts a thread per test file for each mutant.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { INSTRUMENTER_CONSTANTS } from '@stryker-mutator/api/core';
import { declareFactoryPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import { determineHitLimitReached, toMutantRunResult } from '@stryker-mutator/api/test-runner';
import { build } from 'esbuild';

/** The tests that are asked whether they notice a mutant: those of what is mutated, and none that takes long. */
const TESTS =
  /^(base|breaker|health|policy)\/[\w-]+|^contract\/breaker|^(bad-input|client|drain|explain|failure-kinds|outage|reentrant|restore|traps)|^pool[\w-]*/;
const NOT = /^policy\/retention|^base\/env/;
/** Nor these, of what only balancers do. */
const SLOW = /a hundred thousand members|655 373 slots|too large/;

/** What each test took without a mutant, in ms: written by the process that measures it, read by all. */
const DURATIONS = 'durations.json';
/** A test that takes so many ms, and ten times as long as it should, hangs. */
const HANGS = 5000;

const shim = fileURLToPath(new URL('vitest-shim.mjs', import.meta.url));
const registry = (globalThis.fairleadTests = { file: '', tests: [], seen: new Map() });
const turn = () => new Promise(resolve => setImmediate(resolve));

class Runner {
  #bundle;
  #loads = 0;
  #space;
  #durations;
  /** What went wrong beside the tests: a rejection that nobody handles fails a run of vitest, too. */
  #stray;

  constructor(namespace) {
    this.#space = globalThis[namespace] ??= {};
    const strays = error => {
      this.#stray ??= error;
    };
    process.on('unhandledRejection', strays);
    process.on('uncaughtException', strays);
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init() {
    this.#bundle = resolve(`tests-${process.pid}.mjs`);
    const files = readdirSync('test', { recursive: true })
      .map(file => file.replaceAll('\\', '/'))
      .filter(file => file.endsWith('.test.ts') && TESTS.test(file) && !NOT.test(file))
      .sort();
    const { paths } = JSON.parse(readFileSync('tsconfig.json', 'utf8')).compilerOptions;
    await build({
      stdin: {
        contents: files.map(file => `import './test/${file}';`).join('\n'),
        resolveDir: process.cwd(),
      },
      bundle: true,
      platform: 'node',
      target: 'es2022',
      format: 'esm',
      keepNames: true,
      ignoreAnnotations: true, // the package says that its modules have no side effects; tests have
      outfile: this.#bundle,
      alias: { vitest: shim },
      plugins: [
        {
          name: 'names of ours, and the file that a test is in',
          setup({ onLoad, onResolve }) {
            onResolve({ filter: /^fairlead(\/|$)/ }, ({ path }) => ({ path: resolve(paths[path][0]) }));
            onLoad({ filter: /\.test\.ts$/ }, ({ path }) => {
              const file = path.slice(path.lastIndexOf('/test/') + 1);
              const text = readFileSync(path, 'utf8');
              return {
                contents: `globalThis.fairleadTests.file = ${JSON.stringify(file)};\n${text}`,
                loader: 'ts',
              };
            });
          },
        },
      ],
    });
  }

  async dryRun() {
    await this.#load();
    const tests = [];
    for (const test of registry.tests) {
      this.#space.currentTestId = test.id;
      const begun = performance.now();
      const failure = await this.#run(test, 60_000);
      tests.push({
        ...{ id: test.id, name: test.id, fileName: resolve(test.file) },
        ...{ timeSpentMs: performance.now() - begun },
        ...(failure === undefined ? { status: 0 } : { status: 1, failureMessage: failure }),
      });
    }
    this.#space.currentTestId = undefined;
    writeFileSync(
      DURATIONS,
      JSON.stringify(Object.fromEntries(tests.map(({ id, timeSpentMs }) => [id, timeSpentMs]))),
    );
    return { status: 'complete', tests, mutantCoverage: this.#space.mutantCoverage };
  }

  async mutantRun({
    testFilter,
    hitLimit,
    activeMutant,
    sandboxFileName,
    mutantActivation,
    reloadEnvironment,
  }) {
    const space = this.#space;
    this.#durations ??= JSON.parse(readFileSync(DURATIONS, 'utf8'));
    space.activeMutant = mutantActivation === 'static' ? activeMutant.id : undefined;
    space.hitCount = 0;
    space.hitLimit = hitLimit;
    const tests = [];
    try {
      if (reloadEnvironment || registry.tests.length === 0) await this.#load();
      space.activeMutant = activeMutant.id;
      for (const test of this.#order(testFilter, sandboxFileName)) {
        const failure = await this.#run(test, Math.max(HANGS, 10 * this.#durations[test.id]));
        const result = { id: test.id, name: test.id, timeSpentMs: 0 };
        tests.push(
          failure === undefined
            ? { ...result, status: 0 }
            : { ...result, status: 1, failureMessage: failure },
        );
        if (failure !== undefined) break;
      }
    } catch (error) {
      // It cannot even be loaded.
      tests.push({
        ...{ id: registry.tests[0]?.id ?? 'load', name: 'load', timeSpentMs: 0 },
        ...{ status: 1, failureMessage: String(error) },
      });
    }
    space.activeMutant = undefined;
    const hanging = determineHitLimitReached(space.hitCount, hitLimit);
    return toMutantRunResult(hanging ?? { status: 'complete', tests });
  }

  /** The tests of the file that has the mutant come first, and then the quick ones. */
  #order(ids, file) {
    const own = `${basename(file, '.ts')}.test.ts`;
    const wanted = ids && new Set(ids);
    const rank = test => (basename(test.file) === own ? 0 : 1e6) + this.#durations[test.id];
    return registry.tests
      .filter(({ id }) => wanted?.has(id) ?? true)
      .sort((one, other) => rank(one) - rank(other));
  }

  async #load() {
    Object.assign(registry, { file: '', tests: [], seen: new Map() });
    await import(`${pathToFileURL(this.#bundle)}?${this.#loads++}`);
    registry.tests = registry.tests.filter(({ id }) => !SLOW.test(id));
  }

  /** What failed, if anything did. */
  async #run({ body }, patience) {
    this.#stray = undefined;
    let timer;
    try {
      await Promise.race([
        body(),
        new Promise((_, reject) => {
          timer = setTimeout(() => reject(new Error(`not over after ${patience} ms`)), patience);
        }),
      ]);
      await turn();
      if (this.#stray !== undefined) throw this.#stray;
      return undefined;
    } catch (error) {
      return String(error?.stack ?? error);
    } finally {
      clearTimeout(timer);
    }
  }
}

const make = () => new Runner(INSTRUMENTER_CONSTANTS.NAMESPACE);
make.inject = [];
export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'in-process', make)];
