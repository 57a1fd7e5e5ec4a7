/** Random numbers in [0, 1) that a seed determines: mulberry32. @param {number} seed */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A waiting time of a Poisson process. */
export const exponential = (random, mean) => -mean * Math.log(1 - random());

/** A latency as they come, long in the tail: half of them above the median, one in 700 above 8 times that. */
export const logNormal = (random, median, sigma = 0.7) =>
  median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));

export const between = (random, [from, to]) => from + random() * (to - from);

/** In an order of chance. */
export function shuffled(random, items) {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
}
