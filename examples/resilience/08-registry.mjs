// The registry goes away, comes back empty, and then right: the last good set stands as long as nothing better is known.
import assert from 'node:assert/strict';
import { createFetch, poll } from 'fairlead';
import { callers, startServers } from './servers.mjs';

const { endpoints, stop } = await startServers(3);
const set = endpoints.map(id => ({ id, host: '127.0.0.1', port: Number(id.split(':')[1]) }));
let registry = () => set;

const fetch = createFetch({
  discovery: poll(async () => registry(), { interval: 20 }),
  follow: { emptyAfter: 30_000 }, // an empty set is believed after so many ms
});
fetch.client.on('discoveryError', error => console.log(`discovery: ${error.message}`));

await callers(50, () => fetch('http://users/'));
for (const now of [
  () => Promise.reject(new Error('the registry is out')),
  () => [],
  () => [{ id: 'nonsense' }],
  () => set.slice(0, 2),
]) {
  registry = now;
  await new Promise(resolve => setTimeout(resolve, 200));
  const seen = await callers(50, () => fetch('http://users/'));
  assert.equal(seen.failed, 0);
}

await fetch.close();
stop();
