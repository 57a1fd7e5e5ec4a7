// Tries balancers on servers like yours, in virtual time: here a tenth of them have become four times slower.
import { createClient, p2c } from 'fairlead';
import { simulate } from 'fairlead/testing';

const balancers = { 'the default': () => undefined, 'p2c()': () => p2c() };
for (const [name, make] of Object.entries(balancers)) {
  const { calls, failures, latency, best } = await simulate({
    clients: 10,
    servers: 50,
    load: 0.7,
    duration: 5000,
    warmup: 500,
    faults: [{ kind: 'slow', servers: [0, 1, 2, 3, 4], factor: 4 }],
    client: ({ env, discovery }) => createClient({ env, discovery, balancer: make() }),
  });
  const times = (latency.p99 / best.latency.p99).toFixed(2);
  console.log(`${name}: ${calls} calls, ${failures} failed, p99 ${latency.p99.toFixed(0)} ms,`);
  console.log(`  ${times} times what a balancer that knows everything would have had`);
}
