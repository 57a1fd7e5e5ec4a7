import { readFile } from 'node:fs/promises';
import { nameOf } from './cluster.mjs';
import { darkTimes, isIn, quantile, returns, sharesIn, spent } from './figures.mjs';
import { DEALT, KINDS } from './schedule.mjs';
import { ATTEMPT_TIMEOUT, BLOCK, BUDGET, CALM, EXIT, PROMISED, SERVERS, SETTLE, STORM } from './settings.mjs';
import { stalled, union } from './stalls.mjs';
import { storyteller } from './story.mjs';

const ms = value => `${value.toFixed(0)} ms`;
const seconds = value => `${(value / 1000).toFixed(1)} s`;
const percent = value => `${(value * 100).toFixed(1)} %`;
/** So many of what is told of in a line. */
const FEW = 5;

/**
 * How far shares may be from even. Calls are dealt out by chance, as good as: among servers equally free, whichever comes.
 * One server in 16 000 is farther off by chance than four standard deviations of a fair draw; and in one run in
 * 10 000 all together are so restless that the chi-square over its 11 degrees of freedom is above 3.4.
 */
const FARTHEST = 4;
const MOST_UNREST = 3.4;

/** Says of each bar whether it is met, and what was measured; and what was done to the servers. */
export async function judge(seen, all) {
  const {
    calls,
    attempts,
    events,
    troubles,
    phases,
    cluster,
    asked,
    stalls,
    stopped,
    left,
    resources,
    calmCpu,
  } = seen;
  const logs = cluster.logs.map(async ({ file, server }) => ({ server, text: await readFile(file, 'utf8') }));
  const read = (await Promise.all(logs)).map(({ server, text }) => ({ server, lines: text.split('\n') }));
  const lines = read.flatMap(({ lines }) => lines);
  const logged = mark => {
    const counts = new Map();
    for (const line of lines) {
      if (!line.startsWith(`${mark} `)) continue;
      const what = line.slice(2);
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    return counts;
  };
  const story = storyteller(seen);
  const told = calls =>
    calls
      .slice(0, all ? 1000 : FEW)
      .map(story.call)
      .join('');
  const within = name => calls.filter(({ due }) => isIn(phases[name], due));
  const bars = [];
  const bar = (name, met, says, why = '') => bars.push({ name, met, says: met ? says : says + why });

  // Failures
  const leftWaiting = server =>
    read
      .filter(log => log.server === server)
      .flatMap(({ lines }) => lines.filter(line => line.startsWith('s ')))
      .map(line => line.split(' ').slice(1).map(Number));
  // A server is well while it has no fault and the machine lets it run.
  const unwell = cluster.addresses.map((_, i) =>
    union(
      cluster.faulty.filter(([, , server]) => server === i),
      leftWaiting(i),
    ),
  );
  // A caller that is kept from running can keep no promise meanwhile.
  const dark = union(darkTimes(unwell), stopped);
  const promised = calls.filter(({ due, end }) => !dark.some(([from, until]) => due < until && end > from));
  const ofStorm = promised.filter(({ due }) => isIn(phases.storm, due));
  const share = ofStorm.length / within('storm').length;
  bar(
    `at least ${percent(PROMISED)} of the calls in the storm come while half of the servers are well`,
    share >= PROMISED,
    `${percent(share)} of ${within('storm').length}`,
  );
  const idempotent = promised.filter(({ method }) => method !== 'POST');
  const failed = idempotent.filter(({ error }) => error !== undefined);
  const posts = promised.filter(({ method }) => method === 'POST');
  const failedPosts = posts.filter(({ error }) => error !== undefined);
  bar(
    'no idempotent call fails while half of the servers are well',
    failed.length === 0,
    `${failed.length} of ${idempotent.length} failed`,
    told(failed),
  );

  // Latency. What the machine kept a process from the processor does not count, in the calm and in the storm alike: of
  // that no client can know. What the caller itself took of the processor does count, and so does all that is between.
  const waited = ({ due, end }) => end - due - stalled(stalls, due, end);
  const ofCalm = promised.filter(({ due }) => isIn(phases.calm, due));
  const calm = quantile(ofCalm.map(waited), 0.99);
  const bound = ATTEMPT_TIMEOUT + 1.5 * calm;
  const stormy = ofStorm.map(waited);
  const p99 = quantile(stormy, 0.99);
  const raw = name =>
    quantile(
      within(name).map(({ due, end }) => end - due),
      0.99,
    );
  bar(
    'p99 in the storm is at most an attempt time-out and 1.5 times the calm p99',
    p99 <= bound,
    `${ms(p99)}, bound ${ms(bound)} (${ms(ATTEMPT_TIMEOUT)} + 1.5 x ${ms(calm)}); p50 ${ms(quantile(stormy, 0.5))}, ` +
      `p99.9 ${ms(quantile(stormy, 0.999))}, most ${ms(Math.max(...stormy))}; all without the ` +
      `${percent(stalled(stalls, ...phases.storm) / STORM)} of the time that this machine left a process waiting, with it ` +
      `p99 ${ms(raw('storm'))}, in the calm ${ms(raw('calm'))}`,
    told(ofStorm.toSorted((a, b) => waited(b) - waited(a))),
  );

  // Executions. A run in which no call failed after it was carried out would prove nothing.
  const executions = logged('x');
  const twice = [...executions].filter(([, times]) => times > 1).map(([id]) => id);
  const inDoubt = calls.filter(({ id, error }) => error !== undefined && executions.has(id)).length;
  bar(
    'no request that may not be is carried out twice',
    twice.length === 0 && inDoubt > 0,
    `${twice.length} of ${executions.size} were; ${inDoubt} were carried out though the call failed`,
    told(calls.filter(({ id }) => twice.includes(id))),
  );

  // Attempts. The budget is a share of the calls that it looks back on, and is used up to the last.
  const spending = spent(attempts, phases.down, BUDGET.window);
  const perCall = spending.attempts / spending.calls;
  const downFor = phases.down[1] - phases.down[0];
  const floor = (BUDGET.minPerSecond * downFor) / 1000 / spending.calls;
  const within10 = (BUDGET.ratio * (spending.calls + BLOCK)) / spending.calls;
  bar(
    'with everything down there are at most 1.2 attempts per call and the floor',
    perCall <= 1 + within10 + floor,
    `${perCall.toFixed(3)} per call in ${seconds(downFor)}, bound ${(1 + BUDGET.ratio + floor).toFixed(3)}: 1 + ${BUDGET.ratio} + ` +
      `${floor.toFixed(3)}, give or take ${(within10 - BUDGET.ratio).toFixed(3)} for the ${BLOCK} calls by which ten seconds differ`,
    `, ${JSON.stringify(events)}`,
  );
  const paid = (BUDGET.ratio * spending.paying) / spending.calls;
  bar(
    'nor more than the budget has been paid for',
    perCall <= 1 + paid + floor,
    `${perCall.toFixed(3)} per call, bound ${(1 + paid + floor).toFixed(3)}, for ${spending.paying} calls paid for the retries of ` +
      `${spending.calls}`,
    `, ${JSON.stringify(events)}`,
  );

  // Shares
  const { addresses } = cluster;
  const usual = sharesIn(attempts, phases.calm, addresses);
  for (const name of ['even', 'even again']) {
    const { spread, unrest, mean, counts } = sharesIn(attempts, phases[name], addresses);
    const farthest = FARTHEST * Math.sqrt((1 - 1 / addresses.length) / mean);
    bar(
      `shares are ${name} within ${SETTLE / 1000} s`,
      spread <= farthest && unrest <= MOST_UNREST,
      `at most ${percent(spread)} from even, bound ${percent(farthest)} (calm ${percent(usual.spread)}); all together ` +
        `${unrest.toFixed(2)}, bound ${MOST_UNREST} (calm ${usual.unrest.toFixed(2)}); ${counts.join(' ')}`,
    );
  }
  const back = returns(seen, SETTLE, phases['even again'][1]).sort((a, b) => b.took - a.took);
  const slowest = ({ server, kind, took }) => `${nameOf(server)} (${kind}) ${seconds(took)}`;
  const reborn = back.filter(({ kind }) => kind === 'reborn');
  bar(
    `a server that is well again, or another in its place, is called within ${SETTLE / 1000} s`,
    reborn.length > 0 && back[0].took <= SETTLE,
    `${back.length} of ${cluster.faulty.length} seen to return, half of them within ${seconds(
      quantile(
        back.map(({ took }) => took),
        0.5,
      ),
    )}; ` +
      `slowest ${back.slice(0, FEW).map(slowest).join(', ')}; of ${reborn.length} others in its place ${seconds(reborn[0]?.took ?? Number.NaN)}`,
  );

  // The process
  bar(
    'no unhandled rejection, no fault, no warning',
    troubles.length === 0,
    troubles.slice(0, FEW).join('\n') || 'none',
  );
  bar(
    'nothing keeps the process after close()',
    left.code === 0,
    `ended with ${left.code} after ${ms(left.after)}, ${ms(EXIT)} at most`,
    `; it had ${resources.join(', ')}`,
  );

  // What was done to it
  const met = logged('f');
  const times = kind =>
    (DEALT.includes(kind) ? met.get(kind) : cluster.faulty.filter(fault => fault[3] === kind).length) ?? 0;
  const idle = KINDS.filter(kind => times(kind) === 0);
  const silent = ['right', 'hung', 'failing', 'nonsense', 'empty', 'stale'].filter(mode => !asked[mode]);
  bar(
    'every kind of fault was met',
    idle.length + silent.length === 0,
    [...idle, ...silent].join(', ') || KINDS.map(kind => `${kind} ${times(kind)}`).join(', '),
  );
  console.log(
    `${calls.length} calls, ${attempts.length} attempts, ${cluster.logs.length - SERVERS} restarts; POST: ${failedPosts.length} of ${posts.length} failed; ` +
      `events ${JSON.stringify(events)}; registry ${JSON.stringify(asked)}; the caller took ${percent(calmCpu)} of a core in ${CALM / 1000} s of calm`,
  );
  const run = [phases.calm[0], phases['even again'][1]];
  return { bars, faults: story.faults(), stalled: stalled(stalls, ...run) / (run[1] - run[0]) };
}
