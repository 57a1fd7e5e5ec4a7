import type { Load } from '../model/load.ts';

/** How many attempts are running. Blind to a member that fails fast: put a breaker beside it. */
export const inFlight = (): (() => Load) => () => new InFlight();

class InFlight implements Load {
  #count = 0;

  begin(): void {
    this.#count++;
  }

  end(): void {
    this.#count--;
  }

  cost(): number {
    return this.#count + 1;
  }
}
