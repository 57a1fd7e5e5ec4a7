// A million calls with everything configured and members that come and go, then calls over sockets: what is left of them
// on the heap, on the callers' one signal and among the timers. Needs `--expose-gc`. A line for each bar, with its figure.
import { report } from './soak/bars.mjs';
import { calls } from './soak/calls.mjs';
import { controllers } from './soak/controllers.mjs';
import { sockets } from './soak/sockets.mjs';

const [count = 1_000_000] = process.argv.slice(2).map(Number);
if (!(count >= 10_000)) throw new RangeError('give a number of calls, 10000 at the least');

await controllers();
await calls(count);
await sockets(Math.round(count / 50));
report();
