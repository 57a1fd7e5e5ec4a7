import { callsFrom, clients, failuresFrom, first, type MakeBalancer, shareOf, trial } from '../lab.ts';
import { p2c, peakEwma, roundRobin, type SimulationReport } from '../library.ts';
import { type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const SERVERS = 50;
const BROKEN = 5000;
/**
 * By when clients have learnt, and until when they are watched: a client that fails there leaves it alone for 3 s or so,
 * then for 7, then for 13 and so on. Of 500 clients each makes 28 calls a second, of which a thousandth is one in 36 s.
 */
const LEARNT: Readonly<Record<number, number>> = { 10: 10_000, 100: 20_000, 500: 35_000 };
const WATCHED: Readonly<Record<number, number>> = { 10: 30_000, 100: 40_000, 500: 90_000 };
/** It is the first seconds after they have learnt in which it could get the most. */
const BRIEFLY = 7000;
/** Those who never learn need not be watched for long. */
const SHORT = 15_000;
const COUNTS: Record<Effort, readonly number[]> = { brief: [100], full: [10, 100, 500] };

const CONTENDERS: Readonly<Record<string, MakeBalancer | undefined>> = {
  default: undefined,
  'p2c in flight': () => p2c(),
  'p2c peakEwma without penalty': () => p2c({ load: peakEwma({ failurePenalty: 1 }) }),
  roundRobin: () => roundRobin(),
};

const run = (
  count: number,
  balancer: MakeBalancer | undefined,
  duration: number,
): Promise<SimulationReport> =>
  trial({
    clients: count,
    servers: SERVERS,
    load: 0.7,
    duration,
    client: clients({ balancer, breaker: false, policies: [] }),
    faults: [{ kind: 'failing', servers: [0], from: BROKEN, after: 1 }],
  });

/** The share of failures among the calls that arrived from a time on. */
const errors = (report: SimulationReport, from: number): number =>
  failuresFrom(report, from) / callsFrom(report, from);

export const sinkhole: Scenario = {
  id: 'sinkhole',
  title: 'A server that fails fast',
  text: 'One of 50 servers fails every call within 1 ms from the fifth second on. No breaker, no retry: the balancer alone must see that the quickest is the worst.',
  async run(effort): Promise<Finding> {
    const counts = COUNTS[effort];
    const results = new Map<string, SimulationReport[]>();
    for (const name of effort === 'full' ? Object.keys(CONTENDERS) : ['default']) {
      const reports: SimulationReport[] = [];
      for (const count of counts) {
        const balancer = CONTENDERS[name];
        const watched = effort === 'full' ? WATCHED[count]! : LEARNT[count]! + BRIEFLY;
        reports.push(await run(count, balancer, balancer === undefined ? watched : SHORT));
      }
      results.set(name, reports);
    }
    const usual = results.get('default')!;
    const rows = [...results].map(([name, reports]) => [
      name,
      ...reports.map((report, i) => {
        const all = told(errors(report, BROKEN), '%');
        return name === 'default' ? `${all} / ${told(errors(report, LEARNT[counts[i]!]!), '%')}` : all;
      }),
    ]);
    return {
      bars: counts.flatMap((count, i) => [
        {
          what: `calls it gets once learnt, ${count} clients`,
          why: 'a twentieth of its fair share: enough to notice that it is well again',
          value: shareOf(usual[i]!, [0], LEARNT[count]!),
          most: 0.001,
          unit: '%' as const,
        },
        {
          what: `errors once learnt, ${count} clients`,
          why: 'each call it gets is an error, and there are no others',
          value: errors(usual[i]!, LEARNT[count]!),
          most: 0.001,
          unit: '%' as const,
        },
      ]),
      tables: [
        {
          title: `Errors since it broke / since ${counts.map(count => told((LEARNT[count]! - BROKEN) / 1000, 's')).join(', ')} later`,
          head: ['balancer', ...counts.map(count => `${count} clients`)],
          rows,
        },
      ],
      charts: [
        {
          title: 'Share of the calls that the broken server gets, 100 clients',
          x: 's',
          y: 'share of calls, %',
          log: 'y',
          spans: [{ from: BROKEN / 1000, until: WATCHED[100]! / 1000, name: 'fails every call' }],
          marks: [{ y: 0.1, name: 'bar' }],
          series: [...results].map(([name, reports]) => {
            const { servers, timeline } = reports[counts.indexOf(100)]!;
            return {
              name,
              points: first(timeline.length).map(second => {
                const share = servers[0]!.timeline[second]! / timeline[second]!.attempts;
                return [second + 0.5, share === 0 ? Number.NaN : share * 100] as const;
              }),
            };
          }),
        },
      ],
    };
  },
};
