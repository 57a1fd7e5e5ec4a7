// The registry, in a process of its own: tells whoever asks where the servers are, or not, as it is told to.
//
// It also is the one process that nobody stops: it measures how long this machine leaves a process waiting, and if whoever
// started it is gone without a word, it ends the servers that would be left behind, stopped ones too.
import { createServer } from 'node:http';
import { HOST } from './settings.mjs';
import { recordStalls } from './stalls.mjs';

let endpoints = [];
let stale = [];
let mode = 'right';
let pids = [];
const asked = {};

/** What it answers, by mode. */
const ANSWERS = {
  right: response => response.end(JSON.stringify(endpoints)),
  hung: () => {},
  failing: response => response.writeHead(500).end('no'),
  nonsense: response => response.end('{"endpoints": [<html>'),
  empty: response => response.end('[]'),
  stale: response => response.end(JSON.stringify(stale)),
};

const sockets = new Set();
const server = createServer((_, response) => {
  asked[mode] = (asked[mode] ?? 0) + 1;
  ANSWERS[mode](response);
});
server.on('connection', socket => {
  sockets.add(socket);
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
});
let port = 0;
server.on('listening', () => {
  port = server.address().port;
  process.send({ port });
});
server.listen(0, HOST);

const stalls = recordStalls();

process.on('message', message => {
  ({ endpoints = endpoints, stale = stale, pids = pids } = message);
  const before = mode;
  mode = message.mode ?? mode;
  if (mode === 'gone' && before !== 'gone') {
    server.close();
    for (const socket of sockets) socket.destroy();
  } else if (mode !== 'gone' && before === 'gone') server.listen(port, HOST);
  if (message.report) process.send({ asked, stalls });
});
process.on('disconnect', () => {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  }
  process.exit();
});
process.on('SIGINT', () => {});
