import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  Call,
  consecutiveFailures,
  createClient,
  createRing,
  fixed,
  healthChecks,
  hedge,
  inFlight,
  leastRequest,
  limit,
  maglev,
  outliers,
  Pool,
  p2c,
  peakEwma,
  random,
  rendezvous,
  retry,
  ring,
  roundRobin,
  systemEnv,
  throttle,
  timeout,
  weightedRoundRobin,
} from '../dist/core.js';
import { digits, measure, print, ratio, time } from './measure.mjs';
import { callsOf, endpointsOf, membersOf, moments } from './members.mjs';
import { bytesPerPick } from './peers/bytes.mjs';

const HEAD = ['', 'fairlead', 'peer', 'ratio', 'target', '', 'bytes', "peer's"];

/**
 * `faster`: ours is to be at least so many times as fast. `atMost`: to take at most so many times as long. `within`: to
 * take at most so many ns. Not `aimed`: shown beside the others, but held to nothing.
 */
function row(what, ours, theirs, { faster, atMost, within } = {}, aimed = true) {
  const times = ratio(ours, theirs);
  const value = faster ? 1 / times : times;
  const [target, reached] = faster
    ? [`>= ${faster}`, value >= faster]
    : atMost
      ? [`<= ${atMost}`, value <= atMost]
      : within
        ? [`<= ${time(within)}`, ours.ns <= within]
        : [''];
  const met = target && (reached ? 'met' : 'MISSED');
  const bytes = [ours, theirs].map(one => (one.bytes === undefined ? '' : digits(one.bytes)));
  return [
    what,
    time(ours.ns),
    time(theirs.ns),
    digits(value),
    ...(aimed ? [target, met] : ['', '']),
    ...bytes,
  ];
}

const SIZES = [3, 10, 100, 1000, 10_000];
/** The size that the targets are for. */
const AIM = 1000;
/** What grpc-js's pickers are asked with. */
const GIVEN = { metadata: null, extraPickInfo: {} };

const picking = (balancer, endpoints) => {
  const pick = balancer.picker(membersOf(endpoints, balancer), systemEnv);
  return i => pick(call, moments[i & 4095]);
};

/** A row for each size: ours beside the peer's. */
async function pairs(what, make, target) {
  const rows = [];
  for (const n of SIZES) {
    const [ours, theirs] = make(n);
    const results = await measure({ ours, theirs });
    rows.push(row(`${what}, ${n} members`, results.ours, results.theirs, target, n === AIM));
  }
  return rows;
}

