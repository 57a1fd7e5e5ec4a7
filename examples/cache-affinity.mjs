// Requests of one user go to one instance, so that its cache is warm; when it leaves, only its users move.
import { createFetch, createRegistry, ring } from 'fairlead';

const registry = createRegistry();
const [, , third] = ['a', 'b', 'c', 'd'].map(id =>
  registry.register('sessions', { id, host: `${id}.internal`, port: 8080 }),
);

const fetch = createFetch({
  discovery: registry.discovery('sessions'),
  balancer: ring(),
  key: 'x-user',
  fetch: async url => new Response(new URL(url).hostname), // stands in for the network
});
const ownerOf = async user => (await fetch('http://sessions/me', { headers: { 'x-user': user } })).text();
const users = Array.from({ length: 1000 }, (_, i) => `user-${i}`);

const before = await Promise.all(users.map(ownerOf));
const changed = new Promise(resolve => fetch.client.once('members', resolve));
third.deregister();
await changed;
const after = await Promise.all(users.map(ownerOf));

const moved = users.filter((_, i) => before[i] !== after[i]);
const orphans = users.filter((_, i) => before[i] === 'c.internal');
console.log(`${orphans.length} users lived on c; ${moved.length} moved`);
await fetch.close();
