import { Call, type Endpoint, type LoadReport, type Outcome } from 'fairlead';
import { manualClock, members, seededRandom } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { Reported } from '../../src/balancer/reported.ts';
import {
  type UtilizationRoundRobinOptions,
  utilizationRoundRobin,
} from '../../src/balancer/utilization-round-robin.ts';
import { logbook, rig } from '../helpers.ts';

interface Scene {
  /** Lets so many ms pass. */
  readonly pass: (ms: number) => void;
  /** How many of so many calls each member gets, and the report each call brings. */
  readonly serve: (calls: number, answer?: (id: string) => Answer | undefined) => Record<string, number>;
  readonly report: (reports: Record<string, unknown>) => void;
  readonly notes: () => Record<string, string | undefined>;
  readonly forgive: (id: string) => void;
}
interface Answer {
  readonly report?: LoadReport;
  readonly outcome?: Outcome;
}

function scene(
  set: readonly (string | Partial<Endpoint>)[],
  options: UtilizationRoundRobinOptions = {},
): Scene {
  const balancer = utilizationRoundRobin(options);
  let time = 0;
  const clock = { now: () => time, after: () => () => {} };
  const { observer, lines } = logbook();
  const site = { clock, observer };
  const of = members(set as string[], { balancer });
  const picker = balancer.picker(of, { clock, random: seededRandom(1) });
  return {
    pass(ms) {
      time += ms;
    },
    serve(calls, answer) {
      const counts: Record<string, number> = Object.fromEntries(of.map(({ endpoint }) => [endpoint.id, 0]));
      for (let i = 0; i < calls; i++) {
        const member = picker(new Call(), clock.now())!;
        const { id } = member.endpoint;
        counts[id]!++;
        const attempt = member.begin(site, clock.now());
        const { report, outcome = 'success' } = answer?.(id) ?? {};
        if (report !== undefined) attempt.report(report);
        attempt.end(outcome);
      }
      expect(lines.filter(line => line.startsWith('fault'))).toEqual([]);
      return counts;
    },
    report(reports) {
      for (const { endpoint, load } of of) {
        const report = reports[endpoint.id];
        if (report !== undefined) load.report!(report as LoadReport, clock.now());
      }
    },
    notes: () =>
      Object.fromEntries(
        picker.explain!(new Call(), clock.now()).map(({ member, note }) => [member.endpoint.id, note]),
      ),
    forgive: id => of.find(({ endpoint }) => endpoint.id === id)!.load.forgive!(),
  };
}

const busy = (utilization: number, rps = 100): LoadReport => ({ rps, applicationUtilization: utilization });
const THREE = { a: busy(0.2), b: busy(0.4), c: busy(0.8) };

/** What members get, to one call: where turns stand when the count begins may make that difference. */
function expectAbout(counts: Record<string, number>, expected: Record<string, number>): void {
  for (const id in expected)
    expect(Math.abs(counts[id]! - expected[id]!), `${id} of ${JSON.stringify(counts)}`).toBeLessThanOrEqual(
      2,
    );
}

test('members that serve as many calls a second get calls in inverse proportion to their utilization', () => {
  const { serve, report } = scene(['a', 'b', 'c'], { blackout: 0 });
  report(THREE);
  expectAbout(serve(700), { a: 400, b: 200, c: 100 });
});

test('members that are as busy get calls in proportion to how many they serve a second', () => {
  const { serve, report } = scene(['a', 'b', 'c'], { blackout: 0 });
  report({ a: busy(0.5, 40), b: busy(0.5, 20), c: busy(0.5, 10) });
  expectAbout(serve(700), { a: 400, b: 200, c: 100 });
});

test('until it has reported for 10 s, a member is given the mean; while less than two are known, all get alike', () => {
  const { serve, report, pass, notes } = scene(['a', 'b', 'c', 'd']);
  report({ a: busy(0.2), b: busy(0.6) });
  pass(5000);
  report({ c: busy(0.1) });
  expect(serve(400)).toEqual({ a: 100, b: 100, c: 100, d: 100 });
  expect(notes()).toMatchObject({ a: 'reporting not for long enough', d: 'no report yet' });
  pass(5000);
  // Weights of 500 and 167 a second: the mean is 333, so that in all there are 1333.
  expectAbout(serve(400), { a: 150, b: 50, c: 100, d: 100 });
  expect(notes()).toEqual({
    a: 'utilization 0.2 at 100 calls/s',
    b: 'utilization 0.6 at 100 calls/s',
    c: 'reporting not for long enough: given the mean',
    d: 'no report yet: given the mean',
  });
});

