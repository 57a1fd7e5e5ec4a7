/** Hands the latest of a series of values to whoever iterates; one that nobody took in time is replaced. */
export class Latest<T> {
  #value: { readonly of: T } | undefined;
  #wake: (() => void) | undefined;
  #over = false;

  set(value: T): void {
    this.#value = { of: value };
    this.#wake?.();
  }

  /** Ends the iteration once the value that waits has been taken. */
  end(): void {
    this.#over = true;
    this.#wake?.();
  }

  /** For one reader. Ends when the signal aborts, too. */
  async *read(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener('abort', wake);
    try {
      while (!signal.aborted) {
        const next = this.#value;
        if (next !== undefined) {
          this.#value = undefined;
          yield next.of;
        } else if (this.#over) {
          return;
        } else {
          await new Promise<void>(resolve => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }
}
