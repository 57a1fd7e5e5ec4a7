// A few real calls through whatever copy of the package is handed in.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';

async function listen(name, status) {
  const server = createServer((_, response) => response.writeHead(status).end(name));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

export async function calls({ root, core, dns, testing }) {
  const servers = [await listen('one', 200), await listen('two', 200), await listen('broken', 503)];
  const endpoints = servers.map(server => `127.0.0.1:${server.address().port}`);

  const fetch = root.createFetch({
    discovery: root.fixed([...endpoints, '127.0.0.1:1']),
    balancer: root.roundRobin(),
    breaker: root.consecutiveFailures({ threshold: 3, openFor: 60_000 }), // however slow the machine
  });
  const opened = [];
  fetch.client.on('breaker', ({ member, to }) => opened.push(`${member.endpoint.id} ${to}`));
  const answers = new Set();
  for (let i = 0; i < 40; i++) answers.add(await (await fetch(`http://users/${i}`)).text());
  assert.deepEqual([...answers].sort(), ['one', 'two']);
  assert.deepEqual(opened.sort(), [`${endpoints[2]} open`, '127.0.0.1:1 open'].sort());
  await fetch.close();
  await assert.rejects(fetch('/'), error => error instanceof core.FairleadError && error.code === 'CLOSED');

  const client = core.createClient({ discovery: core.fixed(endpoints), balancer: core.ring() });
  const owner = await client.run(async ({ id }) => id, { key: 'user-42' });
  assert.equal(owner, core.createRing(endpoints).get('user-42'));
  await client.close();

  const long = 'long key '.repeat(50);
  assert.equal(root.xxhash()(long, 7), core.xxh32(long, 7));

  const clock = testing.manualClock();
  const woken = core.sleep(clock, 1000).then(() => clock.now());
  await clock.advance(5000);
  assert.equal(await woken, 1000);

  const records = async () => [{ address: '127.0.0.1', ttl: 60 }];
  const { port } = servers[1].address();
  const byName = root.createFetch({
    discovery: dns.dns({
      host: 'users.internal',
      port,
      family: 4,
      resolver: { resolve4: records, resolve6: records },
    }),
  });
  assert.equal(await (await byName('/v1')).text(), 'two');
  await byName.close();

  for (const server of servers) server.close().closeAllConnections();
}
