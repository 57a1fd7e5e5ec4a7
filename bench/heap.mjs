// A million calls with one long-lived signal: what is left on the heap, on the signal and among the timers.
import { getEventListeners } from 'node:events';
import { createClient, fixed, hedge, retry } from '../dist/index.js';
import { digits, print } from './measure.mjs';

const CALLS = 1_000_000;
/** So many before the first look: code is compiled and tables are filled. */
const WARM = 100_000;
const ABREAST = 100;
const MOST = 1 << 20;

const client = createClient({
  discovery: fixed(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']),
  breaker: false,
  policies: [retry({ budget: false, backoff: () => 1 }), hedge({ delay: 1, ratio: 1, budget: false })],
  timeout: 30_000,
  attemptTimeout: 10_000,
});
await client.ready();
const { signal } = new AbortController();

/** Every tenth attempt fails; every thousandth call never does anything else; every five thousandth attempt is late. */
let attempts = 0;
const task = async (doomed, given) => {
  const n = ++attempts;
  if (doomed || n % 10 === 0) throw new Error('refused');
  if (n % 5000 === 1) await new Promise(resolve => given.addEventListener('abort', resolve, { once: true }));
  return n;
};

async function calls(count) {
  let begun = 0;
  let failed = 0;
  const caller = async () => {
    while (begun < count) {
      const doomed = ++begun % 1000 === 0;
      await client.run((_, given) => task(doomed, given), { signal }).catch(() => failed++);
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, caller));
  return failed;
}

/** When all that is collected in turns of its own is gone. */
async function look() {
  for (let i = 0; i < 10; i++) {
    await new Promise(resolve => setTimeout(resolve, 10));
    globalThis.gc();
  }
  return {
    heap: process.memoryUsage().heapUsed,
    listeners: getEventListeners(signal, 'abort').length,
    timers: process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length,
    running: client.pool.members().reduce((sum, { inFlight }) => sum + inFlight, 0),
  };
}

await calls(WARM);
const before = await look();
const failed = await calls(CALLS);
const after = await look();
const grown = after.heap - before.heap;
print(
  `${CALLS} calls with one signal, two time-outs, retries and hedges (${failed} failed, ${attempts} attempts in all)`,
  ['', 'before', 'after'],
  ['heap, KiB', digits(before.heap / 1024), digits(after.heap / 1024)],
  ['listeners on the signal', before.listeners, after.listeners],
  ['timers', before.timers, after.timers],
  ['attempts in flight', before.running, after.running],
);
await client.close();
if (grown > MOST || after.listeners > 0 || after.timers > before.timers || after.running > 0) {
  console.error(`retained: ${grown} bytes`);
  process.exitCode = 1;
}
