import { once } from 'node:events';
import { ask, heard, kill, start } from './children.mjs';
import { now, sleep, sleepUntil } from './clock.mjs';
import { Cluster, nameOf } from './cluster.mjs';
import { dice } from './dice.mjs';
import { DARKNESS, faultsOf, registryOf } from './schedule.mjs';
import {
  CALM,
  DOWN,
  EVEN,
  EXIT,
  LEFT_WAITING,
  MOST_FAULTY,
  RATE,
  SERVERS,
  SETTLE,
  STORM,
  WARM_UP,
} from './settings.mjs';
import { union } from './stalls.mjs';

/** One run, from calm to the end. Answers all that was observed. */
export async function storm({ seed, rate, folder, say }) {
  const random = dice(seed);
  const registry = start('registry');
  const { port } = await heard(registry);
  const cluster = new Cluster(registry, folder, seed);
  const begun = now();
  const tell = what => say(`${((now() - begun) / 1000).toFixed(1).padStart(6)} s  ${what}`);
  try {
    await cluster.startAll();
    const stale = cluster.endpoints; // of before all restarts
    cluster.tell({ stale });
    const caller = start('caller', port, seed, rate);
    const reported = heard(caller, message => 'calls' in message);
    const lost = new Promise((_, reject) => reported.catch(reject));
    const even = (EVEN * RATE) / Math.min(RATE, rate);
    const played = play({ random, cluster, registry, caller, reported, even, tell });
    return { ...(await Promise.race([played, cluster.crashed, lost])), cluster };
  } finally {
    await cluster.stopAll();
    await kill(registry);
  }
}

async function play({ random, cluster, registry, caller, reported, even, tell }) {
  const phases = {};
  const phase = async (name, ms, act = () => sleep(ms)) => {
    tell(name);
    const from = now();
    await act(from);
    phases[name] = [from, now()];
  };
  const cpu = async () => (await ask(caller, 'cpu', message => 'cpu' in message)).cpu;

  await sleep(WARM_UP);
  const before = await cpu();
  await phase('calm', CALM);
  const calmCpu = ((await cpu()) - before) / CALM;

  await phase('storm', STORM, from => blow(from, { random, cluster, registry, tell }));
  await sleep(SETTLE);
  await phase('even', even);
  await darken({ cluster, phase, tell });
  await sleep(SETTLE);
  await phase('even again', even);

  const { asked, stalls } = await ask(registry, { report: true }, message => 'asked' in message);
  const gone = once(caller, 'exit');
  caller.send('stop');
  const report = await reported;
  const closed = now();
  const [code, signal] = await Promise.race([gone, sleep(EXIT).then(() => ['still there'])]);
  const left = { code: signal ?? code, after: now() - closed };
  const stopped = report.stalls.filter(([from, until]) => until - from >= LEFT_WAITING);
  return { ...report, phases, calmCpu, asked, stalls: union(report.stalls, stalls), stopped, left };
}

/** The faults of the schedule, each at its time, or as soon as there may be one more. */
async function blow(from, { random, cluster, registry, tell }) {
  const faulty = new Set();
  const ends = [];
  const registryDone = (async () => {
    for (const { at, mode } of registryOf()) {
      await sleepUntil(from + at);
      tell(`registry: ${mode}`);
      registry.send({ mode });
    }
  })();
  for (const fault of faultsOf(random)) {
    await sleepUntil(from + fault.at);
    while (faulty.size >= MOST_FAULTY || faulty.has(fault.server)) await sleep(10);
    faulty.add(fault.server);
    tell(`${nameOf(fault.server)} ${fault.kind}, ${fault.share} for ${(fault.for / 1000).toFixed(1)} s`);
    const struck = (async () => {
      const mend = await cluster.strike(fault.server, fault.kind, fault.share);
      await sleep(fault.for);
      await mend();
      faulty.delete(fault.server);
    })();
    struck.catch(() => {}); // it is waited for below
    ends.push(struck);
  }
  await Promise.all([...ends, registryDone]);
}

/** Everything down, a third of it in each way. */
async function darken({ cluster, phase, tell }) {
  tell('going down');
  const all = Array.from({ length: SERVERS }, (_, i) => i);
  const mends = await Promise.all(all.map(i => cluster.strike(i, DARKNESS[i % DARKNESS.length], 1)));
  await phase('down', DOWN);
  await phase('up', 0, () => Promise.all(mends.map(mend => mend())));
}