test('a member that has not reported for 180 s is given the mean, and has to report for 10 s again', () => {
  const { serve, report, pass, notes } = scene(['a', 'b', 'c']);
  report(THREE);
  pass(90_000);
  report({ b: busy(0.4), c: busy(0.8) });
  pass(90_000);
  // 250 and 125: the mean is 187.5.
  expectAbout(serve(900), { a: 300, b: 400, c: 200 });
  expect(notes()).toMatchObject({ a: 'its reports have stopped: given the mean' });
  report({ a: busy(0.2) });
  pass(9000);
  expectAbout(serve(900), { a: 300, b: 400, c: 200 });
  pass(1000);
  expectAbout(serve(700), { a: 400, b: 200, c: 100 });
});

test('after a silence that nobody picked in, too, reports have to come for 10 s', () => {
  const { serve, report, pass } = scene(['a', 'b', 'c']);
  report(THREE);
  pass(200_000);
  report(THREE);
  expect(serve(300)).toEqual({ a: 100, b: 100, c: 100 });
  pass(10_000);
  expectAbout(serve(700), { a: 400, b: 200, c: 100 });
});

test('a member whose breaker has closed has to report for 10 s again, as after a restart', () => {
  const { serve, report, pass, forgive } = scene(['a', 'b', 'c']);
  report(THREE);
  pass(20_000);
  report(THREE);
  forgive('a');
  report(THREE);
  expectAbout(serve(900), { a: 300, b: 400, c: 200 });
  pass(10_000);
  expectAbout(serve(700), { a: 400, b: 200, c: 100 });
});

test('weights are worked out once a second, however many reports come', () => {
  const { serve, report, pass } = scene(['a', 'b'], { blackout: 0 });
  report({ a: busy(0.5), b: busy(0.5) });
  expect(serve(100)).toEqual({ a: 50, b: 50 });
  report({ a: busy(0.1), b: busy(0.9) });
  pass(999);
  expect(serve(100)).toEqual({ a: 50, b: 50 });
  pass(1);
  expectAbout(serve(100), { a: 90, b: 10 });
});

test('errors that a member reports add to its utilization', () => {
  const errors = { a: busy(0.5), b: { ...busy(0.5), eps: 50 } };
  for (const [errorPenalty, expected] of [
    [1, { a: 200, b: 100 }],
    [3, { a: 240, b: 60 }],
    [0, { a: 150, b: 150 }],
  ] as const) {
    const { serve, report } = scene(['a', 'b'], { blackout: 0, errorPenalty });
    report(errors);
    expectAbout(serve(300), expected);
  }
});

test("an endpoint's own weight multiplies what the reports give", () => {
  const { serve, report } = scene(
    [
      { id: 'a', weight: 3 },
      { id: 'b', weight: 1 },
      { id: 'c', weight: 2 },
    ],
    { blackout: 0 },
  );
  expectAbout(serve(600), { a: 300, b: 100, c: 200 });
  report({ a: busy(0.6), b: busy(0.2) });
  const again = scene([{ id: 'a', weight: 3 }, { id: 'b' }], { blackout: 0 });
  again.report({ a: busy(0.6), b: busy(0.2) });
  expectAbout(again.serve(200), { a: 100, b: 100 });
});

test('no member gets more than ten times what the median gets, or less than a hundredth, whatever it says', () => {
  const { serve, report } = scene(['a', 'b', 'c', 'd'], { blackout: 0 });
  report({ a: busy(1e-300), b: busy(0.5), c: busy(0.5), d: busy(1e9) });
  expectAbout(serve(12_010), { a: 10_000, b: 1000, c: 1000, d: 10 });
});

test.each<[string, unknown]>([
  ['no utilization', { rps: 100 }],
  ['a utilization of 0', busy(0)],
  ['a negative utilization', busy(-1)],
  ['a utilization without end', busy(Number.POSITIVE_INFINITY)],
  ['a utilization that is no number', busy(Number.NaN)],
  ['text', { applicationUtilization: '0.1', rps: '100' }],
  ['maps that are none', { utilization: null, namedMetrics: 'x', rps: 100 }],
])('a report with %s is as none', (_, report) => {
  const { serve, report: tell } = scene(['a', 'b', 'c'], {
    blackout: 0,
    metrics: ['named_metrics.x', 'utilization.x'],
  });
  tell({ a: report, b: busy(0.5), c: busy(0.5) });
  expectAbout(serve(300), { a: 100, b: 100, c: 100 });
});

