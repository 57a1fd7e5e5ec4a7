// A process that has to end by itself. It is bundled, and run with the address of a server and what to do.
import { createFetch, createRegistry, poll } from '../../src/index.ts';

const [address, plan] = process.argv.slice(2) as [string, string];
const [host, port] = address.split(':') as [string, string];
const endpoint = { id: address, host, port: Number(port) };
const dead = { id: 'dead', host: '127.0.0.1', port: 1 };

const registry = createRegistry({ ttl: 60_000 });
registry.register('users', endpoint);
registry.register('users', dead);
const fetch = createFetch({
  discovery: plan === 'registry' ? registry.discovery('users') : poll(async () => [endpoint, dead]),
  timeout: 60_000,
});

if (plan === 'waiting') {
  const silent = createFetch({ discovery: poll(() => new Promise<never>(() => {})) });
  const call = silent('/').catch(error => error);
  await silent.close();
  console.log((await call).code);
}
for (let i = 0; i < 20; i++) {
  const response = await fetch('http://users/');
  if (i % 2 === 0) await response.text(); // the others are left unread
}
if (plan !== 'unclosed') await fetch.close();
if (plan !== 'unclosed') registry.close();
console.log('done');
