// Calls stay in the own zone; what would overload it spills; another region is there for when all else fails.
import { Call, createClient, fixed, leastRequest, preferZone, priority, slowStart } from 'fairlead';

const endpoint = (id, zone, priority = 0) => ({ id, host: `${id}.internal`, port: 80, zone, priority });
const client = createClient({
  discovery: fixed([
    ...['a1', 'a2', 'a3', 'a4'].map(id => endpoint(id, 'eu-1a')),
    ...['b1', 'b2', 'b3', 'b4'].map(id => endpoint(id, 'eu-1b')),
    endpoint('u1', 'us-1a', 1),
  ]),
  balancer: priority(() => preferZone(() => slowStart(leastRequest), { zone: 'eu-1a' })),
});
await client.ready();

const shares = () => {
  const byZone = {};
  for (const { id, share } of client.pool.explain(new Call()).members)
    byZone[id[0]] = (byZone[id[0]] ?? 0) + share;
  return Object.entries(byZone).map(([zone, share]) => `${zone} ${(100 * share).toFixed(0)} %`);
};
console.log(`all are well: ${shares().join(', ')}`);
for (const id of ['a1', 'a2', 'a3']) client.pool.isolate(id);
await new Promise(resolve => setTimeout(resolve, 200)); // a balancer counts again after 100 ms
console.log(`three of the own four are out: ${shares().join(', ')}`);
await client.close();
