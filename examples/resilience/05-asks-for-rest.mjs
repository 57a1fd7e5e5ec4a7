// An instance has too much to do and says so: 503 or 429 with Retry-After rests that instance, not the call.
import assert from 'node:assert/strict';
import { createFetch, fixed } from 'fairlead';
import { callers, startServers, status } from './servers.mjs';

const { servers, endpoints, stop } = await startServers(3);
servers[0].answer = status(503, { 'retry-after': '2' });

const fetch = createFetch({ discovery: fixed(endpoints) });

const seen = await callers(300, () => fetch('http://users/'));
console.log(seen, 'requests to the one that rests:', servers[0].requests);
assert.equal(seen.failed, 0);
assert.ok(servers[0].requests <= 10, 'only calls that were on their way when it asked');

await fetch.close();
stop();
