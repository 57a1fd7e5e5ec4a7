import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  consecutiveFailures,
  createClient,
  createRing,
  fixed,
  inFlight,
  p2c,
  peakEwma,
  retry,
  systemEnv,
  timeout,
  weightedRoundRobin,
} from '../dist/core.js';
import { digits, measure, print, ratio, time } from './measure.mjs';
import { callsOf, endpointsOf, membersOf } from './members.mjs';

const HEAD = ['', 'fairlead', 'peer', 'ratio', 'target', '', 'bytes', "peer's"];

/** `faster`: ours is to be at least so many times as fast. `atMost`: to take at most so many times as long. */
function row(what, ours, theirs, { faster, atMost } = {}) {
  const times = ratio(ours, theirs);
  const value = faster ? 1 / times : times;
  const target = faster ? `>= ${faster}` : atMost ? `<= ${atMost}` : '';
  const met = target && ((faster ? value >= faster : value <= atMost) ? 'met' : 'MISSED');
  const bytes = [ours, theirs].map(one => (one.bytes === undefined ? '' : digits(one.bytes)));
  return [what, time(ours.ns), time(theirs.ns), digits(value), target, met, ...bytes];
}

const idsOf = n => endpointsOf(n).map(({ id }) => id);
const keys = Array.from({ length: 4096 }, (_, i) => `user:${i * 7919}`);
const [call] = callsOf(1);

