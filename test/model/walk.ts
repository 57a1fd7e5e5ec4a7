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
  readonly #kind: StepKind<D>;
  readonly #args: readonly unknown[];
  readonly #count: { taken: number };

  constructor(kind: StepKind<D>, args: readonly unknown[], count: { taken: number }) {
    this.#kind = kind;
    this.#args = args;
    this.#count = count;
  }

  check(driver: Readonly<D>): boolean {
    return this.#kind.when?.(driver) ?? true;
  }

  async run(driver: D): Promise<void> {
    this.#count.taken++;
    await (driver[this.#kind.do] as (...args: readonly unknown[]) => unknown)(...this.#args);
  }

  /** As a line of a script. */
  toString(): string {
    return `await driver.${this.#kind.do}(${this.#args.map(arg => source(arg)).join(', ')});`;
  }
}

/** What came of walks. */
export interface Journey {
  readonly taken: number;
  /** The first error, shrunk, with a script that meets it again. */
  readonly failure: Error | undefined;
}

/** Takes so many random steps at least, each walk with a new driver, until one fails. */
export async function explore<D extends Driver, O>(
  walk: Omit<Walk<D, O>, 'name' | 'least'>,
  least: number,
): Promise<Journey> {
  const { Driver, options, steps, longest = 120 } = walk;
  const count = { taken: 0 };
  const commands = steps.flatMap(kind => {
    const step = (kind.args ?? fc.constant([])).map(args => new Step<D>(kind, args, count));
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
  for (let round = 1; count.taken < least; round++) {
    // Always the same walks, lest somebody's change be held up by what it has nothing to do with; new ones when asked for more.
    const chance = RUNS === 1 ? { seed: round } : {};
    const { failed, counterexample, errorInstance, seed } = await fc.check(property, {
      numRuns: 50,
      ...chance,
    });
    if (!failed) continue;
    const { taken } = count;
    const script = counterexample === null ? '' : await scriptOf<D, O>(walk, ...counterexample);
    const message = `${String(errorInstance)}\n\n${script}\n// fast-check's seed was ${seed}\n`;
    return { taken, failure: new Error(message, { cause: errorInstance }) };
  }
  return { taken: count.taken, failure: undefined };
}

/**
 * A test that takes random steps, as many as asked. A walk that fails is shrunk, and shown as a script that takes its steps
 * without fast-check.
 */
export function walks<D extends Driver, O>(walk: Walk<D, O>): void {
  const { name, least } = walk;
  const work = async (): Promise<void> => {
    const { taken, failure } = await explore(walk, least * RUNS);
    if (failure !== undefined) throw failure;
    expect(taken).toBeGreaterThanOrEqual(least * RUNS);
    if (RUNS > 1) console.log(`${name}: ${taken} steps`);
  };
  test(name, work, 120_000 * Math.max(1, RUNS));
}

/** What takes the steps of a walk again: those that were taken, up to the one that failed. */
async function scriptOf<D extends Driver, O>(
  { Driver, file }: Pick<Walk<D, O>, 'Driver' | 'file'>,
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
