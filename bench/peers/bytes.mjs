import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as core from '../../dist/core.js';
import { bytesOver, digits } from '../measure.mjs';
import { callsOf, endpointsOf, membersOf, moments } from '../members.mjs';

const SIZES = [3, 10, 100, 1000, 10_000];
/** What is less than that is what the process itself allocates meanwhile. */
const NONE = 0.5;

const { inFlight, leastRequest, p2c, peakEwma, systemEnv } = core;
const weighted = endpoint => ({ ...endpoint, weight: 1 + (endpoint.id.length % 5) });
const numbered = (endpoint, i) => ({ ...endpoint, metadata: { shard: String(i) } });
const zoned = (endpoint, i) => ({ ...endpoint, zone: `zone-${i % 3}`, priority: i % 2 });
const inner = () => p2c();

/** Every balancer, and what it needs to know of its endpoints. */
const BALANCERS = {
  roundRobin: [core.roundRobin],
  weightedRoundRobin: [core.weightedRoundRobin, weighted],
  staticStride: [core.staticStride, weighted],
  smoothWeighted: [core.smoothWeighted, weighted],
  utilizationRoundRobin: [core.utilizationRoundRobin, weighted],
  random: [core.random],
  'random, weighted': [core.random, weighted],
  'p2c, inFlight': [() => p2c({ load: inFlight() })],
  'p2c, peakEwma': [() => p2c({ load: peakEwma() })],
  'p2c, peakEwma, weighted': [() => p2c({ load: peakEwma() }), weighted],
  leastRequest: [leastRequest],
  'leastRequest, 2 choices': [() => leastRequest({ scan: 0, choices: 2 })],
  ring: [core.ring],
  'ring, bounded load': [() => core.ring({ boundedLoad: 1.25 })],
  maglev: [core.maglev],
  rendezvous: [core.rendezvous],
  jump: [core.jump, numbered],
  'priority of p2c': [() => core.priority(inner), zoned],
  'preferZone of p2c': [() => core.preferZone(inner, { zone: 'zone-0' }), zoned],
  'subset of p2c': [() => core.subset(inner)],
  'slowStart of p2c': [() => core.slowStart(inner)],
  'drain of p2c': [() => core.drain(inner)],
};

/** Bytes of heap that a pick allocates, for each size of the set. */
function bytesOf([make, adapt = endpoint => endpoint]) {
  const calls = callsOf(1024);
  return SIZES.map(size => {
    const balancer = make();
    const pick = balancer.picker(membersOf(endpointsOf(size).map(adapt), balancer), systemEnv);
    return bytesOver(i => pick(calls[i & 1023], moments[i & 4095]));
  });
}

const FILE = fileURLToPath(import.meta.url);

/** A row for each balancer, each found out by a process of its own, with room for a million picks' garbage. */
export function bytesPerPick() {
  return [
    ['bytes per pick', ...SIZES.map(size => `${size} members`), 'target', ''],
    ...Object.keys(BALANCERS).map(name => {
      const flags = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];
      const { stdout } = spawnSync(process.execPath, [...flags, FILE, name], { encoding: 'utf8' });
      const found = JSON.parse(stdout);
      const met = found.every(bytes => bytes < NONE);
      return [name, ...found.map(bytes => (bytes < NONE ? '0' : digits(bytes))), '0', met ? 'met' : 'MISSED'];
    }),
  ];
}

if (process.argv[1] === FILE) console.log(JSON.stringify(bytesOf(BALANCERS[process.argv[2]])));
