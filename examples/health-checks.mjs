// Members are asked whether they are well, and one that says no is taken out before any call fails; TCP sees less.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createFetch, fixed, healthChecks, httpCheck, roundRobin } from 'fairlead';
import { tcpCheck } from 'fairlead/tcp';

const servers = [];
for (const name of ['one', 'two', 'three']) {
  const server = createServer((request, response) => {
    if (request.url === '/healthz') response.writeHead(server.ready ? 200 : 503).end();
    else response.end(name);
  });
  server.ready = true;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  servers.push(server);
}
const discovery = fixed(servers.map(server => `127.0.0.1:${server.address().port}`));
const often = { interval: 50, unhealthyInterval: 50, edgeInterval: 20 };

const asking = check =>
  createFetch({ discovery, balancer: roundRobin(), health: healthChecks({ check, ...often }) });
const fetch = asking(httpCheck({ path: '/healthz', status: 200 }));
const byTcp = asking(tcpCheck());
const change = () => new Promise(resolve => fetch.client.once('health', resolve));
const answers = async fetch => {
  const seen = new Set();
  for (let i = 0; i < 9; i++) seen.add(await (await fetch('http://users/')).text());
  return [...seen].sort().join(', ');
};
console.log('all are well:', await answers(fetch));
servers[1].ready = false;
const { member, healthy, error } = await change();
console.log(`${member.endpoint.id} is ${healthy ? 'well' : 'ill'}: ${error.message}`);
console.log('by HTTP:', await answers(fetch), '- by TCP:', await answers(byTcp));

servers[1].ready = true;
await change();
console.log('all are well again:', await answers(fetch));
for (const closing of [fetch, byTcp]) await closing.close();
for (const server of servers) server.close().closeAllConnections();
