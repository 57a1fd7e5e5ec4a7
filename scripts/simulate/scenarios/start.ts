import { clients, fairShares, first, largest, type MakeBalancer, trial } from '../lab.ts';
import { leastRequest, p2c, roundRobin, type SimulationReport } from '../library.ts';
import { type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const SERVERS = 50;
const CLIENTS = 1000;

const CONTENDERS: Readonly<Record<string, MakeBalancer | undefined>> = {
  default: undefined,
  'leastRequest, two choices': () => leastRequest({ scan: 0, choices: 2 }),
  'p2c in flight': () => p2c(),
  roundRobin: () => roundRobin(),
};

const run = (balancer: MakeBalancer | undefined): Promise<SimulationReport> =>
  trial({
    clients: CLIENTS,
    servers: SERVERS,
    load: 0.6,
    duration: 1000,
    slot: 100,
    client: clients({ balancer }),
  });

export const start: Scenario = {
  id: 'start',
  title: 'A thousand clients start at once',
  text: '1000 clients that know nothing begin to call 50 servers at the same moment, 12 times each in the first second.',
  async run(effort: Effort): Promise<Finding> {
    const results: [string, SimulationReport][] = [];
    for (const name of effort === 'full' ? Object.keys(CONTENDERS) : ['default'])
      results.push([name, await run(CONTENDERS[name])]);
    const usual = results[0]![1];
    return {
      bars: [
        {
          what: 'most that a server gets in the first second',
          why: 'in times of its fair share of 240 calls, of which chance alone makes up to 1.2',
          value: mostOf(usual),
          most: 1.5,
          unit: '×',
        },
      ],
      tables: [
        {
          head: ['balancer', 'most in 1 s', 'most in 100 ms', 'most in flight', 'p99 in ms', 'omniscient'],
          rows: results.map(([name, report]) => [
            name,
            told(mostOf(report), '×'),
            told(
              largest(
                first(SERVERS).map(server => largest(fairShares(report, server, SERVERS).slice(0, 10))),
              ),
              '×',
            ),
            largest(report.servers.map(({ mostInFlight }) => mostInFlight)),
            report.latency.p99,
            report.best.latency.p99,
          ]),
        },
      ],
      charts: [
        {
          title: 'Calls to each server in the first second, ranked',
          x: 'server, by rank',
          y: 'times its fair share',
          marks: [{ y: 1.5, name: 'bar' }],
          series: results.map(([name, { servers }]) => ({
            name,
            points: servers
              .map(({ share }) => share * SERVERS)
              .sort((a, b) => b - a)
              .map((share, rank) => [rank + 1, share] as const),
          })),
        },
      ],
    };
  },
};

const mostOf = ({ servers }: SimulationReport): number =>
  largest(servers.map(({ share }) => share * SERVERS));
