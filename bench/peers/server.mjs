import { createServer } from 'node:http';

// Four origins in a process of their own, so that their work is not on the client's account.
const origins = await Promise.all(
  Array.from({ length: 4 }, () => {
    const server = createServer((_, response) => response.end('{"ok":true}'));
    return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
  }),
);
process.send(origins);
process.once('disconnect', () => process.exit());
