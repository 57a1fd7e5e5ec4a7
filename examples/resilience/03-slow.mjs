// An instance is slow now and then: a second attempt joins the first when that is late, and the first answer counts.
import assert from 'node:assert/strict';
import { createFetch, fixed, hedge, retry } from 'fairlead';
import { after, callers, startServers } from './servers.mjs';

const { servers, endpoints, stop } = await startServers(3);

const fetch = createFetch({
  discovery: fixed(endpoints),
  policies: [retry(), hedge({ delay: 200, ratio: 0.1 })], // without `delay`: after the 98th percentile; `ratio`: 2 %
});
let hedges = 0;
fetch.client.on('hedge', () => hedges++);

const [moody] = servers;
const quick = moody.answer;
moody.answer = (...exchange) => (moody.requests % 20 === 0 ? after(2000) : quick)(...exchange);
const seen = await callers(1000, () => fetch('http://users/'));
console.log(seen, { hedges });
assert.equal(seen.failed, 0);
assert.ok(seen.slowest < 2000 && hedges > 0 && hedges <= 100);

await fetch.close();
stop();
