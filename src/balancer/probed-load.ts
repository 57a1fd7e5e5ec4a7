import type { Env } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import type { Flight, Load } from '../model/load.ts';
import type { Member } from '../model/member.ts';
import type { Outcome } from '../model/outcome.ts';
import { FailurePenalty } from './failure-penalty.ts';
import { peakEwma } from './peak-ewma.ts';

/** What a server answers to a probe. */
export interface ProbeAnswer {
  /** Calls it is working on, those that wait included. */
  readonly inFlight: number;
  /** What a call takes that finds so many in flight, in ms; 0 if it does not know. */
  readonly latency: number;
  /** The share of its recent calls that failed, 0 to 1. Default: 0. */
  readonly failing?: number | undefined;
}

/** What a member is known by: its latest answer to a probe, and how the calls of this process went. */
export class ProbedLoad implements Load {
  /** As answered, and one more for each call that this answer has been used for. */
  inFlight = 0;
  latency = 0;
  failing = 0;
  /** When the answer came. */
  answeredAt = 0;
  /** For how many calls it may still be used. */
  uses = 0;
  /** A probe is outstanding. */
  probing = false;
  readonly #failures = new FailurePenalty();
  readonly #own: Load;

  constructor(own: Load) {
    this.#own = own;
  }

  begin(flight: Flight): void {
    this.#own.begin(flight);
  }

  end(flight: Flight, outcome: Outcome, now: number): void {
    this.#own.end(flight, outcome, now);
    this.#failures.ended(flight, outcome, now);
  }

  /** By what this process has seen itself: for calls for which there is no answer to go by. */
  cost(now: number): number {
    return this.#own.cost(now);
  }

  forgive(): void {
    this.#own.forgive?.();
    this.#failures.clear();
  }

  /** How often a call has to be made here to succeed, by the server's word and by our own experience. */
  effort(now: number): number {
    return this.#failures.factor(now) / (1 - Math.min(this.failing, MOST_FAILING));
  }

  /** Takes in an answer; says whether it is one. */
  take(answer: unknown, now: number): boolean {
    try {
      const { inFlight, latency, failing = 0 } = answer as ProbeAnswer;
      checkNumber('inFlight', inFlight, 0, Number.MAX_SAFE_INTEGER);
      checkNumber('latency', latency, 0, LONGEST);
      checkNumber('failing', failing, 0, 1);
      this.inFlight = inFlight;
      this.latency = latency;
      this.failing = failing;
      this.answeredAt = now;
      return true;
    } catch {
      return false;
    }
  }
}

/** A server that says it always fails is no worse than one that lets one in a thousand succeed: that may be mended. */
const MOST_FAILING = 0.999;
/** Longer latencies, in ms, are nonsense: eleven days. */
const LONGEST = 1e9;

/** Makes loads for members that are probed. What this process sees itself is kept as `peakEwma`. */
export function probedLoad(): (env: Env) => ProbedLoad {
  const own = peakEwma();
  return env => new ProbedLoad(own(env));
}

/** @throws TypeError if the member has a load of another kind */
export function probedLoadOf({ load, endpoint: { id } }: Member): ProbedLoad {
  if (load instanceof ProbedLoad) return load;
  throw new TypeError(`member ${id} has a load that is not prequal's`);
}
