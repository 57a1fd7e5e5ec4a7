import { createClient, roundRobin } from '../dist/index.js';
import { simulate } from '../dist/testing.js';
import { cpuTime, digits, print, time } from './measure.mjs';

const CALLS = 200_000;
const MILLION = 1_000_000;

const own =
  more =>
  ({ env, discovery }) =>
    createClient({ env, discovery, ...more });

/** Per call: CPU time, and the process's memory at the end, which does not grow with the calls. */
async function measured(calls, clients, servers, client, more = {}) {
  const load = 0.8;
  const duration = calls / ((servers * 4 * load) / 10);
  const start = cpuTime();
  const report = await simulate({ clients, servers, load, duration, client, ...more });
  const ns = (cpuTime() - start) / report.calls;
  if (report.pendingTimers > 0) throw new Error(`${report.pendingTimers} timers are left`);
  return [digits(report.calls), time(ns), digits(1e9 / ns), digits(process.memoryUsage().rss / 1e6)];
}

const slow = { faults: [{ kind: 'slow', servers: [0, 1, 2, 3, 4], factor: 4 }] };
const failing = { faults: [{ kind: 'failing', servers: [0, 1, 2, 3, 4], share: 0.5 }] };
await measured(CALLS, 10, 50, own({}));
print(
  'simulate: 50 servers, 10 clients, load 0.8',
  ['', 'calls', 'per call', 'calls/s', 'MB'],
  ['the defaults', ...(await measured(MILLION, 10, 50, own({})))],
  [
    'round robin, no breaker, no retry',
    ...(await measured(CALLS, 10, 50, own({ balancer: roundRobin(), breaker: false, policies: [] }))),
  ],
  [
    '+ time-outs of attempt and call',
    ...(await measured(CALLS, 10, 50, own({ timeout: 5000, attemptTimeout: 1000 }))),
  ],
  ['a tenth 4 times slower', ...(await measured(CALLS, 10, 50, own({}), slow))],
  ['a tenth failing half of the calls', ...(await measured(CALLS, 10, 50, own({}), failing))],
  ['1000 clients', ...(await measured(CALLS, 1000, 50, own({})))],
  ['1000 servers', ...(await measured(CALLS, 10, 1000, own({})))],
);
