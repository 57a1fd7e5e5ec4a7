// One server in a process of its own: node server.mjs <identity> <port> <seed> <log>
//
// The log is written before anything else happens to a request, for a process that is killed can no longer be asked:
// `x <id>` where a request that must not be carried out twice is, `f <kind>` for each fault, `s <from> <until>` where
// the machine left it waiting for long.
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { dice, exponential } from './dice.mjs';
import { FAULTS } from './faults.mjs';
import { HOST, LEFT_WAITING } from './settings.mjs';
import { recordStalls } from './stalls.mjs';

const [identity, port, seed, file] = process.argv.slice(2);
const random = dice(Number(seed));
const log = openSync(file, 'a');
const note = line => writeSync(log, `${line}\n`);
recordStalls(50, LEFT_WAITING, (from, until) => note(`s ${from} ${until}`));

/** @type {{ kind: string, share: number } | undefined} */
let fault;
const sockets = new Set();

const server = createServer((request, response) => {
  const { socket, method } = request;
  const reused = socket.served === true;
  socket.served = true;
  response.on('error', () => {});
  request.on('error', () => {});
  let received = 0;
  request.on('data', chunk => {
    received += chunk.length;
  });
  request.on('end', () => {
    const { pathname, searchParams } = new URL(request.url, 'http://service');
    const id = pathname.split('/').at(-1);
    const execute = () => {
      if (method === 'POST') note(`x ${id}`);
      return Buffer.from(`${identity} ${id} ${received} `.padEnd(Number(searchParams.get('size')), '.'));
    };
    const answer = () => {
      const body = execute();
      const framing = searchParams.has('chunked') ? {} : { 'content-length': body.length };
      response.writeHead(200, framing);
      response.write(body.subarray(0, 100));
      response.end(body.subarray(100));
    };
    const struck = fault !== undefined && random() < fault.share;
    // What is faulty works for its answers, too: nobody is quick in being wrong but those that refuse.
    const work = 1 + exponential(random, 4);
    if (!struck) return void setTimeout(answer, work);
    note(`f ${fault.kind}`);
    const strike = FAULTS[fault.kind];
    strike({ execute, answer, response, random, reused });
  });
});
server.on('connection', socket => {
  sockets.add(socket);
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
});
server.on('clientError', (_, socket) => socket.destroy());
server.keepAliveTimeout = 30_000;

const listen = () => server.listen(Number(port), HOST);
server.on('listening', () => process.send('listening'));
server.on('error', error => {
  if (error.code !== 'EADDRINUSE') throw error;
  setTimeout(listen, 20); // the one before is not quite gone
});
listen();

process.on('message', message => {
  fault = message.fault;
  if (message.refuse === true) {
    server.close(() => process.send('refusing'));
    for (const socket of sockets) socket.destroy();
  } else if (message.refuse === false) listen();
  else process.send('told');
});
process.on('disconnect', () => process.exit()); // whoever started it is gone
process.on('SIGINT', () => {}); // a terminal sends it to everybody; whoever started it sees to this
