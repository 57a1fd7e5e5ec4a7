// Three instances, one of them dead: calls are spread over the other two, and no caller notices.
import { createServer } from 'node:http';
import { createFetch, fixed } from 'fairlead';

const listen = name =>
  new Promise(resolve => {
    const server = createServer((_request, response) => response.end(name));
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
const servers = [await listen('one'), await listen('two')];
const instances = [...servers.map(server => `127.0.0.1:${server.address().port}`), '127.0.0.1:1234'];

const fetch = createFetch({ discovery: fixed(instances) });

const seen = { one: 0, two: 0 };
for (let i = 0; i < 100; i++) seen[await (await fetch('http://users/v1/users/42')).text()]++;
console.log(seen);

await fetch.close();
for (const server of servers) server.close().closeAllConnections();