test('errors that are no number count as none', () => {
  const { serve, report } = scene(['a', 'b'], { blackout: 0 });
  report({ a: { ...busy(0.5), eps: Number.NaN }, b: { ...busy(0.5), eps: -7 } });
  expect(serve(300)).toEqual({ a: 150, b: 150 });
});

test('a report that is nothing at all is a fault of who gave it, and no harm', async () => {
  const { client, lines } = rig(2, { balancer: utilizationRoundRobin() });
  await client.ready();
  const attempt = client.pool.pick(new Call());
  attempt.report(undefined as unknown as LoadReport);
  attempt.end('success');
  expect(lines.filter(line => line.startsWith('fault'))).toEqual([expect.stringMatching(/^fault load /)]);
  await client.close();
});

test.each<[readonly string[], LoadReport, number]>([
  [[], { cpuUtilization: 0.5 }, 0.5],
  [[], { cpuUtilization: 0.5, memUtilization: 0.9, namedMetrics: { queue: 0.9 } }, 0.5],
  [[], { cpuUtilization: 0.5, applicationUtilization: 0.25 }, 0.25],
  [['mem_utilization'], { cpuUtilization: 0.5, memUtilization: 0.8 }, 0.8],
  [['mem_utilization', 'named_metrics.queue'], { memUtilization: 0.1, namedMetrics: { queue: 0.4 } }, 0.4],
  [['mem_utilization', 'named_metrics.queue'], { memUtilization: 0.4, namedMetrics: { queue: 0.1 } }, 0.4],
  [['named_metrics.a.b'], { cpuUtilization: 0.5, namedMetrics: { 'a.b': 0.2 } }, 0.2],
  [['utilization.disk', 'cpu_utilization'], { cpuUtilization: 0.5, utilization: { disk: 0.25 } }, 0.5],
  [['named_metrics.queue'], { cpuUtilization: 0.5, namedMetrics: { other: 0.9 } }, 0.5],
  [['named_metrics.queue'], { cpuUtilization: 0.5, namedMetrics: { queue: -1 } }, 0.5],
  [['named_metrics.queue'], { cpuUtilization: 0.5, namedMetrics: { queue: Number.POSITIVE_INFINITY } }, 0.5],
  [['named_metrics.queue'], { applicationUtilization: 0.5, namedMetrics: { queue: 0.9 } }, 0.5],
  [['named_metrics.toString'], { cpuUtilization: 0.5, namedMetrics: {} }, 0.5],
])('with the metrics %j, %j is a utilization of %d', (metrics, report, expected) => {
  const { serve, report: tell } = scene(['a', 'b'], { blackout: 0, metrics });
  tell({ a: { ...report, rps: 100 }, b: busy(1) });
  expectAbout(serve(1000), { a: 1000 / (1 + expected), b: (1000 * expected) / (1 + expected) });
});

test.each<[UtilizationRoundRobinOptions | object, RegExp]>([
  [{ blackout: -1 }, /blackout is -1/],
  [{ expiry: 0 }, /expiry is 0/],
  [{ errorPenalty: -0.1 }, /errorPenalty is -0.1/],
  [{ errorPenalty: Number.POSITIVE_INFINITY }, /errorPenalty is Infinity/],
  [{ update: 0 }, /update is 0/],
  [{ metrics: 'cpu_utilization' }, /metrics is "cpu_utilization"; it must be an array/],
  [{ metrics: ['queue'] }, /metrics is "queue"; it must be names such as/],
  [{ metrics: ['named_metrics.'] }, /metrics is "named_metrics\."/],
  [{ metrics: ['constructor.name'] }, /metrics is "constructor\.name"/],
  [{ metrics: [7] }, /metrics is 7/],
])('the option %j is refused by its name', (options, message) => {
  expect(() => utilizationRoundRobin(options)).toThrow(message);
});

/** Servers that take so many calls a second each, and say how full they are: of our calls, and of others'. */
function live(
  capacities: Record<string, number>,
  { reportRate, others = {} }: { reportRate: boolean; others?: Record<string, number> },
): { shares: number[][]; utilizations: number[] } {
  const ids = Object.keys(capacities);
  const { pass, serve } = scene(ids, { blackout: 2000 });
  let rates = Object.fromEntries(ids.map(id => [id, 0]));
  const shares: number[][] = [];
  for (let second = 0; second < 120; second++) {
    const full = (id: string): number => (rates[id]! + (others[id] ?? 0)) / capacities[id]!;
    rates = serve(1000, id => ({
      report: { cpuUtilization: full(id), ...(reportRate && { rps: rates[id]! + (others[id] ?? 0) }) },
    }));
    pass(1000);
    shares.push(ids.map(id => rates[id]! / 1000));
  }
  return { shares, utilizations: ids.map(id => (rates[id]! + (others[id] ?? 0)) / capacities[id]!) };
}

