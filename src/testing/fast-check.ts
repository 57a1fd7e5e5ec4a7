/**
 * As much of fast-check as is needed here. You hand in the module, `import fc from 'fast-check'`; so neither
 * code nor types of `fairlead/testing` ask for it where it is not installed.
 */
export interface FastCheck {
  boolean(): Arbitrary<boolean>;
  integer(range: { min: number; max: number }): Arbitrary<number>;
  constantFrom<T>(...values: T[]): Arbitrary<T>;
  array<T>(each: Arbitrary<T>, size: Length): Arbitrary<T[]>;
  uniqueArray<T>(each: Arbitrary<T>, size: Length & { selector: (value: T) => unknown }): Arbitrary<T[]>;
  oneof<T>(...each: Arbitrary<T>[]): Arbitrary<T>;
  tuple<Ts extends unknown[]>(...each: { [K in keyof Ts]: Arbitrary<Ts[K]> }): Arbitrary<Ts>;
  // biome-ignore lint/suspicious/noExplicitAny: a property's type is fast-check's own affair
  property<T>(each: Arbitrary<T>, holds: (value: T) => void): any;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  asyncProperty<T>(each: Arbitrary<T>, holds: (value: T) => Promise<void>): any;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  assert(property: any, parameters?: RunParameters): any;
}

/** How many of something. */
export interface Size {
  minLength?: number | undefined;
  maxLength?: number | undefined;
}

/** Without `size: 'max'` fast-check would go no further than about ten more than the least. */
interface Length {
  minLength?: number;
  maxLength?: number;
  size: 'max';
}

/** fast-check's own parameters: how often a law is tried, and the two that it prints to repeat a failure. */
export interface RunParameters {
  readonly numRuns?: number;
  readonly seed?: number;
  readonly path?: string;
  /** Whether a failure is told as it is found, not made smaller first. */
  readonly endOnFailure?: boolean;
}

/** fast-check's `Arbitrary`, and can be used as one: makes values, and smaller ones of a value that fails. */
export interface Arbitrary<T> {
  // biome-ignore lint/suspicious/noExplicitAny: types of fast-check's that nobody but fast-check uses
  generate(random: any, bias: number | undefined): any;
  canShrinkWithoutContext(value: unknown): value is T;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  shrink(value: T, context: unknown): any;
  filter<U extends T>(refinement: (value: T) => value is U): Arbitrary<U>;
  filter(predicate: (value: T) => boolean): Arbitrary<T>;
  map<U>(mapper: (value: T) => U): Arbitrary<U>;
  chain<U>(chainer: (value: T) => Arbitrary<U>): Arbitrary<U>;
}
