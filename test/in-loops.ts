import { expect } from 'vitest';

// What holds is found so without `expect`, which takes some microseconds: too many where a test looks a hundred
// thousand times. What does not hold is for `expect` to say.

/** `expect(actual).toBe(expected)`, for loops. */
export function same<T>(actual: T, expected: T): void {
  if (!Object.is(actual, expected)) expect(actual).toBe(expected);
}

/** `expect(actual).toBeLessThanOrEqual(most)`, for loops. */
export function atMost(actual: number, most: number): void {
  if (!(actual <= most)) expect(actual).toBeLessThanOrEqual(most);
}

/** `expect(actual).toBeLessThan(bound)`, for loops. */
export function below(actual: number, bound: number): void {
  if (!(actual < bound)) expect(actual).toBeLessThan(bound);
}
