import { readFile } from 'node:fs/promises';
import { busiest, darkTimes, isIn, lastBack, quantile, sharesIn } from './figures.mjs';
import { DEALT } from './schedule.mjs';
import { ATTEMPT_TIMEOUT, BUDGET, CALM, DOWN, EXIT, SERVERS, SETTLE, STORM } from './settings.mjs';
import { stalled } from './stalls.mjs';

const ms = value => `${value.toFixed(0)} ms`;
const percent = value => `${(value * 100).toFixed(1)} %`;

/** Says of each bar whether it is met, and what was measured. */
export async function judge(seen, all) {
  const { calls, attempts, successes, events, troubles, phases, cluster, asked, stalls, left, calmCpu } =
    seen;
  const lines = (await Promise.all(cluster.logs.map(file => readFile(file, 'utf8')))).join('').split('\n');
  const within = name => calls.filter(({ due }) => isIn(phases[name], due));
  const bars = [];
  const bar = (name, met, says) => bars.push({ name, met, says });

  // Failures
  const dark = darkTimes(cluster.faulty);
  const promised = calls.filter(({ due, end }) => !dark.some(([from, until]) => due < until && end > from));
  const idempotent = promised.filter(({ method }) => method !== 'POST');
  const failed = idempotent.filter(({ error }) => error !== undefined);
  const posts = promised.filter(({ method }) => method === 'POST');
  const failedPosts = posts.filter(({ error }) => error !== undefined);
  bar(
    'no idempotent call fails while half of the servers are well',
    failed.length === 0,
    `${failed.length} of ${idempotent.length} failed${failed
      .slice(0, all ? 1000 : 5)
      .map(shown(phases))
      .join('')}`,
  );

  // Latency
  const waits = name => within(name).map(({ due, end }) => end - due - stalled(stalls, due, end));
  const calm = quantile(waits('calm'), 0.99);
  const bound = ATTEMPT_TIMEOUT + 1.5 * calm;
  const stormy = waits('storm');
  const p99 = quantile(stormy, 0.99);
  const raw = within('storm').map(({ due, end }) => end - due);
  bar(
    'p99 in the storm is at most an attempt time-out and 1.5 times the calm p99',
    p99 <= bound,
    `${ms(p99)}, bound ${ms(bound)} (${ms(ATTEMPT_TIMEOUT)} + 1.5 x ${ms(calm)}); p50 ${ms(quantile(stormy, 0.5))}, ` +
      `p99.9 ${ms(quantile(stormy, 0.999))}, most ${ms(Math.max(...stormy))}; all without the ` +
      `${percent(stalled(stalls, ...phases.storm) / STORM)} of the time that this machine left a process waiting, with it p99 ${ms(quantile(raw, 0.99))}`,
  );

  // Executions
  const executions = new Map();
  for (const line of lines) {
    const [, id] = /^x (.*)/.exec(line) ?? [];
    if (id !== undefined) executions.set(id, (executions.get(id) ?? 0) + 1);
  }
  const twice = [...executions].filter(([, times]) => times > 1);
  const inDoubt = calls.filter(({ id, error }) => error !== undefined && executions.has(id)).length;
  bar(
    'no request that may not be is carried out twice',
    twice.length === 0 && inDoubt > 0,
    `${twice.length} of ${executions.size} were; ${inDoubt} were carried out though the call failed`,
  );

  // Attempts
  const count = range => attempts.filter(([at]) => isIn(range, at)).length;
  const downCalls = within('down').length;
  const perCall = count(phases.down) / downCalls;
  const floor = (BUDGET.minPerSecond * BUDGET.window) / 1000 / downCalls;
  // Calls of just before pay for retries, too; and those that time out do not pay before.
  const paying = busiest(calls, phases.down, BUDGET.window + ATTEMPT_TIMEOUT) / downCalls;
  const most = 1 + BUDGET.ratio * paying + floor;
  bar(
    'with everything down the attempts stay within the budget',
    perCall <= most,
    `${perCall.toFixed(3)} per call in ${DOWN / 1000} s, bound ${most.toFixed(3)}: 1 + ${BUDGET.ratio} x ${paying.toFixed(2)} + ${floor.toFixed(3)}`,
  );

  // Shares
  for (const [name, before] of [
    ['even', 'storm'],
    ['even again', 'down'],
  ]) {
    const shares = sharesIn(attempts, phases[name], cluster.addresses);
    const usual = sharesIn(attempts, phases.calm, cluster.addresses);
    bar(
      `shares are ${name} within ${SETTLE / 1000} s`,
      shares.spread <= Math.max(shares.chance, 1.5 * usual.spread),
      `${(lastBack(successes, phases[before][1], cluster.addresses) / 1000).toFixed(1)} s until all had served again; ` +
        `at most ${percent(shares.spread)} from even (calm: ${percent(usual.spread)}, chance: ${percent(shares.chance)}); ${shares.counts.join(' ')}`,
    );
  }

  // The process
  bar(
    'no unhandled rejection, no fault, no warning',
    troubles.length === 0,
    troubles.slice(0, 5).join('\n') || 'none',
  );
  bar(
    'nothing keeps the process after close()',
    left.code === 0,
    `ended with ${left.code} after ${ms(left.after)}, ${ms(EXIT)} at most`,
  );

  // What was done to it
  const faults = new Map();
  for (const line of lines) {
    const [, kind] = /^f (.*)/.exec(line) ?? [];
    if (kind !== undefined) faults.set(kind, (faults.get(kind) ?? 0) + 1);
  }
  const idle = DEALT.filter(kind => !faults.has(kind));
  const silent = ['right', 'hung', 'failing', 'nonsense', 'empty', 'stale'].filter(mode => !asked[mode]);
  bar(
    'every kind of fault was met',
    idle.length + silent.length === 0,
    [...idle, ...silent].join(', ') || `${[...faults].map(([kind, n]) => `${kind} ${n}`).join(', ')}`,
  );
  console.log(
    `${calls.length} calls, ${attempts.length} attempts, ${cluster.logs.length - SERVERS} restarts; POST: ${failedPosts.length} of ${posts.length} failed; ` +
      `events ${JSON.stringify(events)}; registry ${JSON.stringify(asked)}; the caller took ${percent(calmCpu)} of a core in ${CALM / 1000} s of calm`,
  );
  return bars;
}

const shown =
  phases =>
  ({ id, method, due, end, error }) =>
    `\n         ${method} ${id} at ${((due - phases.calm[0]) / 1000).toFixed(2)} s of calm, ${ms(end - due)}: ${error}`;
