import { type Client, clients, largest, trial } from '../lab.ts';
import { hedge, p2c, retry, roundRobin, type SimulationReport } from '../library.ts';
import { type Finding, type Scenario, told } from '../scenario.ts';

const SERVERS = 20;
const TIMEOUT = 1000;
const LASTS = 5000;
const SLOT = 500;
const COUNTS = [10, 100, 500];

/** With a policy that may keep state, such as a budget, made anew for each client. */
const CONTENDERS: Readonly<Record<string, () => Client>> = {
  default: () => ({}),
  'default, hedging': () => ({ policies: [hedge(), retry()] }),
  'p2c in flight': () => ({ balancer: () => p2c() }),
  roundRobin: () => ({ balancer: () => roundRobin() }),
};
/** When it freezes: hedging takes 100 calls of each client to know what is late, and of 500 each makes 10 a second. */
const frozenAt = (count: number): number => (count > 100 ? 12_000 : 4000);

const PROMISED = [
  { name: 'default', count: 10 },
  { name: 'default', count: 100 },
];

const run = (count: number, options: () => Client): Promise<SimulationReport> =>
  trial({
    clients: count,
    servers: SERVERS,
    load: 0.6,
    duration: frozenAt(count) + LASTS + 3000,
    slot: SLOT,
    client: place => clients({ ...options(), attemptTimeout: TIMEOUT })(place),
    faults: [{ kind: 'frozen', servers: [0], from: frozenAt(count), until: frozenAt(count) + LASTS }],
  });

/** The worst slot's p99 before it freezes, before the first time-out is over, and later. */
function worst({ timeline }: SimulationReport, count: number): readonly [number, number, number] {
  const from = frozenAt(count);
  const between = (start: number, end: number): number =>
    largest(timeline.filter(({ at }) => at >= start && at < end).map(({ latency }) => latency.p99));
  return [between(1000, from), between(from, from + TIMEOUT), between(from + TIMEOUT, Infinity)];
}

export const freeze: Scenario = {
  id: 'freeze',
  title: 'A server that stands still for five seconds',
  text: `One of 20 servers stands still for five seconds and then goes on as if nothing had been. Attempts time out after ${told(TIMEOUT / 1000, 's')}; retry and breaker as they come.`,
  async run(effort): Promise<Finding> {
    const results = new Map<string, SimulationReport>();
    const key = (name: string, count: number): string => `${name}, ${count} clients`;
    const all = Object.keys(CONTENDERS).flatMap(name => COUNTS.map(count => ({ name, count })));
    for (const { name, count } of effort === 'full' ? all : PROMISED)
      results.set(key(name, count), await run(count, CONTENDERS[name]!));
    const cell = (name: string, count: number): string => {
      const report = results.get(key(name, count));
      if (report === undefined) return '';
      const times = worst(report, count).map(each => told(each));
      return `${times.join(' / ')}; ${report.failures}; ${report.attemptsPerCall.toFixed(3)}`;
    };
    return {
      bars: PROMISED.flatMap(({ name, count }) => {
        const report = results.get(key(name, count))!;
        const [before, , after] = worst(report, count);
        return [
          {
            what: `failed calls, ${key(name, count)}`,
            why: 'who times out is tried again elsewhere',
            value: report.failures,
            most: 0,
          },
          {
            what: `p99 of calls made later than one time-out after it froze, by the usual, ${key(name, count)}`,
            why: 'the worst half second by the worst of the healthy time: whoever has called it knows, by the age of what is outstanding',
            value: after / before,
            most: 1.25,
            unit: '×' as const,
          },
        ];
      }),
      tables: [
        {
          title:
            'Worst p99 of a half second, in ms: before it freezes / in the first time-out / after it; failed calls; attempts per call',
          head: ['', ...COUNTS.map(count => `${count} clients`)],
          rows: Object.keys(CONTENDERS).map(name => [name, ...COUNTS.map(count => cell(name, count))]),
        },
      ],
      charts: [
        {
          title: 'p99 of the calls of each half second, 100 clients',
          x: 's',
          y: 'ms',
          log: 'y',
          spans: [{ from: 4, until: 9, name: 'one of 20 stands still' }],
          series: Object.keys(CONTENDERS).map(name => ({
            name,
            points: (results.get(key(name, 100))?.timeline ?? [])
              .filter(({ at }) => at >= 1000)
              .map(({ at, latency }) => [(at + SLOT / 2) / 1000, latency.p99] as const),
          })),
        },
      ],
      notes: [
        'Each client has to find out for itself. Of 500 clients each makes 10 calls a second, one to each server in two seconds: as long as some call the frozen one for the first time, these first calls wait for the time-out, and they are more than one in a hundred. Hedging helps as far as its budget goes.',
      ],
    };
  },
};
