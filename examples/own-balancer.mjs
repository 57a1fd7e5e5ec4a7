// A balancer of one's own: the first member by priority that the call accepts. Checked against the library's laws.
import { createClient, fixed } from 'fairlead';

/** @returns {import('fairlead').Balancer} */
const firstChoice = () => ({
  picker(members) {
    const order = [...members].sort((a, b) => (a.endpoint.priority ?? 0) - (b.endpoint.priority ?? 0));
    return (call, now) => order.find(member => call.accepts(member, now));
  },
});

const client = createClient({
  discovery: fixed([
    { id: 'primary', host: '10.0.0.1', port: 5432, priority: 0 },
    { id: 'standby', host: '10.0.0.2', port: 5432, priority: 1 },
  ]),
  balancer: firstChoice(),
});

let primaryIsUp = true;
const query = () =>
  client.run(async ({ id }) => {
    if (id === 'primary' && !primaryIsUp) throw new Error('connection refused');
    return id;
  });
console.log(await query());
primaryIsUp = false;
console.log(await query());
await client.close();
