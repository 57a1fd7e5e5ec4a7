// A call with a deadline: servers learn how long they have, and no attempt is made that cannot be over in time.
import { createServer } from 'node:http';
import { createFetch, fixed, giveUpReasonOf, retry, systemEnv } from 'fairlead';

/** Answers 503 so and so often, then 200, each time after so many ms. */
async function instance(failures, ms) {
  const server = createServer(({ headers, url }, response) => {
    console.log(`  ${url}: attempt ${headers['x-attempt']} has ${headers['x-deadline-ms']} ms`);
    setTimeout(() => response.writeHead(failures-- > 0 ? 503 : 200).end(), ms);
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const servers = [await instance(1, 40), await instance(Infinity, 200)];
const fetch = createFetch({
  discovery: fixed(servers.map(server => `127.0.0.1:${server.address().port}`)),
  balancer: { picker: members => (call, now) => members.find(member => call.accepts(member, now)) }, // in their order
  policies: [retry({ attempts: 4, backoff: () => 2000 })],
  env: { ...systemEnv, random: () => 0.5 }, // back-offs are drawn; here always half, for a short one would just fit
  timeout: 500, // all attempts and waits together
  attemptTimeout: 300,
  attemptHeader: 'x-attempt',
  deadlineHeader: 'x-deadline-ms',
});

for (const path of ['/first', '/second']) {
  const began = Date.now();
  const response = await fetch(path);
  const why = giveUpReasonOf(response) ?? 'nothing: it is the answer';
  console.log(`${path}: ${response.status} after ${Date.now() - began} ms, given up for ${why}`);
}
await fetch.close();
for (const server of servers) server.close();
