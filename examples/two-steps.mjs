// Where no closure fits, such as a proxy's or a consumer's callbacks: pick, then report how it went.
import { Call, fixed, Pool, roundRobin } from 'fairlead';

const pool = new Pool({ discovery: fixed(['10.0.0.1:80', '10.0.0.2:80']), balancer: roundRobin() });
await pool.ready();

for (const id of ['first', 'second', 'third']) {
  const attempt = pool.pick(new Call());
  const { host, port } = attempt.endpoint;
  queueMicrotask(() => {
    attempt.end('success'); // or 'failure', or 'ignored' if it says nothing about the member
    console.log(`${id}: ${host}:${port} took ${attempt.elapsed.toFixed(2)} ms`);
  });
}

await new Promise(resolve => setImmediate(resolve));
console.log(pool.members().map(({ endpoint, inFlight }) => `${endpoint.id}: ${inFlight} in flight`));
pool.close();
