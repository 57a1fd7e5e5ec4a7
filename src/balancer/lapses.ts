import type { Flight, Load } from '../model/load.ts';
import type { Outcome } from '../model/outcome.ts';

/** What failures have taken of a member's weight for now. */
export class Lapses implements Load {
  /** The share that is lost, 0 to 1. */
  lost = 0;
  readonly #each: number;

  /** @param each the share that a failure takes */
  constructor(each: number) {
    this.#each = each;
  }

  begin(): void {}

  end(_: Flight, outcome: Outcome): void {
    if (outcome === 'failure') this.lost = Math.min(1, this.lost + this.#each);
  }

  /** Gives some of it back. */
  recover(share: number): void {
    this.lost = Math.max(0, this.lost - share);
  }

  cost(): number {
    return this.lost;
  }

  forgive(): void {
    this.lost = 0;
  }
}
