import { setImmediate } from 'node:timers/promises';

/**
 * Keeps `concurrency` calls going, each followed at once by the next, until `total` are done.
 *
 * @param {{
 *   total: number,
 *   concurrency: number,
 *   call: () => Promise<unknown>,
 *   onDone: (elapsed: number, error: unknown) => void,
 * }} options
 */
export async function load({ total, concurrency, call, onDone }) {
  let begun = 0;
  const caller = async () => {
    while (begun < total) {
      begun++;
      const start = performance.now();
      let error;
      try {
        await call();
      } catch (thrown) {
        error = thrown;
      }
      onDone(performance.now() - start, error);
      if (error !== undefined) await setImmediate(); // or calls that fail at once would let nothing else happen
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
}
