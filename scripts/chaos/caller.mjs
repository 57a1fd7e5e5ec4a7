// Who calls the service, in a process of its own: node caller.mjs <registry's port> <seed>
//
// It calls at the times that a seed has set, however late the answers are; tells how each call went when it is told to stop;
// closes what it called with, and must then end by itself.
import { createFetch, poll } from 'fairlead';
import { now, sleepUntil } from './clock.mjs';
import { dice, exponential } from './dice.mjs';
import { options } from './options.mjs';
import { HOST, LONGEST_CALL, POLL, POSTS, PUTS, RATE } from './settings.mjs';
import { recordStalls } from './stalls.mjs';

const [port, seed] = process.argv.slice(2);
const random = dice(Number(seed));

const stalls = recordStalls();
const troubles = [];
const trouble = (what, error) => troubles.push(`${what}: ${error?.stack ?? error}`);
process.on('unhandledRejection', error => trouble('unhandled rejection', error));
process.on('uncaughtException', error => trouble('uncaught exception', error));
process.on('warning', error => trouble('warning', error));

const list = async signal => {
  const response = await globalThis.fetch(`http://${HOST}:${port}/`, { signal });
  if (!response.ok) throw new Error(`the registry answered ${response.status}`);
  return response.json();
};
const fetch = createFetch({
  discovery: poll(list, { interval: POLL, timeout: 1000 }),
  ...options,
});
const { client } = fetch;

const calls = [];
const attempts = [];
const successes = [];
const addressOf = ({ host, port }) => `${host}:${port}`;
const events = { retry: 0, hedge: 0, panic: 0, breaker: 0, discoveryError: 0, members: 0, giveUp: {} };
for (const name of ['retry', 'hedge', 'panic', 'breaker', 'discoveryError', 'members'])
  client.on(name, () => events[name]++);
client.on('giveUp', ({ reason }) => {
  events.giveUp[reason] = (events.giveUp[reason] ?? 0) + 1;
});
const open = new Map();
client.on('attempt', attempt => {
  const record = [now(), addressOf(attempt.endpoint)];
  attempts.push(record);
  open.set(attempt, record);
});
client.on('attemptEnd', attempt => {
  if (attempt.outcome === 'success') successes.push([now(), addressOf(attempt.endpoint)]);
  open.delete(attempt);
});
client.on('fault', ({ source, error }) => trouble(`fault in the ${source}`, error));

/** Waits for the answer's body, and looks at all of it. */
async function call(id, method) {
  const size = 500 + Math.floor(random() * 3000);
  const body = method === 'GET' ? undefined : 'x'.repeat(Math.floor(random() * 2000));
  const framing = random() < 0.5 ? '&chunked' : '';
  const signal = AbortSignal.timeout(LONGEST_CALL);
  const response = await fetch(`http://service/v1/${id}?size=${size}${framing}`, { method, body, signal });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`answered ${response.status}`);
  const [, echoed, received] = text.split(' ');
  if (text.length !== size || echoed !== id || Number(received) !== (body?.length ?? 0))
    throw new Error(`answered ${text.length} of ${size} bytes: ${text.slice(0, 40)}`);
}

let going = true;
const running = new Set();
async function goOn() {
  await client.ready();
  for (let due = now(), n = 1; ; n++) {
    due += exponential(random, 1000 / RATE);
    if (due > now()) await sleepUntil(due);
    if (!going) return;
    const chance = random();
    const method = chance < POSTS ? 'POST' : chance < POSTS + PUTS ? 'PUT' : 'GET';
    const record = { id: `c${n}`, method, due, end: 0, error: undefined };
    calls.push(record);
    const done = call(record.id, method)
      .catch(error => {
        const { code, cause, attempts = [] } = error;
        const tries = attempts.map(({ endpoint, elapsed, error, value }) => {
          const what = error?.cause?.code ?? error?.code ?? error?.message ?? value?.status;
          return `${endpoint} ${elapsed.toFixed(0)} ms ${what}`;
        });
        record.error = [error.message, code ?? cause?.code, ...tries].join(', ');
      })
      .finally(() => {
        record.end = now();
        running.delete(done);
      });
    running.add(done);
  }
}

async function stop() {
  going = false;
  await Promise.all(running);
  for (const [at, address] of open.values())
    trouble('an attempt never ended', `${address}, since ${now() - at} ms`);
  await fetch.close();
  const { user, system } = process.cpuUsage();
  const report = { calls, attempts, successes, events, stalls, troubles, cpu: (user + system) / 1000 };
  process.send(report, () => process.disconnect());
}

process.on('message', message => {
  if (message === 'stop') void stop();
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send({ cpu: (user + system) / 1000 });
  }
});
process.on('SIGINT', () => {});
process.once('disconnect', () => {
  if (going) process.exit(); // whoever started it is gone
});
// The listener of messages would keep the process; the calls do until they are stopped.
await goOn();
