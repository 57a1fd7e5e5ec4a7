// Calls within the process, with all that there is: some fail, some are late, some are given up, and members come and go.
import { getEventListeners } from 'node:events';
import {
  createClient,
  healthChecks,
  hedge,
  leastRequest,
  limit,
  outliers,
  retry,
  systemEnv,
  throttle,
} from '../../dist/index.js';
import { scriptedDiscovery } from '../../dist/testing.js';
import { bar } from './bars.mjs';
import { active, collectedHeap, countedClock, inParallel, MOST, NativeController } from './counts.mjs';

const ABREAST = 100;
const MEMBERS = 20;
/** After so many calls so many members are replaced. */
const EVERY = 1000;
const REPLACED = 3;

export async function calls(count) {
  const { clock, pending } = countedClock();
  const timersBefore = active('Timeout');
  const source = scriptedDiscovery();
  const breakers = { made: 0, alive: 0 };
  const collected = new FinalizationRegistry(() => breakers.alive--);
  const make = outliers({ openFor: 20, maxOpenFor: 200, interval: 500 });
  const client = createClient({
    env: { ...systemEnv, clock },
    discovery: source.discovery,
    balancer: leastRequest(),
    breaker: (env, peers) => {
      const breaker = make(env, peers);
      breakers.made++;
      breakers.alive++;
      collected.register(breaker);
      return breaker;
    },
    health: healthChecks({ check: checked, interval: 100, edgeInterval: 20, timeout: 30, perSecond: 500 }),
    maxInFlight: 50,
    policies: [
      limit({ concurrency: 90, queue: 50, timeout: 200, order: 'lifo' }),
      throttle(),
      retry({ attempts: 3, backoff: () => 1 }),
      hedge({ delay: 3, ratio: 0.2 }),
    ],
    timeout: 500,
    attemptTimeout: 50,
  });

  let born = 0;
  let present = [];
  const churn = () => {
    const left = present.slice(present.length === 0 ? 0 : REPLACED);
    while (left.length < MEMBERS)
      left.push({ id: `m${born}`, host: '10.0.0.1', port: 1 + (born++ % 60_000) });
    present = left;
    source.set(present);
  };
  churn();
  await client.ready();

  const { signal } = new NativeController();
  const seen = { ok: 0, attempts: 0 };
  const refused = new Error('refused');
  /** One in ten attempts fails, one in two thousand is late for ever; one member in ten fails more often than not. */
  const task = async ({ port }, given) => {
    const n = ++seen.attempts;
    if (n % 10 === 0 || (port % 10 === 0 && n % 3 > 0)) throw refused;
    if (n % 2000 === 1)
      await new Promise(resolve => given.addEventListener('abort', resolve, { once: true }));
    return { n };
  };
  const failed = error => {
    const kind = error?.code ?? error?.message ?? String(error);
    seen[kind] = (seen[kind] ?? 0) + 1;
  };
  const call = async n => {
    if (n % EVERY === 0) churn();
    if (n % 500 === 0) {
      const own = new NativeController();
      const running = client.run(task, { signal: own.signal });
      own.abort('given up');
      return running.catch(failed);
    }
    return client.run(task, { signal, key: `k${n % 1000}` }).then(() => void seen.ok++, failed);
  };

  const listeners = () => getEventListeners(signal, 'abort').length;
  const running = () => client.pool.members().reduce((sum, { inFlight }) => sum + inFlight, 0);
  await inParallel(Math.round(count / 10), ABREAST, call);
  const before = await collectedHeap();
  await inParallel(count, ABREAST, call);
  const after = await collectedHeap();
  console.log(
    `        ${count} calls after a warm-up of ${Math.round(count / 10)}, ${breakers.made} members in all:`,
    seen,
  );

  bar('bytes by which the heap has grown', Math.max(0, after - before), MOST);
  bar('listeners on the one signal', listeners(), 0);
  bar('timers of calls', pending.foreground, 0);
  bar('timers of checks, a member', pending.background / MEMBERS, 1);
  bar('attempts in flight', running(), 0);
  bar('members held, those that have left included', breakers.alive, MEMBERS);
  await client.close();
  await collectedHeap();
  bar(
    'timers once it is closed',
    pending.foreground + pending.background + active('Timeout') - timersBefore,
    0,
  );
  bar('sources that run once it is closed', source.running, 0);
}

/** Most checks pass; some fail, some throw, some never end. */
let checks = 0;
function checked() {
  const n = ++checks;
  if (n % 7 === 0) throw new Error('ill');
  if (n % 11 === 0) return new Promise(() => {});
  return Promise.resolve(n % 13 !== 0);
}
