import {
  alwaysClosed,
  Member,
  random,
  smoothWeighted,
  staticStride,
  systemEnv,
  utilizationRoundRobin,
  weightedRoundRobin,
} from '../dist/core.js';
import { digits, measure, print, time } from './measure.mjs';
import { callsOf, endpointsOf, membersOf } from './members.mjs';

const SIZES = [10, 100, 1000];
const BALANCERS = { weightedRoundRobin, staticStride, smoothWeighted, utilizationRoundRobin, random };
const WEIGHTS = {
  'weights 1 to 5': i => 1 + (i % 5),
  'one of 100, the rest 1': i => (i === 0 ? 100 : 1),
  'weights without a common measure': i => 0.1 + ((i * Math.SQRT2) % 1),
};
const [call] = callsOf(1);
const sum = values => values.reduce((a, b) => a + b, 0);
const endpointsBy = (size, weight) =>
  endpointsOf(size).map((endpoint, i) => ({ ...endpoint, weight: weight(i) }));

/** gRPC's static stride, as gRFC A58 has it: weights of 16 bits, a count of looks that begins anywhere. */
function grpc(weights, looks = 123_456_789) {
  const largest = Math.max(...weights);
  const scaled = weights.map(weight => Math.round((weight / largest) * 65_535));
  return () => {
    for (;;) {
      const i = looks % weights.length;
      const round = Math.floor(looks++ / weights.length);
      if ((scaled[i] * round + i * 32_767) % 65_535 >= 65_535 - scaled[i]) return i;
    }
  };
}

/** The gaps between turns, where 1 is what the weight is due: their deviation and the largest; and how wrong shares are. */
function evenness(pick, weights) {
  const total = sum(weights);
  // Whole rounds, where there are any.
  const picks = Number.isInteger(total) ? total * Math.ceil(200_000 / total) : 1_000_000;
  const counts = weights.map(() => 0);
  const latest = [];
  let [squares, gaps, largest] = [0, 0, 0];
  for (let turn = 0; turn < picks; turn++) {
    const i = pick();
    counts[i]++;
    if (latest[i] !== undefined) {
      const gap = ((turn - latest[i]) * weights[i]) / total;
      largest = Math.max(largest, gap);
      squares += (gap - 1) ** 2;
      gaps++;
    }
    latest[i] = turn;
  }
  const wrong = Math.max(...counts.map((count, i) => Math.abs((count * total) / weights[i] / picks - 1)));
  return `${Math.sqrt(squares / gaps).toFixed(2)} / ${digits(largest)} / ${(100 * wrong).toFixed(2)} %`;
}

for (const [title, weight] of Object.entries(WEIGHTS)) {
  const head = SIZES.map(size => `${size} members`);
  const gaps = [['deviation of gaps / largest gap / error of shares', ...head]];
  const picks = [['ns per pick (bytes)', ...head]];
  const changes = [['a weight changes', ...head]];
  for (const [name, make] of Object.entries(BALANCERS)) {
    const pick = {};
    const change = {};
    const even = SIZES.map(size => {
      const balancer = make();
      const endpoints = endpointsBy(size, weight);
      const members = membersOf(endpoints, balancer);
      const picker = balancer.picker(members, systemEnv);
      const places = new Map(members.map((member, i) => [member, i]));
      pick[size] = i => picker(call, i * 1e-3);
      const [first] = members;
      change[size] = i => {
        first.weight = weight(i & 1);
        return balancer.picker(members, systemEnv);
      };
      return evenness(
        () => places.get(picker(call, 0)),
        endpoints.map(endpoint => endpoint.weight),
      );
    });
    const picked = await measure(pick, { rounds: 5, ms: 8 });
    const changed = await measure(change, { rounds: 5, ms: 8 });
    gaps.push([name, ...even]);
    picks.push([
      name,
      ...SIZES.map(size => `${digits(picked[size].ns)} (${Math.round(picked[size].bytes)})`),
    ]);
    changes.push([name, ...SIZES.map(size => time(changed[size].ns))]);
  }
  const weights = SIZES.map(size => endpointsBy(size, weight).map(endpoint => endpoint.weight));
  gaps.push(['gRPC A58', ...weights.map(each => evenness(grpc(each), each))]);
  print(`Turns: ${title}`, ...gaps);
  print('', ...picks);
  print('', ...changes);
}

const few = [['gRPC A58, turns of a million', 'due', 'given']];
for (const weight of [5, 15, 100, 1000]) {
  const weights = [1_000_000, weight];
  const pick = grpc(weights);
  let given = 0;
  for (let i = 0; i < 3_000_000; i++) given += pick();
  few.push([`weight ${weight} beside 1 000 000`, digits((3_000_000 * weight) / sum(weights)), digits(given)]);
}
print('Rounding to 16 bits', ...few);

const rows = [
  ['weights worked out from reports, for the pick that does', ...SIZES.map(size => `${size} members`)],
];
const operations = {};
for (const size of SIZES) {
  const balancer = utilizationRoundRobin({ blackout: 0, update: 1 });
  const members = endpointsOf(size).map(endpoint => new Member(endpoint, balancer.load(), alwaysClosed));
  for (const [i, { load }] of members.entries())
    load.report({ rps: 100, cpuUtilization: 0.1 + (i % 9) / 10 }, 0);
  const picker = balancer.picker(members, systemEnv);
  let now = 0;
  operations[size] = () => picker(call, (now += 2));
}
const results = await measure(operations, { rounds: 5, ms: 8 });
rows.push(['utilizationRoundRobin', ...SIZES.map(size => time(results[size].ns))]);
print('', ...rows);
