import {
  consecutiveFailures,
  createClient,
  failureRate,
  fixed,
  roundRobin,
  serviceBreaker,
  systemEnv,
} from '../dist/core.js';
import { digits, measure, print } from './measure.mjs';

const MANY = 10_000;
const KINDS = {
  'consecutiveFailures, new': [consecutiveFailures, () => {}],
  'consecutiveFailures, in use': [consecutiveFailures, use],
  'failureRate, new': [failureRate, () => {}],
  'failureRate, in use': [failureRate, use],
};

/** Through every state, at times that are no whole numbers. */
function use(breaker, i) {
  for (let n = 0; n < 60; n++) {
    const now = i * 0.1 + n * 700.3;
    breaker.begin(now);
    breaker.end(n < 40 ? 'failure' : 'success', 1.5, breaker.epoch, now);
  }
}

const sizes = [['', 'bytes each', 'at most', '']];
for (const [name, [kind, prepare]] of Object.entries(KINDS)) {
  const make = kind();
  const fill = (all, size) => {
    for (let i = 0; i < size; i++) all[i] = make(systemEnv);
    all.forEach(prepare);
  };
  fill([], MANY); // so that what is compiled on the way is not counted
  const all = new Array(MANY).fill(undefined);
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  fill(all, MANY);
  globalThis.gc();
  const bytes = (process.memoryUsage().heapUsed - before) / MANY;
  sizes.push([name, digits(bytes), 300, bytes < 300 && all.length === MANY ? 'met' : 'MISSED']);
}
print(`The state of a breaker, over ${MANY} of them`, ...sizes);

const windows = [1e3, 1e4, 1e5, 1e6, 1e7];
const rows = [['ns per failed call', ...windows.map(ms => `${digits(ms / 1000)} s`)]];
for (const held of [100, 10_000, 1_000_000]) {
  const operations = {};
  for (const window of windows) {
    // Never opens, so that every call ends in the closed state.
    const breaker = failureRate({ window, minCalls: Number.MAX_SAFE_INTEGER })(systemEnv);
    let now = 0;
    const step = window / held;
    const fail = () => {
      now += step;
      breaker.begin(now);
      breaker.end('failure', 1, breaker.epoch, now);
    };
    for (let i = 0; i < held; i++) fail();
    operations[window] = fail;
  }
  const results = await measure(operations, { rounds: 7, ms: 10 });
  rows.push([`${held} calls in the window`, ...windows.map(ms => digits(results[ms].ns))]);
}
print('failureRate: a failed call, by the length of the window and what is in it', ...rows);

const counts = [50, 500, 5000, 50_000, 500_000];
const operations = {};
for (const lastCalls of counts) {
  // Every other call fails, so it never opens.
  const breaker = failureRate({ lastCalls, threshold: 1 })(systemEnv);
  let n = 0;
  operations[lastCalls] = () => {
    breaker.begin(n);
    breaker.end(n++ % 2 ? 'failure' : 'success', 1, breaker.epoch, n);
  };
  for (let i = 0; i < lastCalls; i++) operations[lastCalls]();
}
const results = await measure(operations, { rounds: 7, ms: 10 });
print(
  'failureRate({ lastCalls }): a call, by how many are looked at',
  ['', ...counts],
  ['ns', ...counts.map(size => digits(results[size].ns))],
);

const refuse = createClient({
  discovery: fixed(['a:80']),
  balancer: roundRobin(),
  policies: [serviceBreaker(consecutiveFailures({ threshold: 1, openFor: 1e9 }))],
});
await refuse.run(() => Promise.reject(new Error('no'))).catch(() => {});
const refused = await measure(
  { run: () => refuse.run(() => Promise.resolve()).catch(() => {}) },
  { rounds: 7, ms: 20, wait: true },
);
print('serviceBreaker, open', ['a refused call', `${digits(refused.run.ns)} ns`]);
