import type { ConsecutiveFailuresOptions } from 'fairlead/core';
import type { Settled } from '../../src/base/options.ts';
import type { Happening, Trips } from './breaker-model.ts';

/** What opens `consecutiveFailures`, from the list of all ends since it closed. */
export const inARow =
  ({ threshold, failingFor }: Settled<Pick<ConsecutiveFailuresOptions, 'threshold' | 'failingFor'>>): Trips =>
  ends => {
    const row = ends.slice(ends.findLastIndex(({ what }) => what === 'success') + 1);
    const last = row.at(-1);
    if (last === undefined) return false;
    const long = row.length >= 2 && last.at - Math.ceil(row[0]!.at) >= failingFor;
    return long || row.length >= threshold;
  };

export interface RateRules {
  readonly threshold: number;
  /** In ms, or absent where it is the last calls that count. */
  readonly window?: number;
  readonly lastCalls?: number;
  readonly minCalls: number;
  readonly slowerThan: number;
  readonly slowThreshold?: number;
}

/** What a probe of `failureRate` must not be. */
export const failedOrSlow =
  ({ slowerThan }: RateRules) =>
  ({ what, elapsed }: Happening): boolean =>
    what === 'failure' || elapsed > slowerThan;

/** What opens `failureRate`, from the list of all ends since it closed. */
export const tooMany = (rules: RateRules): Trips => {
  const { threshold, window = 10_000, lastCalls, minCalls, slowerThan, slowThreshold } = rules;
  const tenth = (at: number): number => Math.floor((at * 10) / window);
  const failed = ({ what }: Happening): boolean => what === 'failure';
  const slow = ({ elapsed }: Happening): boolean => elapsed > slowerThan;
  return ends => {
    const last = ends.at(-1)!;
    const recent =
      lastCalls === undefined
        ? ends.filter(({ at }) => tenth(at) > tenth(last.at) - 10)
        : ends.slice(-lastCalls);
    const reaches = (such: (end: Happening) => boolean, share: number): boolean =>
      such(last) && recent.length >= minCalls && recent.filter(such).length / recent.length >= share;
    if (slowThreshold === undefined) return reaches(failedOrSlow(rules), threshold);
    return reaches(failed, threshold) || reaches(slow, slowThreshold);
  };
};
