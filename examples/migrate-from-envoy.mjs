// From Envoy's ring_hash to calls without a proxy: every key stays where its cache is warm, before and after.
import { createFetch, fixed } from 'fairlead';
import { envoyRing, haproxyRing, nginxRing } from 'fairlead/dialects';

const instances = ['10.0.0.1:8080', '10.0.0.2:8080', '10.0.0.3:8080', '10.0.0.4:8080'];

// Offline first: ask where keys live, and compare with what Envoy's access log says (%UPSTREAM_HOST%).
const placed = envoyRing({ minRingSize: 1024 }).place(instances);
for (const user of ['user-1', 'user-2', 'user-3']) console.log(user, 'lives on', placed.get(user));
for (const [id, share] of placed.distribution()) console.log(id, `${(share * 100).toFixed(1)} %`);

// Then the same balancer in a client. Its key is what the route's hash policy hashes, here a header.
const fetch = createFetch({
  discovery: fixed(instances),
  balancer: envoyRing({ minRingSize: 1024 }),
  key: 'x-user',
  fetch: async url => new Response(new URL(url).host), // stands in for the network
});
const users = Array.from({ length: 1000 }, (_, i) => `user-${i}`);
const hosts = await Promise.all(
  users.map(async user => (await fetch('http://sessions/me', { headers: { 'x-user': user } })).text()),
);
const stayed = users.filter((user, i) => hosts[i] === placed.get(user)).length;
console.log(`${stayed} of ${users.length} users are served where Envoy would send them`);
await fetch.close();

// Other systems place otherwise: how many keys would be lost by moving to each without its dialect?
const others = { nginx: nginxRing(), haproxy: haproxyRing({ id: ({ id }) => instances.indexOf(id) + 1 }) };
for (const [name, dialect] of Object.entries(others)) {
  const other = dialect.place(instances);
  const lost = users.filter(user => other.get(user) !== placed.get(user)).length;
  console.log(`${name} has ${lost} of ${users.length} users elsewhere`);
}
