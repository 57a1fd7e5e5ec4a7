// By hand: look at the members, ask why, and take one out until somebody has had a look at it.
import assert from 'node:assert/strict';
import { Call, createFetch, fixed } from 'fairlead';
import { callers, startServers } from './servers.mjs';

const { servers, endpoints, stop } = await startServers(3);
const fetch = createFetch({ discovery: fixed(endpoints) });
await callers(100, () => fetch('http://users/'));

const { pool } = fetch.client;
console.table(pool.members().map(({ endpoint, ...rest }) => ({ id: endpoint.id, ...rest })));
pool.isolate(endpoints[0]); // no call goes there, not even in panic; what runs there goes on
console.table(pool.explain(new Call()).members);
const before = servers[0].requests;
await callers(100, () => fetch('http://users/'));
assert.equal(servers[0].requests, before);
pool.release(endpoints[0]);

await fetch.close();
stop();