/** What it takes to make a picker when one member of `n` comes or goes, and to make it from nothing. */
async function updates(make, n) {
  const balancer = make();
  const all = membersOf(endpointsOf(n), balancer);
  const less = all.filter((_, i) => i !== n >> 1);
  let whole = true;
  return measure(
    {
      change() {
        whole = !whole;
        return balancer.picker(whole ? all : less, systemEnv);
      },
      anew: () => make().picker(all, systemEnv),
    },
    { rounds: 7, ms: 10 },
  );
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

  // grpc-js's picker does not look at the health of anyone: who is not well was left out when it was made. Ours asks the
  // member's breaker, checks and limits at each pick.
  async roundRobin() {
    const { grpcPicker } = await import('./peers/grpc-picker.mjs');
    const peers = Object.fromEntries(
      await Promise.all(SIZES.map(async n => [n, await grpcPicker('round_robin', Array(n).fill(1))])),
    );
    return pairs(
      'roundRobin: pick (grpc-js)',
      n => [picking(roundRobin(), endpointsOf(n)), () => peers[n].pick(GIVEN)],
      {
        atMost: 2.5,
      },
    );
  },

  async weightedRoundRobin() {
    const { grpcPicker } = await import('./peers/grpc-picker.mjs');
    const weights = n => Array.from({ length: n }, (_, i) => 1 + (i % 10));
    const peers = Object.fromEntries(
      await Promise.all(SIZES.map(async n => [n, await grpcPicker('weighted_round_robin', weights(n))])),
    );
    const endpoints = n => endpointsOf(n).map((endpoint, i) => ({ ...endpoint, weight: weights(n)[i] }));
    return pairs(
      'weightedRoundRobin: pick (grpc-js)',
      n => [picking(weightedRoundRobin(), endpoints(n)), () => peers[n].pick(GIVEN)],
      { faster: 25 },
    );
  },

  // load-balancers counts each pick and never what has come back. That ours may do as much, a flight begins with each.
  async choices() {
    const { default: balancers } = await import('load-balancers');
    const peerOf = n => {
      const peer = new balancers.P2cBalancer(n);
      return () => peer.pick();
    };
    const flight = { startedAt: 0, older: undefined, newer: undefined };
    const counting = pick => i => {
      const member = pick(i);
      member.inFlight++;
      member.load.begin(flight);
      return member;
    };
    const picked = n => picking(p2c({ load: inFlight() }), endpointsOf(n));
    return [
      ...(await pairs('p2c, inFlight: pick (load-balancers)', n => [picked(n), peerOf(n)], { atMost: 1 })),
      ...(await pairs('p2c, inFlight: pick and count (load-balancers)', n => [
        counting(picked(n)),
        peerOf(n),
      ])),
    ];
  },

  async latency() {
    const { default: balancers } = await import('load-balancers');
    return pairs(
      'p2c, peakEwma: pick (load-balancers, which looks at no latency)',
      n => {
        const peer = new balancers.P2cBalancer(n);
        return [picking(p2c({ load: peakEwma() }), endpointsOf(n)), () => peer.pick()];
      },
      { atMost: 2 },
    );
  },

  // Beside ours of fewer members: the first does not grow with their number up to what memory is near, the second looks
  // at 32 once there are more than 128.
  async growth() {
    const rows = [];
    for (const [name, make] of Object.entries({ p2c: () => p2c({ load: peakEwma() }), leastRequest })) {
      for (const n of SIZES) {
        const { pick, few } = await measure({
          pick: picking(make(), endpointsOf(n)),
          few: picking(make(), endpointsOf(10)),
        });
        rows.push(row(`${name}, peakEwma: pick among ${n} members (among 10)`, pick, few));
      }
    }
    return rows;
  },

  // There is no peer: what it costs to place a key and to build the table, and to take a member in, beside building anew.
  async hashing() {
    const BALANCERS = { ring, maglev, rendezvous };
    const rows = [];
    for (const [name, make] of Object.entries(BALANCERS)) {
      for (const n of SIZES) {
        const { change, anew } = await updates(make, n);
        const target = name === 'ring' && n === AIM ? { within: 1e6 } : {};
        rows.push(row(`${name}: 1 of ${n} members comes or goes (all anew)`, change, anew, target));
      }
    }
    for (const [name, make] of Object.entries(BALANCERS)) {
      for (const n of SIZES) {
        const endpoints = endpointsOf(n);
        const { pick, first } = await measure({
          pick: picking(make(), endpoints),
          first: picking(random(), endpoints),
        });
        rows.push(row(`${name}: pick among ${n} members (random)`, pick, first));
      }
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
      { wait: true, ms: 100, rounds: 15 },
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

  // With all of resilience configured and nothing for it to do, beside what the foundation had; and what as many policies
  // cost that do nothing, with a controller and a race for the attempt.
  async idle() {
    const task = async ({ port }) => port;
    const nothing = next => (task, call) => next(task, call).then(value => value);
    const race = next => (task, call) =>
      new Promise((resolve, reject) => {
        next((endpoint, _, part) => task(endpoint, new AbortController().signal, part), call).then(
          resolve,
          reject,
        );
      });
    const open = async more => {
      const discovery = fixed(endpointsOf(10));
      const balancer = p2c({ load: peakEwma() });
      const policies = [retry()];
      const client = createClient({
        discovery,
        balancer,
        breaker: consecutiveFailures(),
        policies,
        ...more,
      });
      await client.ready();
      return () => client.run(task);
    };
    const health = healthChecks({ check: async () => true });
    /** What no call with a time-out can do without: a member, a signal, a promise and what the member learns. Nothing is counted. */
    const byHand = async () => {
      const discovery = fixed(endpointsOf(10));
      const balancer = p2c({ load: peakEwma() });
      const pool = new Pool({ discovery, balancer, breaker: outliers(), health, maxInFlight: 100 });
      await pool.ready();
      return () => {
        const attempt = pool.pick(new Call());
        return new Promise((resolve, reject) => {
          task(attempt.endpoint, new AbortController().signal).then(
            value => {
              attempt.end('success');
              resolve(value);
            },
            error => {
              attempt.end('failure', error);
              reject(error);
            },
          );
        });
      };
    };
    const results = await measure(
      {
        base: await open(),
        byHand: await byHand(),
        outliers: await open({ breaker: outliers() }),
        health: await open({ health }),
        maxInFlight: await open({ maxInFlight: 100 }),
        limit: await open({ policies: [limit({ concurrency: 1000 }), retry()] }),
        throttle: await open({ policies: [throttle(), retry()] }),
        hedge: await open({ policies: [retry(), hedge()] }),
        attempt: await open({ policies: [retry(), timeout(10_000)] }),
        both: await open({ policies: [timeout(30_000), retry(), timeout(10_000)] }),
        untimed: await open({
          breaker: outliers(),
          health,
          maxInFlight: 100,
          policies: [throttle(), limit({ concurrency: 1000 }), retry()],
        }),
        nothing: await open({ policies: [nothing, nothing, nothing, retry(), nothing, nothing] }),
        race: await open({ policies: [nothing, nothing, nothing, retry(), nothing, nothing, race] }),
        all: await open({
          breaker: outliers(),
          health,
          maxInFlight: 100,
          policies: [
            timeout(30_000),
            throttle(),
            limit({ concurrency: 1000 }),
            retry(),
            hedge(),
            timeout(10_000),
          ],
        }),
      },
      { wait: true, ms: 50, rounds: 15 },
    );
    const beside = (what, name, target) =>
      row(`client.run, ${what} (p2c, peakEwma, breaker, retry, budget)`, results[name], results.base, target);
    return [
      beside('outliers for the breaker', 'outliers'),
      beside('and health checks', 'health'),
      beside('and maxInFlight', 'maxInFlight'),
      beside('and limit', 'limit'),
      beside('and throttle', 'throttle'),
      beside('and hedge', 'hedge'),
      beside('and a time-out of the attempt', 'attempt'),
      beside('and time-outs of attempt and call', 'both'),
      row(
        'pool.pick, a signal, a promise, attempt.end and nothing else, by hand',
        results.byHand,
        results.base,
      ),
      beside('all of these but hedge and time-outs', 'untimed'),
      beside('and five policies that do nothing', 'nothing'),
      beside('and these with a controller and a race', 'race'),
      beside('all that does something', 'all', { atMost: 1.5 }),
      row(
        'client.run, all of these (p2c, peakEwma, breaker, retry, budget, a time-out of the attempt)',
        results.all,
        results.attempt,
      ),
    ];
  },

  // What `idle` measures, done by one function that can do nothing else.
  async fused() {
    if (!process.features.typescript)
      throw new Error('fused runs the sources as they are: Node must be 22.18 or later');
    const of = await import('./peers/fused.mjs');
    const { base, all } = await measure(
      { base: await of.base(), all: await of.fused() },
      { wait: true, ms: 50, rounds: 15 },
    );
    return [
      row('all of resilience fused by hand (client.run: p2c, peakEwma, breaker, retry, budget)', all, base),
    ];
  },

  // A failing call, as the breaker's statistics have it, with 50 and with 50 000 calls held.
  async windows() {
    const { failing } = await import('./peers/windows.mjs');
    const few = await failing(50);
    const many = await failing(50_000);
    const rows = [];
    for (const name of Object.keys(few)) {
      const wait = name === 'opossum';
      const { ours, theirs } = await measure(
        { ours: many[name], theirs: few[name] },
        { wait, rounds: 7, ms: 10 },
      );
      const target = wait ? {} : { atMost: 1.25 };
      rows.push(row(`${name}: a failing call, 50 000 in the window (50)`, ours, theirs, target));
    }
    return rows;
  },

  // Both with the promise that is rejected, and whoever catches that.
  async refusing() {
    const { refusals } = await import('./peers/refusals.mjs');
    const { opossum, ...ours } = await refusals(endpointsOf(10));
    const results = await measure({ ...ours, opossum }, { wait: true, rounds: 15 });
    const names = {
      limited: 'limit: OVERLOADED',
      full: 'maxInFlight, all 10 members full: OVERLOADED',
      throttled: 'throttle: THROTTLED',
      down: '10 breakers open, no panic: NO_AVAILABLE_ENDPOINT',
    };
    return Object.entries(names).map(([name, what]) =>
      row(`refusing a call, ${what} (opossum, open)`, results[name], results.opossum, { atMost: 0.5 }),
    );
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

// `fused` runs the sources as they are.
const NAMES = [...Object.keys(PARTS), 'bytes'].filter(
  name => name !== 'fused' || process.features.typescript,
);
const asked = process.argv.slice(2);
const [part] = asked;
if (part === 'bytes' && asked.length === 1) {
  print(part, ...bytesPerPick());
  process.exit();
}
if (asked.length === 1 && Object.hasOwn(PARTS, part)) {
  print(part, HEAD, ...(await PARTS[part]()));
  process.exit();
}
if (asked.length > 0) throw new Error(`no part ${asked}; there are ${NAMES.join(', ')}`);

console.log(`Node ${process.versions.node}. CPU time, medians of interleaved rounds; bytes are of heap.`);
if (Number.parseInt(process.versions.node, 10) < 24) {
  console.log('The targets are for Node 24; cockatiel and opossum declare 22 as their least.');
}
// A process for each: code that has run with every kind of member is slower than in any real program.
for (const name of NAMES) {
  const { status } = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), name], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
