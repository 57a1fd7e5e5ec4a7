import { seededRandom } from '../../dist/testing.js';

const exponential = (mean, random) => -mean * Math.log(1 - random());
/** How much work differs from request to request. */
const SPREADS = {
  exponential,
  uniform: (mean, random) => mean * (0.5 + random()),
  none: mean => mean,
};

/** When requests arrive, at random, in ms from the start, and how many ms of work each is. */
export function arrivals({ seed, rate, seconds, work, spread }) {
  const random = seededRandom(seed);
  const gap = () => exponential(1000 / rate, random);
  const all = [];
  for (let at = gap(); at < seconds * 1000; at += gap())
    all.push({ at, work: SPREADS[spread](work, random) });
  return all;
}

/**
 * Sends each request when its time has come, whether or not others are back: an open loop. A latency counts from when
 * the request was due, so that no wait is hidden. `send` answers the number of the server that answered. Answers when all are back:
 * the latencies in ms, how many failed, how late the sender was at most, and how many each server answered.
 */
export async function drive(all, send) {
  const latencies = new Float64Array(all.length);
  const start = performance.now() + 5;
  let failures = 0;
  let late = 0;
  const answered = [0, 0, 0, 0];
  const one = async (i, { at, work }) => {
    late = Math.max(late, performance.now() - start - at);
    try {
      answered[await send(`/?work=${work.toFixed(3)}`)]++;
    } catch {
      failures++;
    }
    latencies[i] = performance.now() - start - at;
  };
  const running = [];
  while (running.length < all.length) {
    const wait = all[running.length].at - (performance.now() - start);
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait));
    else running.push(one(running.length, all[running.length]));
  }
  await Promise.all(running);
  return { latencies, failures, late, answered };
}
