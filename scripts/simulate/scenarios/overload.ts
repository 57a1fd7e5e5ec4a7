import { clients, goodputOf, trial } from '../lab.ts';
import { gradient, limit, type Policy, retry, type SimulationReport, throttle } from '../library.ts';
import { type Bar, type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const WORKERS = 4;
/** Calls a second that a server can do. */
const EACH = 400;
const TWICE = 2;
const CALM = 2000;
const SLOT = 500;
/** How long what each set-up gets right or wrong in the first moment is told apart from the rest. */
const FIRST = 1000;

const SERVERS: Record<Effort, number> = { brief: 2, full: 10 };
const LASTS: Record<Effort, number> = { brief: 2500, full: 6000 };
/** So many seconds later it is looked at whether it has recovered. */
const AFTER: Record<Effort, number> = { brief: 1000, full: 3000 };
const PER_SERVER = [1, 10];
const TIMES: Record<Effort, readonly number[]> = { brief: [400], full: [200, 400, 1000] };

const RECOMMENDED = 'gradient, 10 waiting, last come first';

/** The policies of a client, outermost first. */
const CONTENDERS: Readonly<Record<string, () => readonly Policy[]>> = {
  'no limit': () => [retry()],
  'eight in flight': () => [limit({ concurrency: 8 }), retry()],
  'eight in flight, 10 waiting': () => [limit({ concurrency: 8, queue: 10 }), retry()],
  gradient: () => [limit({ concurrency: gradient() }), retry()],
  'gradient, inside retry': () => [retry(), limit({ concurrency: gradient() })],
  'gradient, 10 waiting': () => [limit({ concurrency: gradient(), queue: 10 }), retry()],
  [RECOMMENDED]: () => [limit({ concurrency: gradient(), queue: 10, order: 'lifo' }), retry()],
  throttle: () => [throttle(), retry()],
  'throttle and gradient': () => [throttle(), limit({ concurrency: gradient() }), retry()],
};

interface Result {
  readonly report: SimulationReport;
  /** As shares of what the servers can do: in the first second of the overload, in the rest of it, in all of it. */
  readonly first: number;
  readonly rest: number;
  readonly all: number;
  /** The share of the calls of the last half second that succeeded. */
  readonly after: number;
}

async function run(
  policies: () => readonly Policy[],
  perServer: number,
  time: number,
  effort: Effort,
): Promise<Result> {
  const servers = SERVERS[effort];
  const capacity = servers * EACH;
  const end = CALM + LASTS[effort];
  const report = await trial({
    clients: servers * perServer,
    servers,
    server: { concurrency: WORKERS },
    rate: now => capacity * (now >= CALM && now < end ? TWICE : 1 / TWICE),
    duration: end + AFTER[effort],
    slot: SLOT,
    client: place => clients({ policies: policies(), timeout: time })(place),
  });
  const share = (from: number, until: number): number => goodputOf(report, from, until) / capacity;
  const last = report.timeline.at(-1)!;
  return {
    report,
    first: share(CALM, CALM + FIRST),
    rest: share(CALM + FIRST, end),
    all: share(CALM, end),
    after: 1 - last.failures / last.calls,
  };
}

export const overload: Scenario = {
  id: 'overload',
  title: 'Twice as many calls as the servers can do',
  text: `10 servers that can do 4000 calls a second together get 2000, then 8000 for six seconds, then 2000 again. Callers give up after ${TIMES.full.map(each => told(each, 'ms')).join(', ')}, of which servers hear nothing: they work on, for nobody. Goodput is what was answered in time; the rest is refused, or fails.`,
  async run(effort): Promise<Finding> {
    const names = effort === 'full' ? Object.keys(CONTENDERS) : ['no limit', RECOMMENDED];
    const results = new Map<string, Result>();
    const key = (name: string, perServer: number, time: number): string => `${name} ${perServer} ${time}`;
    for (const name of names) {
      for (const perServer of PER_SERVER) {
        // That it collapses need not be shown twice where it costs the most.
        if (effort === 'brief' && name === 'no limit' && perServer > 1) continue;
        for (const time of TIMES[effort])
          results.set(key(name, perServer, time), await run(CONTENDERS[name]!, perServer, time, effort));
      }
    }
    const servers = SERVERS[effort];
    const bars = PER_SERVER.flatMap(perServer =>
      TIMES[effort].flatMap((time): Bar[] => {
        const { all, after } = results.get(key(RECOMMENDED, perServer, time))!;
        const where = `${servers * perServer} clients, ${told(time, 'ms')}`;
        return [
          {
            what: `goodput by capacity, ${RECOMMENDED}, ${where}`,
            why: 'what is refused in time costs nothing, so all but a tenth is to be of use; the first moment, in which the limits have yet to fall, is counted',
            value: all,
            least: 0.9,
            unit: '%',
          },
          {
            what: `calls that succeed ${told(AFTER[effort] / 1000, 's')} after it, ${where}`,
            why: 'half of what the servers can do is asked for; a limit that has yet to grow back may refuse one in a hundred',
            value: after,
            least: 0.99,
            unit: '%',
          },
        ];
      }),
    );
    bars.push({
      what: `goodput by capacity without a limit after the first second, ${servers} clients, 400 ms`,
      why: 'the line at the servers is longer than callers wait before that second is over, so nearly all they do from then on is in vain',
      value: results.get(key('no limit', 1, 400))!.rest,
      most: 0.25,
      unit: '%',
    });
    const columns = PER_SERVER.flatMap(perServer => TIMES[effort].map(time => ({ perServer, time })));
    return {
      bars,
      tables: [
        {
          title:
            'Goodput by capacity: in all of the overload / in its first second; share of calls that succeed 3 s after it; p99 of what succeeded in its last half second, in ms',
          head: [
            '',
            ...columns.map(({ perServer, time }) => `${servers * perServer} clients, ${told(time, 'ms')}`),
          ],
          rows: names.map(name => [
            name,
            ...columns.map(({ perServer, time }) => {
              const result = results.get(key(name, perServer, time));
              if (result === undefined) return '';
              const { all, first, after, report } = result;
              const last = report.timeline.find(({ at }) => at === CALM + LASTS[effort] - SLOT)!;
              return `${told(all, '%')} / ${told(first, '%')}; ${told(after, '%')}; ${told(last.latency.p99)}`;
            }),
          ]),
        },
      ],
      charts: [
        {
          title: `Goodput, ${servers * 10} clients that wait 400 ms`,
          x: 's',
          y: 'calls a second',
          spans: [{ from: CALM / 1000, until: (CALM + LASTS[effort]) / 1000, name: 'twice as many calls' }],
          marks: [{ y: 0.9 * servers * EACH, name: 'bar' }],
          series: ['no limit', 'throttle', 'gradient', RECOMMENDED].map(name => ({
            name,
            points: (results.get(key(name, 10, 400))?.report.timeline ?? []).map(
              ({ at, calls, failures }) =>
                [(at + SLOT / 2) / 1000, ((calls - failures) / SLOT) * 1000] as const,
            ),
          })),
        },
      ],
      notes: [
        'Each client has a limit of its own and knows of no other. What is in flight after the first moment is what the limits allow together: 20 at first for each of 100 clients are half a second of work, more than callers who wait 200 or 400 ms have. `throttle` alone goes by failures, and there is none before time is out; by then the line is longer than anybody waits. It is for services that refuse by themselves.',
      ],
    };
  },
};
