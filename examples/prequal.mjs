// Prequal: servers say how busy they are when probed, and calls go to one that is quick. One of four is ten times slower.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFetch, createLoadRecorder, fixed, prequal } from 'fairlead';

async function serve(ms) {
  const load = createLoadRecorder();
  const server = createServer(async (request, response) => {
    if (request.url === '/load') return response.end(JSON.stringify(load)); // { inFlight, latency, failing }
    const end = load.begin();
    await sleep(ms);
    end();
    response.end('done');
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return server;
}
const servers = await Promise.all([5, 5, 5, 50].map(serve));
const endpoints = servers.map((server, i) => {
  return { id: `server-${i + 1}`, host: '127.0.0.1', port: server.address().port };
});

/** A plain fetch, not the balanced one, or probes would have probes. */
const probe = async ({ host, port }, signal) =>
  (await fetch(`http://${host}:${port}/load`, { signal })).json();
const balanced = createFetch({ discovery: fixed(endpoints), balancer: prequal({ probe }) });

const counts = new Map(endpoints.map(({ id }) => [id, 0]));
balanced.client.on('attempt', ({ endpoint: { id } }) => counts.set(id, counts.get(id) + 1));
for (let i = 0; i < 100; i++) {
  await Promise.all([1, 2, 3].map(async () => (await balanced('http://jobs/')).text()));
}
console.log(counts);
await balanced.close();
for (const server of servers) server.close().closeAllConnections();
