import type { ConsecutiveFailuresOptions, FailureRateOptions } from 'fairlead/core';
import type { Happening, Trips } from './breaker-model.ts';

/** What opens `consecutiveFailures`, from the list of all ends since it closed. */
export const inARow =
  ({
    threshold,
    failingFor,
  }: Required<Pick<ConsecutiveFailuresOptions, 'threshold' | 'failingFor'>>): Trips =>
  ends => {
    const row = ends.slice(ends.findLastIndex(({ what }) => what === 'success') + 1);
    const last = row.at(-1);
    if (last === undefined) return false;
    const long = row.length >= 2 && last.at - Math.ceil(row[0]!.at) >= failingFor;
    return long || row.length >= threshold;
  };

export type RateRules = Required<Pick<FailureRateOptions, 'threshold' | 'minCalls' | 'slowerThan'>> & {
  readonly window: number;
};

/** What `failureRate` takes for a failure. */
export const failedOrSlow =
  ({ slowerThan }: RateRules) =>
  ({ what, elapsed }: Happening): boolean =>
    what === 'failure' || elapsed > slowerThan;

/** What opens `failureRate`, from the list of all ends since it closed. */
export const tooMany = (rules: RateRules): Trips => {
  const { threshold, window, minCalls } = rules;
  const failed = failedOrSlow(rules);
  const tenth = (at: number): number => Math.floor((at * 10) / window);
  return ends => {
    const last = ends.at(-1)!;
    const recent = ends.filter(({ at }) => tenth(at) > tenth(last.at) - 10);
    const share = recent.filter(failed).length / recent.length;
    return failed(last) && recent.length >= minCalls && share >= threshold;
  };
};
