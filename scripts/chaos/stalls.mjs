import { now } from './clock.mjs';

/** Ms of a processor that this process has used, the garbage collector's threads included. */
export function cpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Records when the machine left this process waiting for more than `notable` ms: `[from, until]`; looks every `every` ms. A
 * look may also be late because the process itself was at work, and that is no excuse: what it used of a processor since
 * the look before is taken off. Keeps no process alive.
 */
export function recordStalls(every = 10, notable = 10, tell = () => {}) {
  const stalls = [];
  let due = now() + every;
  let used = cpu();
  const look = () => {
    const at = now();
    const usedBefore = used;
    used = cpu();
    const waited = at - due - (used - usedBefore);
    if (waited > notable) {
      stalls.push([at - waited, at]);
      tell(at - waited, at);
    }
    due = at + every;
    setTimeout(look, every).unref();
  };
  setTimeout(look, every).unref();
  return stalls;
}

/** Several lists of times as one, in order, none touching another. */
export function union(...lists) {
  const merged = [];
  for (const [from, until] of lists.flat().sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], until);
    else merged.push([from, until]);
  }
  return merged;
}

/** How much of a time was stalled. */
export function stalled(stalls, from, until) {
  let sum = 0;
  for (const [begun, ended] of stalls) {
    if (begun >= until) break;
    sum += Math.max(0, Math.min(until, ended) - Math.max(from, begun));
  }
  return sum;
}
