import { byChance, callsFrom, failuresFrom, fairShares, first, largest, shareOf, trial } from '../lab.ts';
import type { SimulationReport } from '../library.ts';
import type { Effort, Finding, Scenario } from '../scenario.ts';

const AT = 5000;
const SLOT = 500;
const DURATION = 12_000;
const COUNTS: Record<Effort, readonly number[]> = { brief: [100], full: [10, 100, 500] };

const ZONES = ['a', 'b', 'c'];
/** Of each zone. */
const EACH = 8;
/** Those who join. */
const OLD = 20;
const NEW = 10;
const JOINED = first(NEW).map(i => OLD + i);

const zoneLoss = (count: number): Promise<SimulationReport> =>
  trial({
    clients: count,
    servers: ZONES.flatMap(zone => Array.from({ length: EACH }, () => ({ zone }))),
    load: 0.5,
    duration: DURATION,
    slot: SLOT,
    faults: [{ kind: 'zone-loss', zone: 'a', from: AT }],
  });

const scaleOut = (count: number): Promise<SimulationReport> =>
  trial({
    clients: count,
    servers: OLD + NEW,
    load: 0.55,
    duration: DURATION,
    slot: SLOT,
    faults: [{ kind: 'scale-out', servers: JOINED, from: AT }],
  });

/** The worst slot's p99 from a time on and before another. */
const worst = ({ timeline }: SimulationReport, from: number, until = DURATION): number =>
  largest(timeline.filter(({ at }) => at >= from && at < until).map(({ latency }) => latency.p99));

export const capacity: Scenario = {
  id: 'capacity',
  title: 'A zone is lost; servers join',
  text: `One of three zones, 8 of 24 servers, dies within a moment, and the registry does not notice. And: ${NEW} servers join ${OLD} that are at 82 % of what they can do.`,
  async run(effort): Promise<Finding> {
    const counts = COUNTS[effort];
    const lost: SimulationReport[] = [];
    const joined: SimulationReport[] = [];
    for (const count of counts) {
      lost.push(await zoneLoss(count));
      joined.push(await scaleOut(count));
    }
    const most = (report: SimulationReport): number =>
      largest(JOINED.flatMap(server => fairShares(report, server, OLD + NEW).slice(AT / SLOT)));
    const joinedShare = (report: SimulationReport): number =>
      (shareOf(report, JOINED, AT + 3000) * (OLD + NEW)) / NEW;
    return {
      bars: counts.flatMap((count, i) => [
        {
          what: `failed calls of all in the half second of the loss, ${count} clients`,
          why: 'six tries at as many servers that all meet the dead third, 1 call in 4807, and four standard deviations for so few calls, until the first failures are known',
          value: lost[i]!.timeline[AT / SLOT]!.failures / lost[i]!.timeline[AT / SLOT]!.calls,
          most: byChance(1 / 4807, lost[i]!.timeline[AT / SLOT]!.calls),
          unit: '%' as const,
        },
        {
          what: `failed calls of all later, ${count} clients`,
          why: `a client that makes few calls meets dead servers one after another; one that makes 50 a second knows all of them soon`,
          value: failuresFrom(lost[i]!, AT + SLOT) / callsFrom(lost[i]!, AT + SLOT),
          most: 0.001,
          unit: '%' as const,
        },
        {
          what: `most that a newcomer gets in ${SLOT} ms, ${count} clients`,
          why: 'in times of its fair share: more, and all clients had fallen upon it at once',
          value: most(joined[i]!),
          most: 2,
          unit: '×' as const,
        },
        {
          what: `what newcomers get in the mean from 3 s later on, ${count} clients`,
          why: 'in times of their fair share: they are there to help',
          value: joinedShare(joined[i]!),
          least: 0.5,
          unit: '×' as const,
        },
      ]),
      tables: [
        {
          head: [
            'clients',
            'worst p99 in ms before the loss',
            'in its half second',
            'later',
            'before the joining',
            'after',
          ],
          rows: counts.map((count, i) => [
            String(count),
            worst(lost[i]!, 1000, AT),
            worst(lost[i]!, AT, AT + SLOT),
            worst(lost[i]!, AT + SLOT),
            worst(joined[i]!, 1000, AT),
            worst(joined[i]!, AT + 3000),
          ]),
        },
      ],
      charts: [
        {
          title: `What newcomers get, the most and the least of ${NEW}, 100 clients`,
          x: 's',
          y: 'times the fair share',
          marks: [{ y: 2, name: 'bar' }],
          spans: [{ from: AT / 1000, until: DURATION / 1000, name: `${NEW} servers have joined ${OLD}` }],
          series: (() => {
            const shares = JOINED.map(server => fairShares(joined[counts.indexOf(100)]!, server, OLD + NEW));
            const by = (pick: (numbers: number[]) => number) =>
              first(DURATION / SLOT).map(
                slot => [((slot + 0.5) * SLOT) / 1000, pick(shares.map(each => each[slot]!))] as const,
              );
            return [
              { name: 'most', points: by(numbers => Math.max(...numbers)) },
              { name: 'least', points: by(numbers => Math.min(...numbers)) },
            ];
          })(),
        },
      ],
    };
  },
};
