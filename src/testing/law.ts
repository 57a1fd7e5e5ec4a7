import type { Arbitrary, FastCheck, RunParameters } from './fast-check.ts';

/**
 * Something that must hold. `run` throws, or rejects, where it does not; so `test(name, run)` makes a test of
 * it in any runner.
 */
export interface Law {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

export interface LawOptions {
  /** Handed to `fc.assert`, such as `{ numRuns: 1000 }`. */
  readonly fastCheck?: RunParameters | undefined;
}

/**
 * A law that must hold for any value. `most` bounds the runs of one that is expensive, unless you say how
 * many.
 */
export function law<T>(
  fc: FastCheck,
  parameters: RunParameters | undefined,
  name: string,
  values: Arbitrary<T>,
  holds: (value: T) => void,
  most?: number,
): Law {
  const bounded = most === undefined ? parameters : { numRuns: most, ...parameters };
  return { name, run: () => fc.assert(fc.property(values, holds), bounded) as void };
}

/** The same for what takes its time. */
export function lawAsync<T>(
  fc: FastCheck,
  parameters: RunParameters | undefined,
  name: string,
  values: Arbitrary<T>,
  holds: (value: T) => Promise<void>,
): Law {
  return { name, run: () => fc.assert(fc.asyncProperty(values, holds), parameters) as Promise<void> };
}

/** @throws Error that says what is wrong, unless it is right */
export function must(right: boolean, wrong: () => string): asserts right {
  if (!right) throw new Error(wrong());
}

/** A value as a message shows it. */
export const shown = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : String(value);
