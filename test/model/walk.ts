import fc from 'fast-check';
import { expect, test } from 'vitest';
import { source } from './source.ts';

/** The thing itself and its model side by side: each method is a step of both, and throws where they differ. */
export interface Driver {
  /** Lets everything come to its end, and looks at what is left. */
  finish(): void | Promise<void>;
}

type Method<D> = Extract<
  { [K in keyof D]: D[K] extends (...args: never[]) => unknown ? K : never }[keyof D],
  string
>;

/** A kind of step. */
export interface StepKind<D> {
  readonly do: Method<D>;
  readonly args?: fc.Arbitrary<readonly unknown[]>;
  /** How often it comes, compared with others. Default: 1. */
  readonly weight?: number;
  /** Whether it makes sense as things are. Default: always. */
  readonly when?: (driver: D) => boolean;
}

export interface Walk<D extends Driver, O> {
  readonly name: string;
  readonly Driver: new (options: O) => D;
  /** The module of the driver, in this directory. */
  readonly file: string;
  readonly options: fc.Arbitrary<O>;
  readonly steps: readonly StepKind<D>[];
  /** How many steps are taken at least, over all walks. `FAIRLEAD_MODEL_RUNS` multiplies it. */
  readonly least: number;
  /** The longest walk. Default: 120 steps. */
  readonly longest?: number;
}

/** How often over a larger run goes than the usual one. */
const RUNS = Number(process.env['FAIRLEAD_MODEL_RUNS'] ?? 1);

class Step<D extends Driver> implements fc.AsyncCommand<D, D> {
  static taken = 0;
  readonly #kind: StepKind<D>;
  readonly #args: readonly unknown[];

  constructor(kind: StepKind<D>, args: readonly unknown[]) {
    this.#kind = kind;
    this.#args = args;
  }

  check(driver: Readonly<D>): boolean {
    return this.#kind.when?.(driver) ?? true;
  }

  async run(driver: D): Promise<void> {
    Step.taken++;
    await (driver[this.#kind.do] as (...args: readonly unknown[]) => unknown)(...this.#args);
  }

  /** As a line of a script. */
  toString(): string {
    return `await driver.${this.#kind.do}(${this.#args.map(arg => source(arg)).join(', ')});`;
  }
}

/**
 * A test that takes random steps, as many as asked, each walk with a new driver. A walk that fails is shrunk, and shown as
 * a script that takes its steps without fast-check.
 */
export function walks<D extends Driver, O>(walk: Walk<D, O>): void {
  const { name, Driver, options, steps, least, longest = 120 } = walk;
  const commands = steps.flatMap(kind => {
    const step = (kind.args ?? fc.constant([])).map(args => new Step<D>(kind, args));
    return new Array<typeof step>(kind.weight ?? 1).fill(step);
  });
  const property = fc.asyncProperty(
    options,
    fc.commands(commands, { maxCommands: longest, size: 'max' }),
    async (given, taken) => {
      const driver = new Driver(given);
      await fc.asyncModelRun(() => ({ model: driver, real: driver }), taken);
      await driver.finish();
    },
  );
  test(
    name,
    async () => {
      Step.taken = 0;
      while (Step.taken < least * RUNS) {
        const { failed, counterexample, errorInstance, seed } = await fc.check(property, { numRuns: 50 });
        if (!failed) continue;
        if (counterexample === null) throw errorInstance;
        const replay = await script<D, O>(walk, ...counterexample);
        throw new Error(`${String(errorInstance)}\n\n${replay}\n// fast-check's seed was ${seed}\n`, {
          cause: errorInstance,
        });
      }
      expect(Step.taken).toBeGreaterThanOrEqual(least * RUNS);
      if (RUNS > 1) console.log(`${name}: ${Step.taken} steps`);
    },
    60_000 * Math.max(1, RUNS),
  );
}

/** What takes the steps of a walk again: those that were taken, up to the one that failed. */
async function script<D extends Driver, O>(
  { Driver, file }: Walk<D, O>,
  options: O,
  steps: Iterable<fc.AsyncCommand<D, D>>,
): Promise<string> {
  const lines: string[] = [];
  const driver = new Driver(options);
  try {
    for (const step of steps) {
      if (!step.check(driver)) continue;
      lines.push(`  ${step}`);
      await step.run(driver, driver);
    }
  } catch {
    // This was the last of them.
  }
  return [
    '// As test/model/replay.test.ts: npx vitest run test/model/replay.test.ts',
    `import { test } from 'vitest';`,
    `import { ${Driver.name} } from './${file}';`,
    '',
    `test('replay', async () => {`,
    `  const driver = new ${Driver.name}(${source(options)});`,
    ...lines,
    '  await driver.finish();',
    '});',
  ].join('\n');
}

/** Throws if the thing itself and its model say different things. */
export function same(what: string, real: unknown, model: unknown): void {
  if (!Object.is(real, model)) throw new Error(`${what} is ${source(real)}; the model says ${source(model)}`);
}

/** Throws if a law does not hold. */
export function holds(law: boolean, what: () => string): void {
  if (!law) throw new Error(what());
}
