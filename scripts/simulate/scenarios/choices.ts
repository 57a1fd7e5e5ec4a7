import { clients, first, trial } from '../lab.ts';
import { leastRequest } from '../library.ts';
import type { Bar, Effort, Finding, Scenario } from '../scenario.ts';

const SIZES = [4, 10, 20, 50, 100, 200, 500];
const COUNTS = [10, 100];
const CHOICES = [2, 3, 4, 5, 8, 16, 32];
/** Of more servers than that, only these numbers: a trial takes long. */
const LARGE = 100;
const LARGER = [2, 8, 32];
const ALL = 1000;

/** The last calls of each trial count, about so many. */
const CALLS: Record<Effort, number> = { brief: 60_000, full: 100_000 };
/** Each client needs a few calls to each server first, whatever their number. */
const WARMUP = 4000;
/** Of the trials in brief. */
const FEW: readonly (readonly [size: number, looks: number])[] = [
  [50, 2],
  [50, ALL],
];

interface Result {
  readonly p99: number;
  readonly p999: number;
  readonly best: number;
}

async function run(size: number, count: number, looks: number, effort: Effort): Promise<Result> {
  const load = 0.8;
  const { latency, best } = await trial({
    clients: count,
    servers: size,
    load,
    warmup: WARMUP,
    duration: WARMUP + Math.max(600, CALLS[effort] / (size * 0.4 * load)),
    client: clients({ balancer: () => leastRequest({ scan: 0, choices: looks }) }),
    faults: [{ kind: 'slow', servers: first(Math.max(1, size / 10)), factor: 4 }],
  });
  return { p99: latency.p99, p999: latency.p999, best: best.latency.p99 };
}

export const choices: Scenario = {
  id: 'choices',
  title: 'How many members a pick should look at',
  text: 'The scenario above with sets of other sizes (in that of 4 the slow server is a quarter, and the others are nearly full), for `leastRequest` with so many members drawn and compared for each call, or all of them.',
  async run(effort): Promise<Finding> {
    const results = new Map<string, Result>();
    const key = (size: number, count: number, looks: number): string => `${size} ${count} ${looks}`;
    const trials =
      effort === 'brief' ? FEW : SIZES.flatMap(size => looksAt(size).map(looks => [size, looks] as const));
    const counts = effort === 'brief' ? [100] : COUNTS;
    for (const [size, looks] of trials) {
      for (const count of counts) results.set(key(size, count, looks), await run(size, count, looks, effort));
    }
    const at = (size: number, count: number, looks: number): Result | undefined =>
      results.get(key(size, count, looks));
    const two = at(50, 100, 2)!;
    const all = at(50, 100, ALL)!;
    const bars: Bar[] = [
      {
        what: 'p99 when all 50 are looked at by that of two choices, 100 clients',
        why: 'what is known of a member helps only those calls for which it is looked at',
        value: all.p99 / two.p99,
        most: 0.85,
        unit: '×',
      },
    ];
    if (effort === 'brief') return { bars, tables: [], charts: [] };
    return {
      bars,
      tables: COUNTS.map(count => ({
        title: `p99 / p99.9 in ms, ${count} clients`,
        head: ['servers', ...CHOICES.map(String), 'all', 'omniscient p99'],
        rows: SIZES.map(size => [
          String(size),
          ...[...CHOICES, ALL].map(looks => {
            const result = at(size, count, looks);
            return result === undefined ? '' : `${result.p99.toFixed(0)} / ${result.p999.toFixed(0)}`;
          }),
          at(size, count, ALL)!.best,
        ]),
      })),
      charts: COUNTS.map(count => ({
        title: `p99 by the number of members looked at, ${count} clients`,
        x: 'members looked at',
        y: 'times the omniscient picker’s p99',
        log: 'x',
        series: SIZES.filter(size => size > 4).map(size => ({
          name: `${size} servers`,
          points: looksAt(size).map(looks => {
            const { p99, best } = at(size, count, looks)!;
            return [Math.min(looks, size), p99 / best] as const;
          }),
        })),
      })),
    };
  },
};

const looksAt = (size: number): number[] => [
  ...CHOICES.filter(looks => looks < size && (size <= LARGE || LARGER.includes(looks))),
  ALL,
];
