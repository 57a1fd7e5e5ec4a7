import type { Clock } from 'fairlead/core';
import { settled } from 'fairlead/testing';

/** A clock whose time can go on without a timer's firing, as while a process computes: `stall`. */
export function stallingClock() {
  let time = 0;
  const due = new Map<() => void, number>();
  const held = new Set<() => void>();
  const counts = { set: 0 };
  const clock: Clock = {
    now: () => time,
    after: (ms, callback) => {
      due.set(callback, time + ms);
      return () => due.delete(callback);
    },
    timer: callback => ({
      set(ms) {
        counts.set++;
        due.set(callback, time + ms);
        held.add(callback);
        return true;
      },
      ref: () => held.add(callback),
      unref: () => held.delete(callback),
    }),
  };
  return {
    clock,
    counts,
    now: () => time,
    /** Whether a timer keeps the process alive. */
    alive: () => [...due.keys()].some(callback => held.has(callback)),
    stall(ms: number) {
      time += ms;
    },
    async advance(ms: number) {
      const until = time + ms;
      for (;;) {
        await settled();
        const [first] = [...due].sort(([, a], [, b]) => a - b);
        if (first === undefined || first[1] > until) break;
        due.delete(first[0]);
        time = Math.max(time, first[1]);
        first[0]();
      }
      time = until;
    },
  };
}
