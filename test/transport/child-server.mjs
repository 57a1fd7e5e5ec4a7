// A server to be killed: answers everything with its process id, but leaves /hang unanswered.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  process.send(request.url);
  if (request.url !== '/hang') response.end(String(process.pid));
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send('listening'));
process.on('disconnect', () => process.exit()); // whoever started it has gone
