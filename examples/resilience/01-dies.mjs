// An instance dies: calls go elsewhere, none fails, and its breaker finds out when it is back.
import assert from 'node:assert/strict';
import { createFetch, fixed } from 'fairlead';
import { callers, startServers } from './servers.mjs';

const { servers, endpoints, stop } = await startServers(3);

const fetch = createFetch({ discovery: fixed(endpoints) });
fetch.client.on('breaker', ({ member, from, to }) => console.log(`${member.endpoint.id}: ${from} -> ${to}`));

await callers(100, () => fetch('http://users/'));
servers[0].stop();
const seen = await callers(300, () => fetch('http://users/'));
console.log('while one of three is dead:', seen);
assert.equal(seen.failed, 0);

await servers[0].start();
const before = servers[0].requests;
const deadline = performance.now() + 15_000;
while (servers[0].requests < before + 20 && performance.now() < deadline)
  await callers(50, () => fetch('http://users/'));
assert.ok(servers[0].requests >= before + 20, 'it has its share again');

await fetch.close();
stop();
