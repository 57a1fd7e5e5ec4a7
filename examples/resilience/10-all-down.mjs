// Everything is down: calls are tried all the same, or fail at once, as you choose; and it is soon known when all is well.
import assert from 'node:assert/strict';
import { createFetch, fixed } from 'fairlead';
import { callers, startServers } from './servers.mjs';

for (const panic of [true, false]) {
  const { servers, endpoints, stop } = await startServers(3);
  const fetch = createFetch({ discovery: fixed(endpoints), panic });

  stop();
  const down = await callers(300, () => fetch('http://users/'));
  const attempts = down.errors.NO_AVAILABLE_ENDPOINT
    ? 'after some, none'
    : 'attempts go on, within the budget';
  console.log(`panic: ${panic}: ${attempts};`, down);
  assert.equal(down.ok, 0);
  assert.equal('NO_AVAILABLE_ENDPOINT' in down.errors, !panic);

  for (const server of servers) await server.start();
  const deadline = performance.now() + 10_000;
  let up = { failed: 1 };
  while (up.failed > 0 && performance.now() < deadline) up = await callers(50, () => fetch('http://users/'));
  assert.equal(up.failed, 0);
  await fetch.close();
  stop();
}
