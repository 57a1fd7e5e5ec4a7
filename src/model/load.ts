import type { Outcome } from './outcome.ts';

/** Measures how busy a member is. One per member; told of each attempt. */
export interface Load {
  begin(flight: Flight): void;
  end(flight: Flight, outcome: Outcome, now: number): void;
  /** What one more call would cost, for a member of weight 1. Lower is better; only comparison means anything. */
  cost(now: number): number;
  /** Forgets past failures, for the member has been shown to be well. */
  forgive?(): void;
}

/** An attempt as a load sees it. A load that links its flights in a list may use the two neighbours. */
export interface Flight {
  readonly startedAt: number;
  older: Flight | undefined;
  newer: Flight | undefined;
}

/** For balancers that do not look at load. */
export const noLoad: Load = { begin() {}, end() {}, cost: () => 0 };
