import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createFetch, fixed } from '../../dist/index.js';
import { cpuTime, median, tidy, turned } from '../measure.mjs';

const CONCURRENCY = 16;

/**
 * CPU time per request in this process, in ns, of several ways to spread requests over the same four origins.
 * Rounds in turns, as in `measure`.
 */
export async function cpuPerRequest({ rounds = 80, requests = 400 } = {}) {
  const server = fork(new URL('server.mjs', import.meta.url));
  try {
    const [ports] = await once(server, 'message');
    const { ways, close } = await waysTo(ports);
    const all = Object.entries(ways).map(([name, request]) => ({ name, request, times: [] }));
    for (let i = 0; i < 15; i++) for (const { request } of all) await spend(request, requests);
    // Many short rounds: what a request costs drifts with all that the kernel and the collector do.
    for (let round = 0; round < rounds; round++) {
      for (const { request, times } of turned(all, round)) times.push(await spend(request, requests));
    }
    await close();
    return Object.fromEntries(all.map(({ name, times }) => [name, { times, ns: median(times) }]));
  } finally {
    server.disconnect();
  }
}

async function waysTo(ports) {
  const origins = ports.map(port => `http://127.0.0.1:${port}`);
  const discovery = fixed(ports.map(port => ({ id: String(port), host: '127.0.0.1', port })));
  let turn = 0;
  const next = () => {
    turn = turn + 1 === origins.length ? 0 : turn + 1;
    return origins[turn];
  };
  const balanced = createFetch({ discovery });
  const unbounded = createFetch({ discovery, attemptTimeout: Number.POSITIVE_INFINITY });
  // Only now: undici, when it is loaded first, puts its own agent under the platform's fetch.
  await (await fetch(origins[0])).text();
  const { BalancedPool } = await import('undici');
  const pool = new BalancedPool(origins);
  return {
    ways: {
      byHand: async () => (await fetch(`${next()}/users/42`)).text(),
      byHandBounded: async () =>
        (await fetch(`${next()}/users/42`, { signal: AbortSignal.timeout(10_000) })).text(),
      ours: async () => (await balanced('http://users/users/42')).text(),
      oursUnbounded: async () => (await unbounded('http://users/users/42')).text(),
      balancedPool: async () => (await pool.request({ path: '/users/42', method: 'GET' })).body.text(),
    },
    close: () => Promise.all([balanced.close(), unbounded.close(), pool.close()]),
  };
}

async function spend(request, requests) {
  tidy();
  const before = cpuTime();
  let left = requests;
  const worker = async () => {
    while (left-- > 0) await request();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return (cpuTime() - before) / requests;
}
