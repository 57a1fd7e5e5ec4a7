import { CountWindow } from '../base/count-window.ts';
import type { Env } from '../base/env.ts';
import { bad, checkNumber } from '../base/errors.ts';
import { checkOptions, type Settled } from '../base/options.ts';
import { Window } from '../base/window.ts';
import type { MakeBreaker } from '../model/breaker.ts';
import {
  BreakerMachine,
  OPEN_OPTIONS,
  type OpenOptions,
  type OpenSettings,
  openSettings,
} from './machine.ts';

export interface FailureRateOptions extends OpenOptions {
  /** This share of failures opens it, above 0 and up to 1. Default: 0.5. */
  readonly threshold?: number | undefined;
  /** Over how many ms the share is taken. Default: 10 000, if there is no `lastCalls`. */
  readonly window?: number | undefined;
  /** Over how many calls it is taken instead, however long ago they were, up to a million. */
  readonly lastCalls?: number | undefined;
  /** With fewer calls in the window it stays closed. Default: 20, or `lastCalls` if that is less. */
  readonly minCalls?: number | undefined;
  /** A call that took longer than so many ms is slow, and counts as a failure if there is no `slowThreshold`. Default: none is. */
  readonly slowerThan?: number | undefined;
  /** This share of slow calls, failed or not, opens it, above 0 and up to 1; then they are no failures. Default: none does. */
  readonly slowThreshold?: number | undefined;
}

/**
 * Opens when too large a share of the latest calls failed, or was slow (Resilience4j's sliding windows, of time or of
 * calls). The window of time slides in tenths; both are exact in their counts, and cost the same however long they are
 * and however much they hold. A window of calls takes a bit for each.
 *
 * @throws RangeError or TypeError for an option out of range
 */
export function failureRate(options: FailureRateOptions = {}): MakeBreaker {
  checkOptions<FailureRateOptions>('failureRate', options, {
    ...OPEN_OPTIONS,
    threshold: 1,
    window: 1,
    lastCalls: 1,
    minCalls: 1,
    slowerThan: 1,
    slowThreshold: 1,
  });
  const { threshold = 0.5, window = 10_000, lastCalls, slowThreshold } = options;
  const { minCalls = Math.min(20, lastCalls ?? 20), slowerThan = Number.POSITIVE_INFINITY } = options;
  checkNumber('failureRate threshold', threshold, Number.MIN_VALUE, 1);
  checkNumber('failureRate window', window, 1, Number.MAX_SAFE_INTEGER);
  if (lastCalls !== undefined) {
    checkNumber('failureRate lastCalls', lastCalls, 1, 1e6, true);
    if (options.window !== undefined)
      throw bad('failureRate lastCalls', lastCalls, 'absent where there is a window');
  }
  checkNumber('failureRate minCalls', minCalls, 1, lastCalls ?? Number.MAX_SAFE_INTEGER, true);
  checkNumber('failureRate slowerThan', slowerThan, 0);
  if (slowThreshold !== undefined) {
    checkNumber('failureRate slowThreshold', slowThreshold, Number.MIN_VALUE, 1);
    if (options.slowerThan === undefined)
      throw bad('failureRate slowThreshold', slowThreshold, 'absent where there is no slowerThan');
  }
  const settings: Settings = {
    ...openSettings('failureRate', options),
    ...{ threshold, window, lastCalls, minCalls, slowerThan, slowThreshold },
  };
  if (slowThreshold === undefined) return env => new FailureRate(settings, env);
  return env => new FailureAndSlowRate(settings, env);
}

type Settings = OpenSettings &
  Settled<Pick<FailureRateOptions, 'threshold' | 'window' | 'minCalls' | 'slowerThan'>> &
  Pick<Required<FailureRateOptions>, 'lastCalls' | 'slowThreshold'>;
/** Over time, or over calls. */
type Counts = Window | CountWindow;

class FailureRate extends BreakerMachine<Settings> {
  /** All calls, and the failed ones. */
  protected readonly calls: Counts;

  constructor(settings: Settings, env: Env) {
    super(settings, env);
    this.calls = counts(settings);
  }

  protected override disproves(failed: boolean, elapsed: number): boolean {
    return failed || elapsed > this.settings.slowerThan;
  }

  protected override trips(failed: boolean, elapsed: number, now: number): boolean {
    const bad = this.disproves(failed, elapsed);
    return this.reaches(this.calls, bad, this.settings.threshold, now);
  }

  /** Takes in a call, and says whether it makes the share of such calls reach the threshold. */
  protected reaches(counts: Counts, yes: boolean, threshold: number, now: number): boolean {
    counts.add(now, 1, yes ? 1 : 0);
    if (!yes) return false;
    const { first: all, second: such } = counts;
    // Not `such >= threshold * all`: 0.28 * 25 is more than 7.
    return all >= this.settings.minCalls && such / all >= threshold;
  }

  protected override reset(): void {
    this.calls.clear();
  }
}

class FailureAndSlowRate extends FailureRate {
  readonly #slow: Counts;

  constructor(settings: Settings, env: Env) {
    super(settings, env);
    this.#slow = counts(settings);
  }

  protected override trips(failed: boolean, elapsed: number, now: number): boolean {
    const { threshold, slowThreshold, slowerThan } = this.settings;
    const failing = this.reaches(this.calls, failed, threshold, now);
    return this.reaches(this.#slow, elapsed > slowerThan, slowThreshold!, now) || failing;
  }

  protected override reset(): void {
    this.#slow.clear();
    super.reset();
  }
}

const counts = ({ window, lastCalls }: Settings): Counts =>
  lastCalls === undefined ? new Window(window) : new CountWindow(lastCalls);
