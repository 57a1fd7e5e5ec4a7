import fc from 'fast-check';
import { expect, test } from 'vitest';
import { STEPS } from './steps.ts';
import { type Driver, explore, same } from './walk.ts';

/** A counter that adds seven wrongly if there is a note to it. */
class Counter implements Driver {
  #real = 0;
  #model = 0;
  readonly #from: number;

  constructor({ from }: { readonly from: number }) {
    this.#from = from;
  }

  add(by: number, note: string): void {
    if (by === 7 && note !== '') this.#real++;
    this.#real += by;
    this.#model += by;
    same('the count', this.#real + this.#from, this.#model + this.#from);
  }

  rest(): void {}

  finish(): void {}
}

const walk = {
  Driver: Counter,
  file: 'counter.ts',
  options: fc.record({ from: fc.nat(5) }),
  steps: [
    { do: 'rest' as const, weight: 3 },
    { do: 'add' as const, args: fc.tuple(fc.constantFrom(1, 7), fc.constantFrom('', "it's")) },
  ],
};

test('a walk that fails is shrunk to a script of the steps that matter', async () => {
  const { failure } = await explore(walk, 5000);
  expect(failure?.message.split('// fast-check')[0]).toBe(`Error: the count is 8; the model says 7

// As test/model/replay.test.ts: npx vitest run test/model/replay.test.ts
import { test } from 'vitest';
import { Counter } from './counter.ts';

test('replay', async () => {
  const driver = new Counter({ "from": 0 });
  await driver.add(7, "it's");
  await driver.finish();
});
`);
});

test('a walk that does not fail takes the steps it is asked for', async () => {
  const { taken, failure } = await explore({ ...walk, steps: walk.steps.slice(0, 1) }, 1000);
  expect(failure).toBeUndefined();
  expect(taken).toBeGreaterThanOrEqual(1000);
});

test('each run of the tests walks the models 100 000 steps', () => {
  const all = Object.values(STEPS).reduce((sum, steps) => sum + steps, 0);
  expect(all).toBeGreaterThanOrEqual(100_000);
});
