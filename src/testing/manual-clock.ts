import type { Clock, Timer } from '../base/env.ts';

/** A clock that stands still until told. */
export interface ManualClock extends Clock {
  wall(): number;
  timer(callback: () => void): Timer;
  /**
   * Moves on by so many ms, firing what is due in its order, each at its time. Between two times lets
   * promises settle, so that what they start in turn is on time as well.
   */
  advance(ms: number): Promise<void>;
  /** How many timers are pending that would keep a process alive: 0 once everything has been let go of. */
  readonly pending: number;
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  held: boolean;
}

/**
 * Time for tests: deterministic, and over in no time.
 *
 * @param start what `now()` says at first, in ms; `wall()` says the same, so a clock that starts later is another process
 */
export function manualClock(start = 0): ManualClock {
  let now = start;
  let order = 0;
  const timers = new Set<Due>();
  const due = (until: number): Due | undefined => {
    let first: Due | undefined;
    for (const timer of timers) {
      if (timer.at > until) continue;
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  };
  const begin = (ms: number, callback: () => void): Due => {
    const timer = { at: now + Math.max(0, ms), order: order++, callback, held: true };
    timers.add(timer);
    return timer;
  };
  return {
    now: () => now,
    wall: () => now,
    after(ms, callback) {
      const timer = begin(ms, callback);
      return () => timers.delete(timer);
    },
    timer(callback) {
      let timer: Due | undefined;
      const hold = (yes: boolean) => (): void => {
        if (timer !== undefined) timer.held = yes;
      };
      return {
        set(ms) {
          if (timer !== undefined) timers.delete(timer);
          timer = begin(ms, callback);
          return true;
        },
        ref: hold(true),
        unref: hold(false),
      };
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
      let pending = 0;
      for (const { held } of timers) if (held) pending++;
      return pending;
    },
  };
}

/** Lets promises settle, and those that wait for them, many deep. No timer, no I/O. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await undefined;
}
