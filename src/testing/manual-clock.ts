import type { Clock } from '../base/env.ts';

/** A clock that stands still until told. */
export interface ManualClock extends Clock {
  wall(): number;
  /**
   * Moves on by so many ms, firing what is due in its order, each at its time. Between two times lets
   * promises settle, so that what they start in turn is on time as well.
   */
  advance(ms: number): Promise<void>;
  /** How many timers are pending: 0 once everything has been let go of. */
  readonly pending: number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * Time for tests: deterministic, and over in no time.
 *
 * @param start what `now()` says at first, in ms; `wall()` says the same, so a clock that starts later is another process
 */
export function manualClock(start = 0): ManualClock {
  let now = start;
  let order = 0;
  const timers = new Set<Timer>();
  const due = (until: number): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) {
      if (timer.at > until) continue;
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  };
  return {
    now: () => now,
    wall: () => now,
    after(ms, callback) {
      const timer = { at: now + Math.max(0, ms), order: order++, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const until = now + ms;
      await settled();
      for (let timer = due(until); timer !== undefined; timer = due(until)) {
        timers.delete(timer);
        now = Math.max(now, timer.at);
        timer.callback();
        await settled();
      }
      now = until;
    },
    get pending() {
      return timers.size;
    },
  };
}

/** Lets promises settle, and those that wait for them, many deep. No timer, no I/O. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await undefined;
}
