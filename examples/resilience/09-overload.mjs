// The service as a whole has too much to do: what is beyond what it can do is refused here, at once, and cheaply.
import assert from 'node:assert/strict';
import { createFetch, fixed, limit, retry, throttle } from 'fairlead';
import { after, callers, startServers } from './servers.mjs';

const { servers, endpoints, stop } = await startServers(2);
for (const server of servers) server.answer = after(50);

const fetch = createFetch({
  discovery: fixed(endpoints),
  policies: [
    throttle(), // refuses calls that would most likely fail
    limit({ concurrency: 4, queue: 4, order: 'lifo', timeout: 500 }), // or `concurrency: gradient()`
    retry(), // within a budget: 20 % of the calls, and ten a second
  ],
  maxInFlight: 3, // attempts at each instance
});

// 80 calls a second are what four at a time can be, at 50 ms each. Five times as many come.
const seen = await callers(800, () => fetch('http://users/'), 400);
console.log(seen);
assert.deepEqual(Object.keys(seen.errors), ['OVERLOADED']);
assert.ok(seen.ok > 80, 'most of what can be done is done');

await fetch.close();
stop();
