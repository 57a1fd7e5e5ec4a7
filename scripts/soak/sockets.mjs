// Calls over sockets of loopback: servers that answer, refuse, break off and are late; bodies that are read and cancelled.
import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFetch, healthChecks, hedge, httpCheck, retry, systemEnv } from '../../dist/index.js';
import { scriptedDiscovery } from '../../dist/testing.js';
import { bar } from './bars.mjs';
import { active, collectedHeap, countedClock, inParallel, MOST, NativeController } from './counts.mjs';

const ABREAST = 30;
const SERVERS = 5;
const EVERY = 500;

export async function sockets(count) {
  const before = { timers: active('Timeout'), sockets: active('TCPSocketWrap') };
  const { clock, pending } = countedClock();
  let requests = 0;
  const answer = (request, response) => {
    const n = ++requests;
    if (request.url === '/healthz') response.end();
    else if (n % 50 === 0) response.writeHead(503).end();
    else if (n % 301 === 0) request.socket.destroy();
    else if (n % 701 === 0) setTimeout(() => response.end(), 700).unref();
    else response.end('here you are');
  };
  const servers = await Promise.all(
    Array.from({ length: SERVERS }, async () => {
      const server = createServer(answer);
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return server;
    }),
  );
  const endpoints = servers.map(server => {
    const { port } = server.address();
    return { id: `s${port}`, host: '127.0.0.1', port };
  });
  const source = scriptedDiscovery(endpoints);
  const fetch = createFetch({
    env: { ...systemEnv, clock },
    discovery: source.discovery,
    health: healthChecks({ check: httpCheck({ path: '/healthz' }), interval: 200, perSecond: 100 }),
    policies: [retry({ backoff: () => 1 }), hedge({ delay: 50 })],
    timeout: 2000,
    attemptTimeout: 500,
  });

  const { signal } = new NativeController();
  const seen = { ok: 0 };
  const call = async n => {
    // All but one in turn.
    if (n % EVERY === 0) source.set(endpoints.filter((_, i) => i !== (n / EVERY) % SERVERS));
    const own = n % 200 === 0 ? new NativeController() : undefined;
    try {
      const running = fetch('http://users/', { signal: own?.signal ?? signal });
      own?.abort('given up');
      const response = await running;
      if (n % 3 === 0) await response.body?.cancel();
      else await response.text();
      seen[response.status] = (seen[response.status] ?? 0) + 1;
      seen.ok++;
    } catch (error) {
      const kind = error?.code ?? error?.cause?.code ?? error?.message ?? String(error);
      seen[kind] = (seen[kind] ?? 0) + 1;
    }
  };
  await inParallel(Math.round(count / 2), ABREAST, call);
  const heapBefore = await collectedHeap();
  await inParallel(count, ABREAST, call);
  const heapAfter = await collectedHeap();
  console.log(`        ${count} calls over sockets after a warm-up of ${Math.round(count / 2)}:`, seen);

  bar('bytes by which the heap has grown, over sockets', Math.max(0, heapAfter - heapBefore), MOST);
  bar('listeners on the one signal, over sockets', getEventListeners(signal, 'abort').length, 0);
  bar('timers of calls, over sockets', pending.foreground, 0);
  await fetch.close();
  bar('timers once it is closed, over sockets', pending.foreground + pending.background, 0);
  for (const server of servers) server.close().closeAllConnections();
  for (let i = 0; i < 100 && active('TCPSocketWrap') > before.sockets; i++) await sleep(50);
  bar('sockets once the servers are gone', active('TCPSocketWrap') - before.sockets, 0);
}
