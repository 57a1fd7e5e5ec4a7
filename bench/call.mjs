import * as core from '../dist/core.js';
import * as root from '../dist/index.js';
import { digits, measure, print, time } from './measure.mjs';

const { consecutiveFailures, fixed, p2c, peakEwma, retry, timeout } = core;

const endpoints = Array.from({ length: 10 }, (_, i) => ({
  id: `member-${i}`,
  host: '10.0.0.1',
  port: 8000 + i,
}));
const options = {
  discovery: fixed(endpoints),
  balancer: p2c({ load: peakEwma() }),
  breaker: consecutiveFailures(),
  policies: [retry()],
};

const task = async ({ port }) => port;
const watch = { attempt() {}, attemptEnd() {} };

const open = async (create, more = {}) => {
  const client = create({ ...options, ...more });
  await client.ready();
  return client;
};
const plain = await open(core.createClient);
const bare = await open(core.createClient, { policies: [] });
const observed = await open(core.createClient, { observer: watch });
const emitter = await open(root.createClient);
const heard = await open(root.createClient);
heard.on('attempt', watch.attempt).on('attemptEnd', watch.attemptEnd);
const bounded = await open(core.createClient, { policies: [retry(), timeout(10_000)] });
const twice = await open(core.createClient, {
  policies: [timeout(30_000), retry(), timeout(10_000)],
});
const { signal } = new AbortController();
const given = { signal };

const results = await measure(
  {
    'await task()': i => task(endpoints[i % 10]),
    'client.run: p2c, peakEwma, breaker': () => bare.run(task),
    '+ retry and its budget': () => plain.run(task),
    '+ an observer of attempts': () => observed.run(task),
    '+ an emitter, nobody listening': () => emitter.run(task),
    '+ an emitter, attempts listened to': () => heard.run(task),
    '+ a signal of the caller': () => plain.run(task, given),
    '+ a time-out of the attempt': () => bounded.run(task),
    '+ time-outs of attempt and call': () => twice.run(task),
    '+ both time-outs and a signal': () => twice.run(task, given),
  },
  { ms: 30, wait: true },
);
const base = results['await task()'];
print(
  'A whole call, over a task that does nothing (10 members)',
  ['', 'time', 'beyond the task', 'bytes'],
  ...Object.entries(results).map(([name, { ns, bytes }]) => [
    name,
    time(ns),
    time(ns - base.ns),
    digits(bytes),
  ]),
);
