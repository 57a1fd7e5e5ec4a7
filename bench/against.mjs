// What a call costs in this build and in another: node --expose-gc bench/against.mjs path/to/the/others/dist
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { measure, print, ratio, time } from './measure.mjs';
import { endpointsOf } from './members.mjs';

const task = async ({ port }) => port;

/** Clients of one build, by what is configured and idle in them; of an old one those that it can make. */
async function clientsOf(folder) {
  const core = await import(pathToFileURL(resolve(folder, 'core.js')).href);
  const { consecutiveFailures, createClient, fixed, p2c, peakEwma, retry, timeout } = core;
  const policies = {
    retry: () => [retry()],
    'retry, a time-out of the attempt': () => [retry(), timeout(10_000)],
    'retry, time-outs of attempt and call': () => [timeout(30_000), retry(), timeout(10_000)],
    everything: () => [
      timeout(30_000),
      core.throttle(),
      core.limit({ concurrency: 1000 }),
      retry(),
      core.hedge(),
      timeout(10_000),
    ],
  };
  const found = {};
  for (const [name, make] of Object.entries(policies)) {
    if (name === 'everything' && core.outliers === undefined) continue;
    const all = name === 'everything' && {
      breaker: core.outliers(),
      health: core.healthChecks({ check: async () => true }),
      maxInFlight: 100,
    };
    const client = createClient({
      discovery: fixed(endpointsOf(10)),
      balancer: p2c({ load: peakEwma() }),
      breaker: consecutiveFailures(),
      policies: make(),
      ...all,
    });
    await client.ready();
    found[name] = () => client.run(task);
  }
  return found;
}

const [other] = process.argv.slice(2);
if (other === undefined) throw new Error("which build to compare with? Give its folder 'dist'");
const [ours, theirs] = [await clientsOf('dist'), await clientsOf(other)];
const named = (prefix, all) => Object.entries(all).map(([name, run]) => [`${prefix} ${name}`, run]);
const operations = Object.fromEntries([...named('this', ours), ...named('other', theirs)]);
const results = await measure(operations, { wait: true, ms: 50, rounds: 15 });
const others = Object.keys(theirs);
print(
  'client.run with p2c, peakEwma, a breaker and',
  ['', '', ...others.map(name => `of the other's: ${name}`)],
  ...Object.keys(ours).map(name => [
    name,
    time(results[`this ${name}`].ns),
    ...others.map(than => ratio(results[`this ${name}`], results[`other ${than}`]).toFixed(2)),
  ]),
);
process.exit(); // a build may be old, and leave a timer behind
