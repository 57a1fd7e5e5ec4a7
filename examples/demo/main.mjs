// The same calls to the same unreliable servers, twice: by a round robin written by hand, and by fairlead.
//   node examples/demo/main.mjs [--json]
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { byHand } from './by-hand.mjs';
import { run } from './run.mjs';
import { liveScreen, noScreen, plainScreen } from './screen.mjs';
import { ATTEMPT_TIMEOUT, CALLS, CONCURRENCY, INSTANCES, TTL } from './settings.mjs';
import { comparison } from './text.mjs';
import { withFairlead } from './with-fairlead.mjs';

const { json } = parseArgs({ options: { json: { type: 'boolean', default: false } } }).values;
const { stdout } = process;
const screen = json ? noScreen : stdout.isTTY ? liveScreen(stdout) : plainScreen(stdout);

/** @type {readonly NodeJS.Signals[]} */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
for (const signal of SIGNALS) process.once(signal, () => process.exit(128 + constants.signals[signal]));
process.once('exit', () => screen.close());

screen.say(`\
${CALLS} calls, ${CONCURRENCY} at a time, to ${INSTANCES.length} HTTP servers in processes of their own.
One is killed and comes back, a seventh joins. Their heartbeats go to a registry,
which forgets whoever is silent for ${TTL} ms.

1. By hand: round robin over what the registry lists at the time of each call,
   fetch(url, { signal: AbortSignal.timeout(${ATTEMPT_TIMEOUT}) }), no retry.`);
const hand = await run('by hand', byHand, screen);
screen.say(`\
2. fairlead: createFetch({ discovery, attemptTimeout: ${ATTEMPT_TIMEOUT} }), all else as it comes.`);
const fairlead = await run('fairlead', withFairlead, screen);

const problems = [...hand.problems, ...fairlead.problems];
if (fairlead.failures > 0) problems.unshift(`${fairlead.failures} calls failed with fairlead`);

if (json) {
  const settings = { calls: CALLS, concurrency: CONCURRENCY, attemptTimeout: ATTEMPT_TIMEOUT, ttl: TTL };
  const ok = problems.length === 0;
  stdout.write(`${JSON.stringify({ ok, problems, settings, byHand: hand, fairlead }, undefined, 2)}\n`);
} else {
  screen.say('As the callers saw it:\n');
  for (const line of comparison([hand, fairlead])) screen.say(line);
  const ratio = (fairlead.calls / fairlead.seconds / (hand.calls / hand.seconds)).toFixed(1);
  if (fairlead.utilization > 0.9) {
    screen.say(`
With fairlead the callers came back ${ratio} times as often, until this process's own
CPU was the limit: that is what its p50 shows.`);
  }
  for (const problem of problems) screen.say(`unexpected: ${problem}`);
}
process.exitCode = problems.length === 0 ? 0 : 1;
