// Instances found by DNS. The zone below stands in for the network: without `resolver`, name servers are asked.
import { setTimeout } from 'node:timers/promises';
import { createClient, weightedRoundRobin } from 'fairlead';
import { dns } from 'fairlead/dns';

const zone = {
  'users.internal': ['10.0.0.1', '10.0.0.2'],
  '_redis._tcp.sessions.internal': [
    { name: 'big.internal', port: 6379, priority: 0, weight: 60 },
    { name: 'small.internal', port: 6379, priority: 0, weight: 20 },
  ],
};
const resolver = {
  resolve4: async name => zone[name].map(address => ({ address, ttl: 60 })),
  resolve6: async () => [],
  resolveSrv: async name => zone[name],
};

// A and AAAA records are looked up again as their TTL says, at most every 30 s by default.
const users = createClient({
  discovery: dns({ host: 'users.internal', port: 8080, maxInterval: 50, resolver }),
});
users.on('members', ({ added, removed }) => {
  console.log({ added: added.map(({ id }) => id), removed: removed.map(({ id }) => id) });
});
await users.ready();
zone['users.internal'] = ['10.0.0.2', '10.0.0.3'];
await setTimeout(200);

// SRV records say port and weight, too. Their target is the host, for TLS as well.
const sessions = createClient({
  discovery: dns({ srv: '_redis._tcp.sessions.internal', resolver }),
  balancer: weightedRoundRobin(),
});
for (let i = 0; i < 4; i++) await sessions.run(async ({ host, port }) => console.log(`ask ${host}:${port}`));

await users.close();
await sessions.close();
