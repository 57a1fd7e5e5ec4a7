import type { Flight } from '../model/load.ts';
import type { Outcome } from '../model/outcome.ts';

/** A first failure multiplies by so much, and the excess halves in so many ms. Each further one in a row doubles that. */
const PENALTY = 10;
const HALF_LIFE = 1000;
const LONGEST_STREAK = 7;
const WORST = 1e12;
/** What a success leaves of it. */
const RELIEF = 0.8;

/** By what factor a member is worse than it looks for having failed: as in `peakEwma`, apart from its latency. */
export class FailurePenalty {
  /** As of #failedAt: the factor above 1. */
  #excess = 0;
  #failedAt = 0;
  #streak = 0;
  #knownAt = Number.NEGATIVE_INFINITY;

  /** At least 1; 1 for a member that is well. */
  factor(now: number): number {
    if (this.#excess === 0) return 1;
    const halfLife = HALF_LIFE * 2 ** Math.max(0, this.#streak - 1);
    const left = this.#excess * 2 ** ((this.#failedAt - now) / halfLife);
    return left < 0.01 ? 1 : 1 + left;
  }

  ended({ startedAt }: Flight, outcome: Outcome, now: number): void {
    if (outcome === 'success') {
      if (this.#excess === 0) return;
      this.#excess = (this.factor(now) - 1) * RELIEF;
      this.#failedAt = now;
      this.#streak = 0;
    } else if (outcome === 'failure') {
      // Attempts that ran side by side fail for one reason: those that began before it was known say nothing new.
      if (startedAt >= this.#knownAt) {
        this.#excess = Math.min(WORST, this.factor(now) * PENALTY - 1);
        this.#failedAt = now;
        this.#streak = Math.min(LONGEST_STREAK, this.#streak + 1);
      }
      this.#knownAt = now;
    }
  }

  clear(): void {
    this.#excess = this.#streak = 0;
  }
}