// What is reported settles at once. What is measured here is an average, which sways for a minute or two.
test.each([
  ['their calls a second', true],
  ['no rate, so that ours stands in', false],
])('servers that report %s come to be as full as each other, and stay so', (_, reportRate) => {
  const { shares } = live({ a: 4000, b: 2000, c: 1000, d: 1000 }, { reportRate });
  for (const share of shares.slice(reportRate ? 5 : -10)) {
    for (const [i, expected] of [0.5, 0.25, 0.125, 0.125].entries())
      expect(Math.abs(share[i]! - expected)).toBeLessThan(0.01);
  }
});

test('where others call some servers more than we do, and no rate is reported, utilizations are what is evened out', () => {
  const { utilizations } = live({ a: 2000, b: 2000, c: 2000 }, { reportRate: false, others: { a: 800 } });
  // 1800 calls a second on 6000: 0.3 each, if our 1000 are 0, 500 and 500; a has 0.4 already, and a hundredth of the median.
  expect(utilizations[0]).toBeLessThan(0.41);
  const gentle = live({ a: 2000, b: 2000, c: 2000 }, { reportRate: false, others: { a: 300 } });
  for (const utilization of gentle.utilizations) expect(utilization).toBeCloseTo(1300 / 6000, 2);
});

test('rates from here are not compared with reported ones: who does not report its own is given the mean', () => {
  const { serve, report, pass, notes } = scene(['a', 'b', 'c'], { blackout: 0 });
  serve(30);
  pass(1000);
  report({ a: busy(0.2, 10_000), b: busy(0.6, 10_000), c: { cpuUtilization: 0.4 } });
  pass(1000);
  expectAbout(serve(600), { a: 300, b: 100, c: 200 });
  expect(notes()).toMatchObject({ c: 'its rate of calls is not known: given the mean' });
});

// Its last report is good for three minutes; the failures seen from here halve or third its weight at once.
test('a member that fails without reporting loses weight, and has it back when it succeeds', () => {
  const { serve, pass } = scene(['a', 'b'], { blackout: 0 });
  const well = (): Answer => ({ report: busy(0.5) });
  const failing = (id: string): Answer => (id === 'a' ? { outcome: 'failure' } : well());
  serve(200, well);
  pass(1000);
  expectAbout(serve(200, failing), { a: 100, b: 100 });
  pass(1000);
  const { a } = serve(200, failing);
  // Half of the calls seen have failed, faded by a second: 0.5 + 100 / 182, against 0.5.
  expect(a).toBeGreaterThan(60);
  expect(a).toBeLessThan(70);
  for (let second = 0; second < 60; second++) {
    pass(1000);
    serve(200, well);
  }
  pass(1000);
  expectAbout(serve(200, well), { a: 100, b: 100 });
});

test('the rate of calls to a newcomer is known as well as that to anyone', () => {
  const settings = { blackout: 0, expiry: 1000, errorPenalty: 1, utilization: () => 0.5 };
  const load = new Reported(settings);
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 70; i++) load.begin({ startedAt: second * 1000, older: undefined, newer: undefined });
    load.measure((second + 1) * 1000);
    expect(load.ownRate).toBeCloseTo(70, 9);
  }
});

test('a member that fails fast, and so has little to do, gets no more than its even share', () => {
  const { serve, pass } = scene(['a', 'b', 'c'], { blackout: 0 });
  const answer = (id: string): Answer =>
    id === 'a' ? { report: busy(0.01), outcome: 'failure' } : { report: busy(0.6) };
  serve(300, answer);
  for (let second = 0; second < 20; second++) {
    pass(1000);
    // 1 / 1.01 against 1 / 0.6 each.
    expectAbout(serve(432, answer), { a: 99, b: 166, c: 166 });
  }
});

test('picks and reports go on as they were when the set is made anew', () => {
  const balancer = utilizationRoundRobin({ blackout: 0 });
  const clock = manualClock();
  const env = { clock, random: seededRandom(1) };
  const of = members(['a', 'b', 'c'], { balancer });
  for (const { load, endpoint } of of) load.report!(THREE[endpoint.id as 'a'], 0);
  const counts = [0, 0, 0];
  for (let i = 0; i < 700; i++) counts[of.indexOf(balancer.picker(of, env)(new Call(), i)!)]!++;
  expect(counts).toEqual([400, 200, 100]);
});
