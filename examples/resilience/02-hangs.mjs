// An instance takes requests and never answers: a time-out for each attempt, and another instance for the call.
import assert from 'node:assert/strict';
import { createFetch, fixed } from 'fairlead';
import { callers, never, startServers } from './servers.mjs';

const { servers, endpoints, stop } = await startServers(3);

const fetch = createFetch({
  discovery: fixed(endpoints),
  attemptTimeout: 200, // an attempt: more than your service ever takes when it is well
  timeout: 1000, // the whole call, retries and waits included
});

await callers(100, () => fetch('http://users/'));
servers[0].answer = never;
const seen = await callers(300, () => fetch('http://users/'));
console.log(seen);
assert.equal(seen.failed, 0);
assert.ok(servers[0].requests < 100, 'it is left alone as long as calls hang there');

await fetch.close();
stop();
