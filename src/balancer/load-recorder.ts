import { type Clock, systemClock } from '../base/env.ts';
import { checkFunction, checkNumber } from '../base/errors.ts';
import { checkOptions, type Settled } from '../base/options.ts';
import type { Outcome } from '../model/outcome.ts';
import { LatencyTable } from './latency-table.ts';
import type { ProbeAnswer } from './probed-load.ts';

export interface LoadRecorderOptions {
  /** For how long a latency is remembered, in ms. Default: 10 000. */
  readonly memory?: number | undefined;
  /** In how many ms a failure counts half. Default: 2000. */
  readonly failureHalfLife?: number | undefined;
  /** Default: the platform's. */
  readonly clock?: Pick<Clock, 'now'> | undefined;
}

/** Keeps what a server answers to probes: the server's side of `prequal`. */
export interface LoadRecorder extends Settled<ProbeAnswer> {
  /**
   * A call has come. Answers what is to be called once when it is over: with `'failure'` if it failed, `'ignored'`
   * if that says nothing of the server, for the caller went away. Later calls of it have no effect.
   */
  begin(): (outcome?: Outcome) => void;
  /** Calls begun that are not over. */
  readonly inFlight: number;
  /**
   * The median latency, in ms, of recent calls that found about as many in flight as there are now; 0 if there is
   * none. The latency as such would not do: a server that was busy a while ago and now idles would keep it, be avoided
   * for it, and so have no call that shows it to be over.
   */
  readonly latency: number;
  /** The share of recent calls that failed, 0 to 1. */
  readonly failing: number;
  /** The answer to a probe: what `JSON.stringify(recorder)` puts down. */
  toJSON(): Settled<ProbeAnswer>;
}

/** Calls of which the share of failures is taken, at most: so that it takes a bounded time to forget. */
const MOST_CALLS = 100;

/**
 * Records how busy a service is, to answer `prequal`'s probes by. A few microseconds a call, at most 40 kB, no timer.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function createLoadRecorder(options: LoadRecorderOptions = {}): LoadRecorder {
  checkOptions('createLoadRecorder', options, { memory: 1, failureHalfLife: 1, clock: 1 });
  const { memory = 10_000, failureHalfLife = 2000, clock = systemClock } = options;
  checkNumber('createLoadRecorder memory', memory, Number.MIN_VALUE);
  checkNumber('createLoadRecorder failureHalfLife', failureHalfLife, Number.MIN_VALUE);
  checkFunction('createLoadRecorder clock.now', clock?.now);
  const latencies = new LatencyTable(memory);
  let inFlight = 0;
  let calls = 0;
  let failures = 0;
  let countedAt = clock.now();
  const fade = (now: number): number => 2 ** (Math.min(0, countedAt - now) / failureHalfLife);
  const count = (failed: boolean, now: number): void => {
    const left = fade(now) * Math.min(1, (MOST_CALLS - 1) / (calls + 1));
    calls = calls * left + 1;
    failures = failures * left + (failed ? 1 : 0);
    countedAt = now;
  };
  const recorder: LoadRecorder = {
    begin() {
      const startedAt = clock.now();
      const found = inFlight++;
      let over = false;
      return (outcome = 'success') => {
        if (over) return;
        over = true;
        inFlight--;
        if (outcome === 'ignored') return;
        const now = clock.now();
        count(outcome === 'failure', now);
        // Failures may be quick, and must not make the server look so.
        if (outcome !== 'failure') latencies.add(found, now - startedAt, now);
      };
    },
    get inFlight() {
      return inFlight;
    },
    get latency() {
      return latencies.median(inFlight, clock.now());
    },
    get failing() {
      const left = fade(clock.now());
      return (failures * left) / (calls * left + 1); // one success assumed: a single failure is not yet all
    },
    toJSON() {
      const { latency, failing } = recorder;
      return { inFlight, latency, failing };
    },
  };
  return recorder;
}
