import {
  inFlight,
  jump,
  leastRequest,
  maglev,
  p2c,
  peakEwma,
  random,
  rendezvous,
  ring,
  roundRobin,
  systemEnv,
  weightedRoundRobin,
} from '../dist/core.js';
import { digits, measure, print } from './measure.mjs';
import { callsOf, endpointsOf, membersOf } from './members.mjs';

const SIZES = [3, 10, 100, 1000, 10_000];
const weighted = endpoints => endpoints.map((endpoint, i) => ({ ...endpoint, weight: 1 + (i % 5) }));
const sharded = endpoints =>
  endpoints.map((endpoint, i) => ({ ...endpoint, metadata: { shard: String(i) } }));

const BALANCERS = {
  roundRobin: [roundRobin],
  weightedRoundRobin: [weightedRoundRobin, weighted],
  random: [random],
  'random, weighted': [random, weighted],
  'p2c, inFlight': [() => p2c({ load: inFlight() })],
  'p2c, peakEwma': [() => p2c({ load: peakEwma() })],
  'p2c, peakEwma, weighted': [() => p2c({ load: peakEwma() }), weighted],
  'leastRequest (scans up to 32)': [leastRequest],
  ring: [ring],
  'ring, bounded': [() => ring({ boundedLoad: 1.25 })],
  maglev: [maglev],
  'maglev, bounded': [() => maglev({ boundedLoad: 1.25 })],
  rendezvous: [rendezvous],
  'rendezvous, weighted': [rendezvous, weighted],
  jump: [jump, sharded],
};

const calls = callsOf(1024);
const rows = [['ns per pick (bytes)', ...SIZES.map(size => `${size} members`)]];
for (const [name, [make, adapt = endpoints => endpoints]] of Object.entries(BALANCERS)) {
  const operations = {};
  for (const size of SIZES) {
    const balancer = make();
    const pick = balancer.picker(membersOf(adapt(endpointsOf(size)), balancer), systemEnv);
    operations[size] = i => pick(calls[i & 1023], 10 + i * 1e-3);
  }
  const results = await measure(operations, { rounds: 7, ms: 10 });
  rows.push([name, ...SIZES.map(size => `${digits(results[size].ns)} (${Math.round(results[size].bytes)})`)]);
}
print('Picking a member', ...rows);
