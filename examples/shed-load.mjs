// After a second of calm twice as many calls come as the service can serve: what limits make of it.
import { createClient, gradient, limit, retry, timeout } from 'fairlead';
import { simulate } from 'fairlead/testing';

const CAPACITY = 800; // calls a second: four servers, two workers each, 10 ms a call
const variants = {
  'no limit': [],
  'limit, eight in flight': [limit({ concurrency: 8 })],
  'and ten waiting, last come first': [limit({ concurrency: 8, queue: 10, order: 'lifo' })],
  'a limit that finds itself': [limit({ concurrency: gradient() })],
};
for (const [name, limits] of Object.entries(variants)) {
  const { calls, failures, errors, latency } = await simulate({
    clients: 4,
    servers: 4,
    server: { concurrency: 2 },
    rate: now => (now < 1000 ? 0.5 : 2) * CAPACITY,
    duration: 4000,
    warmup: 1000,
    client: ({ env, discovery }) =>
      createClient({ env, discovery, policies: [...limits, retry(), timeout(200)] }),
  });
  const share = (calls - failures) / (CAPACITY * 3);
  console.log(`${name}: ${(100 * share).toFixed(0)} % of what can be done is done,`);
  console.log(`  half of it within ${latency.p50.toFixed(0)} ms; refused or failed:`, errors);
}
