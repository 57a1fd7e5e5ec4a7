// Why did this call go there? And where would it go if that instance were out?
import { Call, createClient, fixed, ring } from 'fairlead';

const client = createClient({
  discovery: fixed(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']),
  balancer: ring(),
});
await client.ready();

const call = new Call({ key: 'user 42' });
const print = ({ round, members }) => {
  console.log(`round: ${round}`);
  for (const { id, order, share, why } of members)
    console.log(`  ${id}: ${order ?? '-'}, ${(100 * share).toFixed(0)} % of all keys, ${why}`);
};
print(client.pool.explain(call));
client.pool.isolate(client.pool.explain(call).members[0].id);
print(client.pool.explain(call));
await client.close();
