import { fairShares, first, largest, trial } from '../lab.ts';
import type { SimulatedFault, SimulationReport } from '../library.ts';
import { type Finding, type Scenario, told } from '../scenario.ts';

const SERVERS = 20;
const FROM = 3000;
const EVERY = 1000;
const DOWN = 1000;
/** How long servers run on when they have left the registry, and how late clients hear of it, at most. */
const WAYS = {
  gentle: { drain: 1000, lag: 0 },
  rough: { drain: 200, lag: 1000 },
};
type Way = keyof typeof WAYS;
/** Wide enough for some hundred attempts at each server: chance alone then stays within half of the fair share. */
const SLOT = 500;
const DURATION = FROM + SERVERS * EVERY + WAYS.gentle.drain + DOWN + 3000;
const COUNTS = [10, 100, 500];
const FEW: readonly (readonly [way: Way, count: number])[] = [
  ['gentle', 500],
  ['rough', 10],
];

function run(way: Way, count: number): Promise<SimulationReport> {
  const { drain, lag } = WAYS[way];
  const faults: SimulatedFault[] = [{ kind: 'rolling-deploy', from: FROM, every: EVERY, drain, down: DOWN }];
  if (lag > 0) faults.push({ kind: 'registry-lag', lag });
  return trial({ clients: count, servers: SERVERS, load: 0.5, duration: DURATION, slot: SLOT, faults });
}

/** How long a server is a newcomer: its share swings later on as everybody's does. */
const NEW = 4000;

/** The most that any server had in a slot within that time after it came back, in times of its fair share. */
const newcomersMost = (report: SimulationReport, drain: number): number =>
  largest(
    first(SERVERS).map(server => {
      const back = FROM + server * EVERY + drain + DOWN;
      return largest(
        fairShares(report, server, SERVERS).filter((_, i) => (i + 1) * SLOT > back && i * SLOT < back + NEW),
      );
    }),
  );

export const rollingDeploy: Scenario = {
  id: 'deploy',
  title: 'A rolling deploy of all servers',
  text: `20 servers at half load are replaced, one every ${told(EVERY / 1000, 's')}: taken from the registry, stopped whatever they are doing, and back as a new one ${told(DOWN / 1000, 's')} later. Gently: they stop ${told(WAYS.gentle.drain / 1000, 's')} after they have left the registry. Roughly: ${WAYS.rough.drain} ms after, while clients hear of any change up to ${told(WAYS.rough.lag / 1000, 's')} late.`,
  async run(effort): Promise<Finding> {
    const results: { way: Way; count: number; report: SimulationReport }[] = [];
    const all = (Object.keys(WAYS) as Way[]).flatMap(way => COUNTS.map(count => [way, count] as const));
    for (const [way, count] of effort === 'full' ? all : FEW)
      results.push({ way, count, report: await run(way, count) });
    return {
      bars: results.flatMap(({ way, count, report }) => [
        {
          what: `failed calls, ${way}, ${count} clients`,
          why: 'who is broken off or refused is tried again elsewhere',
          value: report.failures,
          most: 0,
        },
        {
          what: `most that a newcomer gets in ${SLOT} ms, ${way}, ${count} clients`,
          why: 'in times of its fair share: more, and all clients had fallen upon it at once',
          value: newcomersMost(report, WAYS[way].drain),
          most: 2,
          unit: '×' as const,
        },
      ]),
      tables: [
        {
          head: ['deploy', 'clients', 'p99 in ms', 'omniscient', 'attempts per call'],
          rows: results.map(({ way, count, report }) => [
            way,
            String(count),
            report.latency.p99,
            report.best.latency.p99,
            report.attemptsPerCall.toFixed(4),
          ]),
        },
      ],
      charts: [
        {
          title: 'What one server gets before and after its turn',
          x: 's since its deploy began',
          y: 'times its fair share',
          marks: [{ y: 2, name: 'bar' }],
          series: results.map(({ way, count, report }) => ({
            name: `${way}, ${count} clients`,
            points: fairShares(report, 4, SERVERS)
              .map((share, slot) => [((slot + 0.5) * SLOT - FROM - 4 * EVERY) / 1000, share] as const)
              .filter(([at]) => at > -4 && at < 10),
          })),
        },
      ],
    };
  },
};
