import { createRegistry } from 'fairlead';
import { Callers } from './callers.mjs';
import { Cluster } from './cluster.mjs';
import { load } from './load.mjs';
import { CALLS, CONCURRENCY, INSTANCES, LATE, SCRIPT, TTL } from './settings.mjs';
import { Tally } from './tally.mjs';

/**
 * @typedef {import('fairlead').Registry} Registry
 * @typedef {(registry: Registry, tally: Tally, say: (line: string) => void) => Contestant} MakeContestant
 * @typedef {{
 *   fetch: (path: string) => Promise<Response>,
 *   members: () => { id: string, breaker: string, inFlight?: number }[],
 *   close: () => Promise<string[]>,
 * }} Contestant what a run puts to the test; `close` answers what went wrong that no caller saw
 *
 * @typedef {Awaited<ReturnType<typeof run>>} Result
 * @typedef {Result['instances'][number]} Row
 */

/**
 * One run: servers of its own, all the calls, the script of events.
 *
 * @param {string} name
 * @param {MakeContestant} make
 * @param {import('./screen.mjs').Screen} screen
 */
export async function run(name, make, screen) {
  const registry = createRegistry({ ttl: TTL });
  const cluster = new Cluster(registry);
  const stop = () => cluster.stop();
  process.once('exit', stop);
  try {
    await Promise.all(INSTANCES.map(instance => cluster.start(instance)));
    return await Promise.race([contest(name, make, screen, registry, cluster), cluster.crashed]);
  } finally {
    process.off('exit', stop);
    cluster.stop();
    registry.close();
  }
}

/**
 * @param {string} name
 * @param {MakeContestant} make
 * @param {import('./screen.mjs').Screen} screen
 * @param {Registry} registry
 * @param {Cluster} cluster
 */
async function contest(name, make, screen, registry, cluster) {
  const tally = new Tally(INSTANCES.map(({ id }) => id));
  const callers = new Callers();
  const start = performance.now();
  const busy = performance.eventLoopUtilization();
  const seconds = () => (performance.now() - start) / 1000;
  const say = (/** @type {string} */ line) => screen.say(`${seconds().toFixed(1).padStart(5)} s  ${line}`);
  const contestant = make(registry, tally, say);
  const state = () => ({
    name,
    ...callers.summary(),
    seconds: seconds(),
    instances: tally.instances(contestant.members()),
  });

  const pending = [...SCRIPT];
  /** @type {Promise<void>[]} */
  const acts = [];
  screen.follow(state);
  await load({
    total: CALLS,
    concurrency: CONCURRENCY,
    call: async () => {
      const response = await contestant.fetch('/v1/users/42');
      const body = await response.text();
      if (!response.ok) throw new Error(`answered ${response.status}`);
      if (body !== '{"name":"Ada"}') throw new Error('answered nonsense');
    },
    onDone(elapsed, error) {
      callers.done(elapsed, error);
      if (pending.length === 0 || callers.calls < pending[0].after * CALLS) return;
      const { what, act } = /** @type {typeof SCRIPT[number]} */ (pending.shift());
      say(what);
      acts.push(act(cluster));
    },
  });
  const end = state();
  const { utilization } = performance.eventLoopUtilization(busy);
  screen.follow(undefined);
  await Promise.all(acts);

  const problems = await contestant.close();
  if (tally.begun !== tally.ended) problems.push(`${tally.begun - tally.ended} attempts never ended`);
  if (!end.instances.some(({ id, attempts }) => id === LATE.id && attempts > 0))
    problems.push(`'${LATE.id}' idled`);
  return { ...end, attemptsPerCall: tally.begun / callers.calls, utilization, problems };
}
