import { clients, first, type MakeBalancer, sum, trial } from '../lab.ts';
import { inFlight, leastRequest, p2c, peakEwma, roundRobin, type SimulationReport } from '../library.ts';
import { type Bar, type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const SERVERS = 50;
const SLOW = first(SERVERS / 10);

const CONTENDERS: Readonly<Record<string, MakeBalancer | undefined>> = {
  default: undefined,
  'leastRequest, two choices': () => leastRequest({ scan: 0, choices: 2 }),
  'leastRequest, five choices': () => leastRequest({ scan: 0, choices: 5 }),
  'leastRequest in flight, all': () => leastRequest({ load: inFlight(), scan: SERVERS }),
  'p2c peakEwma': () => p2c({ load: peakEwma() }),
  'p2c in flight': () => p2c(),
  roundRobin: () => roundRobin(),
};

/** The more clients, the less each one sees: at 500 a client calls a given server every 1.6 s. */
const MOST: Readonly<Record<number, number>> = { 10: 1.25, 100: 1.5, 500: 1.8 };

/** Clients need a few calls to each server to know it. */
const TIMES: Record<Effort, { duration: number; warmup: number }> = {
  brief: { duration: 6500, warmup: 4500 },
  full: { duration: 25_000, warmup: 12_000 },
};

const run = (count: number, balancer: MakeBalancer | undefined, effort: Effort): Promise<SimulationReport> =>
  trial({
    clients: count,
    servers: SERVERS,
    load: 0.8,
    ...TIMES[effort],
    client: clients({ balancer }),
    faults: [{ kind: 'slow', servers: SLOW, factor: 4 }],
  });

export const grey: Scenario = {
  id: 'grey',
  title: 'A tenth of the servers is four times slower',
  text: '50 servers with 4 workers each, service times exponential with a mean of 10 ms, as many calls as would keep 80 % of the workers busy were all servers well; 5 servers take four times as long, and never fail.',
  async run(effort): Promise<Finding> {
    const names = effort === 'full' ? Object.keys(CONTENDERS) : ['default'];
    const counts = Object.keys(MOST)
      .map(Number)
      .filter(count => effort === 'full' || count <= 100);
    const results = new Map<string, SimulationReport[]>();
    for (const name of names) {
      const reports: SimulationReport[] = [];
      for (const count of counts) reports.push(await run(count, CONTENDERS[name], effort));
      results.set(name, reports);
    }
    const usual = results.get('default')!;
    const blind = results.get('p2c in flight')?.[1] ?? (await run(100, CONTENDERS['p2c in flight'], effort));
    const bars: Bar[] = counts.map((count, i) => ({
      what: `default balancer's p99, ${count} clients`,
      why: 'what the field’s best reach with as few news from each server; in times of the omniscient picker’s',
      value: ratio(usual[i]!),
      most: MOST[count]!,
      unit: '×',
    }));
    bars.push({
      what: 'p99 of in-flight-only P2C by the default’s, 100 clients',
      why: 'who counts his own calls alone sees nearly always none, so a slow server looks like any other',
      value: blind.latency.p99 / usual[1]!.latency.p99,
      least: 10,
      unit: '×',
    });
    const best = usual[0]!.best.latency;
    return {
      bars,
      tables: [
        {
          title: 'p99 and p99.9 in ms',
          head: ['balancer', ...counts.map(count => `${count} clients`), 'to the slow, 100 clients'],
          rows: [
            ['omniscient', ...counts.map(() => `${told(best.p99)} / ${told(best.p999)}`), '–'],
            ...[...results].map(([name, reports]) => [
              name,
              ...reports.map(({ latency }) => `${told(latency.p99)} / ${told(latency.p999)}`),
              told(sum(SLOW.map(i => reports[1]!.servers[i]!.share)), '%'),
            ]),
          ],
        },
      ],
      charts: [
        {
          title: 'p99 by the number of clients, 10 % of 50 servers four times slower',
          x: 'clients',
          y: 'ms',
          log: 'xy',
          series: [
            ...[...results].map(([name, reports]) => ({
              name,
              points: reports.map(({ latency }, i) => [counts[i]!, latency.p99] as const),
            })),
            { name: 'omniscient', points: counts.map(count => [count, best.p99] as const) },
          ],
        },
      ],
    };
  },
};

const ratio = ({ latency, best }: SimulationReport): number => latency.p99 / best.latency.p99;
