// Any protocol: a task gets an endpoint and a signal. Here, plain TCP.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createClient, fixed, p2c, peakEwma, retry } from 'fairlead';

const server = createServer(socket => socket.end('pong')).listen(0, '127.0.0.1');
await once(server, 'listening');

const client = createClient({
  discovery: fixed([`127.0.0.1:${server.address().port}`, '127.0.0.1:1234']),
  balancer: p2c({ load: peakEwma() }),
  policies: [retry({ attempts: 2 })],
  timeout: 2000,
  attemptTimeout: 500,
});

const ping = () =>
  client.run(async ({ host, port }, signal) => {
    const socket = connect({ host, port, signal });
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    return answer;
  });
console.log(await Promise.all(Array.from({ length: 5 }, ping)));

await client.close();
server.close();
