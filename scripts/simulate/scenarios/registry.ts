import { first, shareOf, trial } from '../lab.ts';
import type { SimulatedFault, SimulationReport } from '../library.ts';
import { type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const SERVERS = 20;
const FROM = 4000;
const DURATION: Record<Effort, number> = { brief: 12_000, full: 30_000 };
const COUNTS: Record<Effort, readonly number[]> = { brief: [100], full: [10, 100] };
const SEEN = first(SERVERS / 2);
const SPLIT = 0.3;

const TROUBLES: Readonly<Record<string, readonly SimulatedFault[]>> = {
  none: [],
  // Who dies meanwhile is still in the last good set.
  'registry out, and a server dies': [
    { kind: 'registry-outage', from: FROM },
    { kind: 'dead', servers: [3], from: FROM + 2000 },
  ],
  'a third is told of half the servers': [
    { kind: 'registry-split', servers: SEEN, share: SPLIT, from: FROM },
  ],
};

const run = (count: number, faults: readonly SimulatedFault[], effort: Effort): Promise<SimulationReport> =>
  trial({ clients: count, servers: SERVERS, load: 0.6, duration: DURATION[effort], warmup: FROM, faults });

export const registry: Scenario = {
  id: 'registry',
  title: 'A registry that is out, or tells clients different things',
  text: `20 servers. From the fourth second on the registry answers nobody, and two seconds later a server dies; or it tells ${told(SPLIT, '%')} of the clients of only half of the servers.`,
  async run(effort): Promise<Finding> {
    const counts = COUNTS[effort];
    const results: { name: string; count: number; report: SimulationReport }[] = [];
    for (const [name, faults] of Object.entries(TROUBLES))
      for (const count of counts) results.push({ name, count, report: await run(count, faults, effort) });
    const usual = (count: number): SimulationReport =>
      results.find(result => result.name === 'none' && result.count === count)!.report;
    return {
      bars: results
        .filter(({ name }) => name !== 'none')
        .flatMap(({ name, count, report }) => [
          {
            what: `failed calls, ${name}, ${count} clients`,
            why: 'the last good set stands, and who fails is tried again elsewhere',
            value: report.failures,
            most: 0,
          },
          {
            what: `p99 by that without trouble, ${name}, ${count} clients`,
            why: 'those who know of all servers leave the crowded half to those who do not; a dead one is a twentieth',
            value: report.latency.p99 / usual(count).latency.p99,
            most: 1.15,
            unit: '×' as const,
          },
        ]),
      tables: [
        {
          head: [
            'trouble',
            'clients',
            'p99 in ms',
            'omniscient',
            'failed',
            'attempts per call',
            'half the servers get',
          ],
          rows: results.map(({ name, count, report }) => [
            name,
            String(count),
            report.latency.p99,
            report.best.latency.p99,
            report.failures,
            report.attemptsPerCall.toFixed(4),
            told(shareOf(report, SEEN, FROM + 2000), '%'),
          ]),
        },
      ],
      charts: [],
    };
  },
};
