// An instance answers errors, quickly: it is left alone, for failures cost it more than latency does.
import assert from 'node:assert/strict';
import { createFetch, failureRate, fixed, outliers } from 'fairlead';
import { callers, startServers, status } from './servers.mjs';

const { servers, endpoints, stop } = await startServers(4);
servers[0].answer = status(500);

for (const breaker of [
  failureRate({ threshold: 0.3, window: 5000, minCalls: 10 }), // by its own record
  outliers({ interval: 1000, maxEjected: 0.5 }), // by comparison with the others
]) {
  const fetch = createFetch({ discovery: fixed(endpoints), breaker });
  const seen = await callers(400, () => fetch('http://users/'));
  console.log(seen, 'of the attempts, the broken one got', servers[0].requests);
  assert.equal(seen.failed, 0);
  assert.ok(servers[0].requests < 40, 'a fair share would be a hundred');
  servers[0].requests = 0;
  await fetch.close();
}
stop();
