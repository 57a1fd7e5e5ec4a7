import type { Outcome } from './outcome.ts';

/** Measures how busy a member is. One per member; told of each attempt. */
export interface Load {
  begin(flight: Flight): void;
  end(flight: Flight, outcome: Outcome, now: number): void;
  /** What one more call would cost, for a member of weight 1. Lower is better; only comparison means anything. */
  cost(now: number): number;
  /**
   * Puts the same into `costs[at]`, if the load has that: V8 may allocate a fraction that a function answers, and pickers
   * ask for many.
   */
  costInto?(costs: Float64Array, at: number, now: number): void;
  /** Whether the latest call that told anything failed: a retry goes elsewhere while it can. */
  readonly suspect?: boolean;
  /** Forgets past failures, for the member has been shown to be well. */
  forgive?(): void;
  /** Takes in what the member told of itself, for balancers that go by that. */
  report?(report: LoadReport, now: number): void;
}

/** What a server says of how busy it is: the fields of ORCA's `OrcaLoadReport` (xds/data/orca/v3). */
export interface LoadReport {
  /** As the application measures itself: 1 is full, more is overload. */
  readonly applicationUtilization?: number;
  /** 1 is all it has; may be more where it may borrow. */
  readonly cpuUtilization?: number;
  /** 0 to 1. */
  readonly memUtilization?: number;
  /** Calls a second, and errors among them. */
  readonly rps?: number;
  readonly eps?: number;
  /** Other resources, 0 to 1, by name. */
  readonly utilization?: Readonly<Record<string, number>>;
  /** Anything else, by name. */
  readonly namedMetrics?: Readonly<Record<string, number>>;
}

/** An attempt as a load sees it. A load that links its flights in a list may use the two neighbours. */
export interface Flight {
  readonly startedAt: number;
  /** The weight of the member that it is at. Default: 1. */
  readonly weight?: number;
  /** When it began by a time of the load's own; for that to note down. */
  beganAt?: number;
  older: Flight | undefined;
  newer: Flight | undefined;
  /** For how many ms from its end the member asked to be left alone, if it failed and did. */
  readonly retryAfter?: number | undefined;
}

/** For balancers that do not look at load. */
export const noLoad: Load = { begin() {}, end() {}, cost: () => 0 };
