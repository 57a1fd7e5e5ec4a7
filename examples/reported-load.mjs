// Three servers of different size say in a header how busy they are: each gets the calls that it can take.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFetch, fixed, utilizationRoundRobin } from 'fairlead';

/** Counts its calls, and reports every 100 ms how many a second there were, and how many it could take. */
const listen = capacity =>
  new Promise(resolve => {
    let calls = 0;
    let rate = 0;
    setInterval(() => ([rate, calls] = [calls * 10, 0]), 100).unref();
    const server = createServer((_request, response) => {
      calls++;
      const report = { rps_fractional: rate, application_utilization: rate / capacity };
      response
        .setHeader('endpoint-load-metrics', `JSON ${JSON.stringify(report)}`)
        .end(`takes ${capacity}/s`);
    });
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
const servers = [await listen(4000), await listen(2000), await listen(1000)];

const fetch = createFetch({
  discovery: fixed(servers.map(server => `127.0.0.1:${server.address().port}`)),
  balancer: utilizationRoundRobin({ blackout: 300, update: 100 }), // for a short example; the defaults are calmer
});

const seen = {};
const learnt = performance.now() + 700; // by then the weights are known
for (let counted = 0; counted < 350; await sleep(1)) {
  const size = await (await fetch('http://users/v1/users/42')).text();
  if (performance.now() < learnt) continue;
  seen[size] = (seen[size] ?? 0) + 1;
  counted++;
}
console.log(seen);

await fetch.close();
for (const server of servers) server.close().closeAllConnections();
