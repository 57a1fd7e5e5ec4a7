// Who calls the service, in a process of its own: node caller.mjs <registry's port> <seed> <calls a second>
//
// It calls at the times that a seed has set, however late the answers are; tells how each call went when it is told to stop;
// closes what it called with, and must then end by itself.
import { createFetch, giveUpReasonOf, poll, systemEnv } from 'fairlead';
import { now, sleepUntil } from './clock.mjs';
import { dice } from './dice.mjs';
import { options } from './options.mjs';
import { BLOCK, HOST, LONGEST_CALL, POLL, POSTS, PUTS } from './settings.mjs';
import { cpu, recordStalls, stalled } from './stalls.mjs';

const [port, seed, rate] = process.argv.slice(2);
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
/** The attempt that has begun last, and so the one that sends next. */
let latest;
const fetch = createFetch({
  discovery: poll(list, { interval: POLL, timeout: 1000 }),
  env: { clock: systemEnv.clock, random: dice(Number(seed) + 1) },
  // As by default; and notes whose attempt it was.
  fetch: (url, init) => {
    latest.id = idOf(url);
    return globalThis.fetch(url, init);
  },
  ...options,
});
const idOf = url => new URL(url).pathname.split('/').at(-1);
const { client } = fetch;

const calls = [];
const attempts = [];
/** Which addresses were members, from when on. */
const sets = [];
const addressOf = ({ host, port }) => `${host}:${port}`;
const events = { retry: 0, hedge: 0, panic: 0, breaker: 0, discoveryError: 0, members: 0, giveUp: {} };
for (const name of ['retry', 'hedge', 'panic', 'breaker', 'discoveryError', 'members'])
  client.on(name, () => events[name]++);
client.on('giveUp', ({ reason }) => {
  events.giveUp[reason] = (events.giveUp[reason] ?? 0) + 1;
});
client.on('members', () =>
  sets.push({ at: now(), addresses: client.pool.members().map(({ endpoint }) => addressOf(endpoint)) }),
);
const open = new Map();
client.on('attempt', attempt => {
  const { endpoint } = attempt;
  latest = { id: '', at: now(), address: addressOf(endpoint), member: endpoint.id, end: Infinity };
  attempts.push(latest);
  open.set(attempt, latest);
});
client.on('attemptEnd', attempt => {
  const { outcome, error, retryAfter } = attempt;
  const what = error === undefined ? undefined : (error?.cause?.code ?? error?.code ?? error?.message);
  Object.assign(open.get(attempt), { end: now(), outcome, what, retryAfter });
  open.delete(attempt);
});
client.on('fault', ({ source, error }) => trouble(`fault in the ${source}`, error));

/** A signal of one who waits for so long at most, and for as much longer as the machine left this process waiting. */
function impatient() {
  const controller = new AbortController();
  const begun = now();
  let timer;
  const look = () => {
    const at = now();
    const left = LONGEST_CALL - (at - begun - stalled(stalls, begun, at));
    if (left <= 0) controller.abort(new Error(`no answer in ${LONGEST_CALL} ms`));
    else timer = setTimeout(look, Math.ceil(left));
  };
  look();
  return { signal: controller.signal, end: () => clearTimeout(timer) };
}

/** Waits for the answer's body, and looks at all of it. */
async function call(id, method) {
  const size = 500 + Math.floor(random() * 3000);
  const body = method === 'GET' ? undefined : 'x'.repeat(Math.floor(random() * 2000));
  const framing = random() < 0.5 ? '&chunked' : '';
  const patience = impatient();
  let response;
  let text;
  try {
    const { signal } = patience;
    response = await fetch(`http://service/v1/${id}?size=${size}${framing}`, { method, body, signal });
    text = await response.text();
  } finally {
    patience.end();
  }
  if (response.status !== 200) throw new Error(`answered ${response.status}`);
  const [, echoed, received] = text.split(' ');
  if (text.length !== size || echoed !== id || Number(received) !== (body?.length ?? 0))
    throw new Error(`answered ${text.length} of ${size} bytes: ${text.slice(0, 40)}`);
}

/** When calls are due: at random within each block of them, and blocks are equally long. */
function* arrivals() {
  const lasts = (BLOCK * 1000) / Number(rate);
  for (let from = now(); ; from += lasts) {
    const block = Array.from({ length: BLOCK }, () => from + random() * lasts);
    yield* block.sort((a, b) => a - b);
  }
}

let going = true;
const running = new Set();
async function goOn() {
  await client.ready();
  let n = 0;
  for (const due of arrivals()) {
    n++;
    if (due > now()) await sleepUntil(due);
    if (!going) return;
    const chance = random();
    const method = chance < POSTS ? 'POST' : chance < POSTS + PUTS ? 'PUT' : 'GET';
    const record = { id: `c${n}`, method, due, end: 0, error: undefined };
    calls.push(record);
    const done = call(record.id, method)
      .catch(error => {
        const { message, code, cause } = error;
        record.error = [message, code ?? cause?.code, giveUpReasonOf(error)].filter(Boolean).join(', ');
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
  for (const { at, id, address } of open.values())
    trouble('an attempt never ended', `${id} at ${address}, since ${now() - at} ms`);
  await fetch.close();
  const resources = process.getActiveResourcesInfo();
  process.send({ calls, attempts, sets, events, stalls, troubles, resources }, () => process.disconnect());
}

process.on('message', message => {
  if (message === 'stop') void stop();
  if (message === 'cpu') process.send({ cpu: cpu() });
});
process.on('SIGINT', () => {});
process.once('disconnect', () => {
  if (going) process.exit(); // whoever started it is gone
});
// The listener of messages would keep the process; the calls do until they are stopped.
await goOn();
