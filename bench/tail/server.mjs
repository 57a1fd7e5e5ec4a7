import { createServer } from 'node:http';

// One server in a process of its own, whose answer is its number. A request says how many ms of work it is; many are worked on at once, for what
// a service does is mostly to wait for others. Told by messages how it fares from now on.
let factor = 1;
let freezing;

const server = createServer((request, response) => {
  const work = Number(request.url.slice(request.url.indexOf('=') + 1));
  setTimeout(() => response.end(process.argv[2]), work * factor);
});

/** Stands still as a whole, as in a long collection of garbage: answers nobody, but connections are accepted. */
const freeze = ms => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

process.on('message', ({ slow = 1, freezes }) => {
  factor = slow;
  clearTimeout(freezing);
  if (freezes === undefined) return;
  const { first, every, lasts } = freezes;
  const start = performance.now() + first;
  const next = n => {
    freezing = setTimeout(
      () => {
        freeze(lasts);
        next(n + 1);
      },
      start + n * every - performance.now(),
    );
  };
  next(0);
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.once('disconnect', () => process.exit());
