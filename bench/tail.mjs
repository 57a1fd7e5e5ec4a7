import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../dist/testing.js';
import { digits, print, turned } from './measure.mjs';
import { contendersFor } from './tail/contenders.mjs';
import { arrivals, drive } from './tail/load.mjs';
import { startServers } from './tail/servers.mjs';

const options = {
  seed: '1',
  rounds: '3',
  /** Of each round, for each contender. */
  seconds: '10',
  /** Requests per second. */
  rate: '800',
  /** Mean of a request's work, in ms, and how it is spread: exponential, uniform (from half to one and a half) or none. */
  work: '5',
  spread: 'exponential',
};
const given = parseArgs({
  options: {
    ...Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, { type: 'string', default: value }]),
    ),
    only: { type: 'string', multiple: true },
  },
}).values;
const { spread, only } = given;
const [seed, rounds, seconds, rate, work] = ['seed', 'rounds', 'seconds', 'rate', 'work'].map(name =>
  Number(given[name]),
);

const NAMES = {
  balancedPool: "undici's BalancedPool",
  byHand: 'round robin by hand over fetch',
  roundRobin: 'fairlead, roundRobin()',
  p2cPeakEwma: 'fairlead, p2c({ load: peakEwma() })',
  default: 'fairlead, as it comes',
  healthy: 'the same, four healthy servers',
};
/** A sender that was itself so late, in ms, shows how busy the machine is and not how the servers fare: again. */
const LATE = 25;
const TRIES = 6;

const servers = await startServers(4);
const contenders = await contendersFor(servers.ports);
const names = Object.keys(NAMES).filter(name => only?.includes(name) ?? true);
const results = Object.fromEntries(
  names.map(name => [name, { latencies: [], failures: 0, late: 0, repeated: 0, answered: [0, 0, 0, 0] }]),
);
const random = seededRandom(seed);

/**
 * One round of one contender; again if the machine was too busy. Each time it begins with nothing learned, and a second
 * that does not count: connections are made, code is compiled, and who is slow can be known.
 */
async function run(name, all, freezes) {
  const state = name === 'healthy' ? [] : [{}, {}, { slow: 10 }, {}];
  let least;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const { send, close } = contenders[name]();
    servers.tell(state);
    await drive(arrivals({ seed: attempt, rate, seconds: 1, work, spread }), send);
    servers.tell(name === 'healthy' ? [] : state.with(3, { freezes }));
    const outcome = await drive(all, send);
    servers.tell([]);
    await sleep(600); // the last freeze is over
    await close();
    if (least === undefined || outcome.late < least.late) least = outcome;
    if (least.late < LATE) break;
    results[name].repeated++;
  }
  return least;
}

for (let round = 0; round < rounds; round++) {
  const all = arrivals({ seed: seed * 1000 + round, rate, seconds, work, spread });
  const freezes = { first: random() * 3000, every: 3000, lasts: 500 };
  for (const name of turned(names, round)) {
    const { latencies, failures, late, answered } = await run(name, all, freezes);
    const result = results[name];
    result.latencies.push(...latencies);
    result.failures += failures;
    result.late = Math.max(result.late, late);
    for (const i of answered.keys()) result.answered[i] += answered[i];
  }
}
servers.stop();

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
const rows = names.map(name => {
  const result = results[name];
  const { latencies, failures, late, repeated, answered } = result;
  latencies.sort((a, b) => a - b);
  const [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1].map(q => quantile(latencies, q));
  Object.assign(result, { p99, p999 });
  const [slow, freezing] = [2, 3].map(i => `${digits((100 * answered[i]) / latencies.length)} %`);
  return [
    NAMES[name],
    ...[p50, p99, p999, max].map(digits),
    failures,
    slow,
    freezing,
    digits(late),
    repeated,
  ];
});
print(
  `ms from when a request was due to when it was answered. Node ${process.versions.node}, ${rate} requests/s for ${rounds} x ` +
    `${seconds} s, open loop, ${work} ms of work in the mean (${spread}); of four servers one 10 times slower, one standing ` +
    'still for 500 ms every 3 s',
  ['', 'p50', 'p99', 'p99.9', 'max', 'failures', 'to slow', 'to freezing', 'sent late', 'rounds repeated'],
  ...rows,
);
const bar = (what, value, most) => [what, `<= ${most}`, digits(value), value <= most ? 'ok' : 'MISSED'];
if (only === undefined) {
  const { default: ours, balancedPool, healthy } = results;
  print(
    'Bars',
    ['', 'bar', 'value', ''],
    bar('p99.9 as it comes / p99.9 of BalancedPool', ours.p999 / balancedPool.p999, 0.15),
    bar('p99 as it comes / p99 of four healthy servers', ours.p99 / healthy.p99, 1.2),
  );
}
