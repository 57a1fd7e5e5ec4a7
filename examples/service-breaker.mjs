// All instances are down: after five failed calls, retries included, callers are told so at once, and a probe finds it over.
import { consecutiveFailures, createClient, fixed, retry, serviceBreaker } from 'fairlead';

let down = true;
const task = async ({ id }) => {
  if (down) throw new Error(`${id} is down`);
  return id;
};
const client = createClient({
  discovery: fixed(['a.internal:80', 'b.internal:80', 'c.internal:80']),
  policies: [serviceBreaker(consecutiveFailures({ openFor: 100 })), retry()], // outside retry: it counts calls
});
client.on('serviceBreaker', ({ from, to }) => console.log(`the service: ${from} -> ${to}`));

let attempts = 0;
client.on('attempt', () => attempts++);
for (let i = 1; i <= 100; i++) {
  const error = await client.run(task).catch(error => error);
  if (i % 20 === 0) console.log(`call ${i}: ${error.code ?? error.message}; attempts so far: ${attempts}`);
}
down = false;
while (client.pool.serviceBreakers[0] !== 'closed') {
  await new Promise(resolve => setTimeout(resolve, 20));
  await client.run(task).catch(error => console.log(error.code));
}
console.log(`answered by ${await client.run(task)}`);
await client.close();
