import { now } from './clock.mjs';

/** How often to look, and by how many ms a look may be late before that is a stall. */
const LOOK = 10;
const NOTABLE = 10;

/** Records when this process was left waiting: `[from, until]`. Keeps no process alive. */
export function recordStalls() {
  const stalls = [];
  let due = now() + LOOK;
  const look = () => {
    const at = now();
    if (at - due > NOTABLE) stalls.push([due, at]);
    due = at + LOOK;
    setTimeout(look, LOOK).unref();
  };
  setTimeout(look, LOOK).unref();
  return stalls;
}

/** Several lists of stalls as one, in order, none touching another. */
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
