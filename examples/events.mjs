// What happened and why: an instance answers 503, is retried elsewhere, and is taken out by its breaker.
import { consecutiveFailures, createFetch, fixed, roundRobin } from 'fairlead';

const fetch = createFetch({
  discovery: fixed(['good.internal:80', 'bad.internal:80']),
  balancer: roundRobin(),
  breaker: consecutiveFailures({ threshold: 3 }),
  fetch: async url => new Response('', { status: url.includes('bad') ? 503 : 200 }), // stands in for the network
});

fetch.client.on('members', ({ added, size }) =>
  console.log(`members: ${added.map(({ id }) => id)}, now ${size}`),
);
fetch.client.on('retry', ({ attempt, failed }) => {
  console.log(`attempt ${attempt}, for ${failed.endpoint} answered ${failed.value.status}`);
});
fetch.client.on('breaker', ({ member, from, to }) =>
  console.log(`breaker of ${member.endpoint.id}: ${from} -> ${to}`),
);
fetch.client.on('attemptEnd', ({ endpoint, outcome, elapsed }) => {
  console.log(`  ${endpoint.id}: ${outcome} in ${elapsed.toFixed(1)} ms`);
});

for (let i = 0; i < 8; i++) await fetch('/health');
console.table(fetch.client.pool.members().map(({ endpoint, ...rest }) => ({ id: endpoint.id, ...rest })));
await fetch.close();
