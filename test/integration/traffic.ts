import { setTimeout as wait } from 'node:timers/promises';
import { inTime } from './in-time.ts';

/** Calls that go on and on, until stopped. */
export class Traffic {
  readonly failures: unknown[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #workers: readonly Promise<void>[];
  /** Who answered the calls that began since the last `mark`. */
  #served = new Map<string, number>();
  #age = 0;
  #over = false;

  constructor(call: () => Promise<string>, { workers = 4 }: { readonly workers?: number } = {}) {
    this.#workers = Array.from({ length: workers }, () => this.#work(call));
  }

  /** From now on only calls count that begin from now on. */
  mark(): void {
    this.#served = new Map();
    this.#age++;
  }

  /** Who answered calls that began since the last `mark`. */
  get servers(): readonly string[] {
    return [...this.#served.keys()].sort();
  }

  /** Resolves once these have all answered since the last `mark`, and so many calls have been answered in all. */
  async served(by: readonly string[], calls = 100): Promise<void> {
    let check = (): void => {};
    const done = new Promise<void>(resolve => {
      check = () => {
        let sum = 0;
        for (const count of this.#served.values()) sum += count;
        if (sum >= calls && by.every(server => this.#served.has(server))) resolve();
      };
    });
    this.#waiting.add(check);
    try {
      await inTime(done, () => {
        const failures = this.failures.length === 0 ? '' : `; first failure: ${this.failures[0]}`;
        return `${by} did not serve ${calls} calls, but ${JSON.stringify([...this.#served])}${failures}`;
      });
    } finally {
      this.#waiting.delete(check);
    }
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#workers);
  }

  async #work(call: () => Promise<string>): Promise<void> {
    while (!this.#over) {
      const age = this.#age;
      try {
        const server = await call();
        if (age === this.#age) this.#served.set(server, (this.#served.get(server) ?? 0) + 1);
      } catch (error) {
        this.failures.push(error);
        await wait(10);
      }
      for (const check of this.#waiting) check();
    }
  }
}
