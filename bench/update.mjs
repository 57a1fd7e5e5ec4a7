import {
  createRing,
  leastRequest,
  maglev,
  p2c,
  random,
  rendezvous,
  ring,
  roundRobin,
  systemEnv,
  weightedRoundRobin,
} from '../dist/core.js';
import { measure, print, time } from './measure.mjs';
import { endpointsOf, membersOf } from './members.mjs';

const SIZES = [10, 100, 1000, 10_000];
const BALANCERS = { roundRobin, weightedRoundRobin, random, p2c, leastRequest, ring, maglev, rendezvous };

const rows = [['', ...SIZES.map(size => `${size} members`)]];
for (const [name, make] of Object.entries(BALANCERS)) {
  const changes = {};
  const builds = {};
  for (const size of SIZES) {
    const balancer = make();
    const all = membersOf(endpointsOf(size), balancer);
    const less = all.filter((_, i) => i !== size >> 1);
    let whole = true;
    changes[size] = () => {
      whole = !whole;
      return balancer.picker(whole ? all : less, systemEnv);
    };
    builds[size] = () => make().picker(all, systemEnv);
  }
  for (const [what, operations] of [
    ['a member comes or goes', changes],
    ['all anew', builds],
  ]) {
    const results = await measure(operations, { rounds: 7, ms: 10 });
    rows.push([`${name}, ${what}`, ...SIZES.map(size => time(results[size].ns))]);
  }
}
print('A new picker', ...rows);

const ringRows = [['', ...SIZES.map(size => `${size} members`)]];
const single = {};
for (const size of SIZES) {
  const alone = createRing(endpointsOf(size).map(({ id }) => id));
  single[size] = () => alone.remove('another:8080') || alone.add('another:8080');
}
const results = await measure(single, { rounds: 7, ms: 10 });
ringRows.push(['add or remove', ...SIZES.map(size => time(results[size].ns))]);
print('createRing, 160 points', ...ringRows);