const PARTS = {
  // hashring's points are 40 hashes of 4 points each, its default. Its cache cannot be turned off (with a size of 0
  // it throws), so a look-up is what its `get` does without one.
  async ring() {
    const { default: HashRing } = await import('hashring');
    const ids = idsOf(100);
    const ring = createRing(ids);
    const peer = new HashRing(ids);
    const look = await measure({
      ours: i => ring.get(keys[i & 4095]),
      theirs: i => peer.ring[peer.find(peer.hashValue(keys[i & 4095]))].server,
    });
    const build = await measure({ ours: () => createRing(ids), theirs: () => new HashRing(ids) });
    const large = createRing(idsOf(1000));
    const largePeer = new HashRing(idsOf(1000));
    const change = await measure({
      ours() {
        large.add('192.168.0.1:8080');
        large.remove('192.168.0.1:8080');
      },
      theirs() {
        largePeer.add('192.168.0.1:8080');
        largePeer.remove('192.168.0.1:8080');
      },
    });
    return [
      row('100 members x 160: look up a key (hashring)', look.ours, look.theirs, { faster: 25 }),
      row('100 members x 160: build (hashring)', build.ours, build.theirs, { faster: 8 }),
      row('1000 x 160: add a member and remove it (hashring)', change.ours, change.theirs, { faster: 50 }),
    ];
  },

  async turns() {
    const { grpcWeightedRoundRobin } = await import('./peers/grpc-picker.mjs');
    const weights = Array.from({ length: 1000 }, (_, i) => 1 + (i % 10));
    const balancer = weightedRoundRobin();
    const endpoints = endpointsOf(1000).map((endpoint, i) => ({ ...endpoint, weight: weights[i] }));
    const pick = balancer.picker(membersOf(endpoints, balancer), systemEnv);
    const peer = await grpcWeightedRoundRobin(weights);
    const given = { metadata: null, extraPickInfo: {} };
    const { ours, theirs } = await measure({ ours: i => pick(call, i), theirs: () => peer.pick(given) });
    return [row('weightedRoundRobin, 1000 members: pick (grpc-js)', ours, theirs, { faster: 15 })];
  },

  // load-balancers counts each pick and never what has come back. That ours may do as much, a flight begins with each.
  async choices() {
    const { default: balancers } = await import('load-balancers');
    const rows = [];
    for (const n of [10, 100, 1000]) {
      const balancer = p2c({ load: inFlight() });
      const picker = balancer.picker(membersOf(endpointsOf(n), balancer), systemEnv);
      const peer = new balancers.P2cBalancer(n);
      const flight = { startedAt: 0, older: undefined, newer: undefined };
      const { pick, count, theirs } = await measure({
        pick: i => picker(call, i),
        count(i) {
          const member = picker(call, i);
          member.inFlight++;
          member.load.begin(flight);
          return member;
        },
        theirs: () => peer.pick(),
      });
      rows.push(row(`p2c, inFlight, ${n} members: pick (load-balancers)`, pick, theirs, { atMost: 1.2 }));
      rows.push(row(`p2c, inFlight, ${n} members: pick and count (load-balancers)`, count, theirs));
    }
    return rows;
  },

  async calls() {
    const { circuitBreaker, ConsecutiveBreaker, handleAll, retry: again, wrap } = await import('cockatiel');
    const { default: CircuitBreaker } = await import('opossum');
    const task = async ({ port }) => port;
    const [endpoint] = endpointsOf(1);
    const clientWith = async policies => {
      const discovery = fixed(endpointsOf(10));
      const balancer = p2c({ load: peakEwma() });
      const client = createClient({ discovery, balancer, breaker: consecutiveFailures(), policies });
      await client.ready();
      return client;
    };
    const client = await clientWith([retry()]);
    const bounded = await clientWith([retry(), timeout(10_000)]);
    const policy = wrap(
      again(handleAll, { maxAttempts: 2 }),
      circuitBreaker(handleAll, { halfOpenAfter: 1000, breaker: new ConsecutiveBreaker(5) }),
    );
    const breaker = new CircuitBreaker(task, { timeout: false });
    const breakerTimed = new CircuitBreaker(task);
    const results = await measure(
      {
        bare: () => task(endpoint),
        ours: () => client.run(task),
        oursTimed: () => bounded.run(task),
        cockatiel: () => policy.execute(() => task(endpoint)),
        opossum: () => breaker.fire(endpoint),
        opossumTimed: () => breakerTimed.fire(endpoint),
      },
      { wait: true, ms: 40, rounds: 21 },
    );
    const { bare, ours, oursTimed, cockatiel, opossum, opossumTimed } = results;
    return [
      row('client.run: p2c, peakEwma, breaker, retry, budget (cockatiel: retry, breaker)', ours, cockatiel, {
        atMost: 0.7,
      }),
      row('the same (opossum.fire, its time-out off)', ours, opossum, { atMost: 0.6 }),
      row('the same (opossum.fire as it comes, with its time-out)', ours, opossumTimed),
      row('the same and a time-out with a signal (opossum.fire as it comes)', oursTimed, opossumTimed),
      row('the same (await task() and nothing else)', ours, bare),
    ];
  },

  async requests() {
    const { cpuPerRequest } = await import('./peers/requests.mjs');
    const { byHand, byHandBounded, ours, oursUnbounded, balancedPool } = await cpuPerRequest();
    return [
      row('createFetch: a request (round robin by hand)', ours, byHand, { atMost: 1.05 }),
      row('createFetch: a request (by hand, with AbortSignal.timeout)', ours, byHandBounded),
      row('createFetch without attemptTimeout: a request (by hand)', oursUnbounded, byHand),
      row("createFetch: a request (undici's BalancedPool)", ours, balancedPool),
    ];
  },
};

const asked = process.argv.slice(2);
const [part] = asked;
if (asked.length === 1 && Object.hasOwn(PARTS, part)) {
  print(part, HEAD, ...(await PARTS[part]()));
  process.exit();
}
if (asked.length > 0) throw new Error(`no part ${asked}; there are ${Object.keys(PARTS).join(', ')}`);

console.log(`Node ${process.versions.node}. CPU time, medians of interleaved rounds; bytes are of heap.`);
if (Number.parseInt(process.versions.node, 10) < 24) {
  console.log('The targets are for Node 24; cockatiel and opossum declare 22 as their least.');
}
// A process for each: code that has run with every kind of member is slower than in any real program.
for (const name of Object.keys(PARTS)) {
  const { status } = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), name], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
