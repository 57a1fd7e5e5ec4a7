// A deploy: instances are drained, stopped and replaced one by one, and then this process itself shuts down.
import assert from 'node:assert/strict';
import { createFetch, createRegistry, leastRequest, slowStart } from 'fairlead';
import { after, callers, startServers } from './servers.mjs';

const { servers, stop } = await startServers(6);
const registry = createRegistry();
const register = (server, more) =>
  registry.register('users', { id: `${server.port}`, host: '127.0.0.1', port: server.port, ...more });
const old = servers.splice(0, 3);
for (const server of old) register(server);

const fetch = createFetch({
  discovery: registry.discovery('users'),
  balancer: slowStart(leastRequest, { window: 2000 }), // newcomers warm up
});

const traffic = callers(2000, () => fetch('http://users/'));
for (const [i, server] of old.entries()) {
  register(servers[i]);
  const { deregister } = register(server, { weight: 0 }); // no new calls; running ones go on
  await new Promise(resolve => setTimeout(resolve, 100));
  deregister();
  server.stop();
}
const seen = await traffic;
console.log(seen);
assert.equal(seen.failed, 0);

for (const server of servers) server.answer = after(300);
const last = fetch('http://users/');
await fetch.close({ drain: 5000 }); // takes no new call, waits for those that run, then aborts them
assert.equal(await (await last).text(), 'late');
registry.close();
stop();
