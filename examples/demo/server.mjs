// One instance of the service, in a process of its own: node server.mjs <behaviour> <port, or 0 for any> <heartbeat ms>
import { createServer } from 'node:http';

const [behaviour = 'healthy', wanted = '0', heartbeat = '1000'] = process.argv.slice(2);

/** @param {number} ms @returns {import('node:http').RequestListener} */
const after = ms => (_request, response) => {
  setTimeout(() => response.end('{"name":"Ada"}'), ms);
};

/** @type {Record<string, import('node:http').RequestListener>} */
const behaviours = {
  healthy: after(5),
  slow: after(50),
  failing: (_request, response) => response.writeHead(503).end(),
  hung: () => {},
};

// Below the ports that the system gives to outgoing connections: one of those could take the port of an instance
// that is down, or even connect to itself.
const anyPort = () => 20_000 + Math.floor(Math.random() * 10_000);

let port = Number(wanted) || anyPort();
const server = createServer(behaviours[behaviour]);
server.on('error', error => {
  if (wanted !== '0' || !('code' in error) || error.code !== 'EADDRINUSE') throw error;
  port = anyPort();
  server.listen(port, '127.0.0.1');
});
server.on('listening', () => {
  process.send?.({ port });
  setInterval(() => process.send?.('alive'), Number(heartbeat));
});
server.listen(port, '127.0.0.1');

process.on('disconnect', () => process.exit()); // whoever started it is gone
process.on('SIGINT', () => {}); // a terminal sends it to everybody; whoever started it sees to this
