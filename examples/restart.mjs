// A process that restarts need not find out anew who is ill: it goes on with what the one before it has saved.
import { consecutiveFailures, createClient, fixed, roundRobin } from 'fairlead';

const start = saved =>
  createClient({
    discovery: fixed(['good.internal:80', 'bad.internal:80', 'old.internal:80']),
    balancer: roundRobin(),
    breaker: consecutiveFailures({ threshold: 3, openFor: 60_000 }),
    restore: saved,
  });
const task = async ({ host }) => {
  if (host.startsWith('bad')) throw new Error('refused');
  return host;
};
const show = ({ pool }) =>
  console.table(pool.members().map(({ endpoint: { id }, breaker, isolated }) => ({ id, breaker, isolated })));

const before = start();
before.pool.isolate('old.internal:80'); // by hand, until released
for (let i = 0; i < 20; i++) await before.run(task);
const file = JSON.stringify(before.pool.save());
await before.close();
console.log(file);

const after = start(JSON.parse(file));
await after.ready();
show(after);
after.pool.release('old.internal:80');
show(after);
await after.close();
