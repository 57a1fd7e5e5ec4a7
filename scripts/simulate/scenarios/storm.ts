import { clients, first, goodputOf, sentOf, trial } from '../lab.ts';
import { gradient, limit, type Policy, retry, type SimulationReport } from '../library.ts';
import { type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const LOAD = 0.6;
/** Calls a second that a server can do. */
const EACH = 400;
const TIMEOUT = 400;
const ATTEMPTS = 3;
const STALL = 2000;
const LASTS = 1000;
const SLOT = 500;
const SERVERS: Record<Effort, number> = { brief: 2, full: 10 };
/** When it must have recovered, and when it ends. */
const RECOVERED = STALL + LASTS + 4000;
const END: Record<Effort, number> = { brief: RECOVERED + 1000, full: 20_000 };

const BUDGET = 'retries within the budget';
const UNBOUNDED = 'retries without a budget';

const CONTENDERS: Readonly<Record<string, () => readonly Policy[]>> = {
  'no retries': () => [],
  [BUDGET]: () => [retry({ attempts: ATTEMPTS })],
  [UNBOUNDED]: () => [retry({ attempts: ATTEMPTS, budget: false })],
  'without a budget, but a limit': () => [
    limit({ concurrency: gradient() }),
    retry({ attempts: ATTEMPTS, budget: false }),
  ],
};

const run = (policies: () => readonly Policy[], effort: Effort): Promise<SimulationReport> =>
  trial({
    clients: SERVERS[effort],
    servers: SERVERS[effort],
    load: LOAD,
    duration: END[effort],
    slot: SLOT,
    client: place => clients({ policies: policies(), breaker: false, attemptTimeout: TIMEOUT })(place),
    faults: [{ kind: 'frozen', servers: first(SERVERS[effort]), from: STALL, until: STALL + LASTS }],
  });

export const storm: Scenario = {
  id: 'storm',
  title: 'A retry storm after a stall of a second',
  text: `10 servers, load ${LOAD}, stand still for a second, all of them, as when a database behind them does; then they are as well as before. Attempts time out after ${told(TIMEOUT, 'ms')} and are made up to ${ATTEMPTS} times. There is no breaker, so that what is seen is the retries' doing. Servers work on for callers who have given up: a metastable failure (Bronson and others, HotOS 2021) needs no more than that.`,
  async run(effort): Promise<Finding> {
    const names = effort === 'full' ? Object.keys(CONTENDERS) : [BUDGET, UNBOUNDED];
    const capacity = SERVERS[effort] * EACH;
    const asked = LOAD * capacity;
    const results = new Map<string, SimulationReport>();
    for (const name of names) results.set(name, await run(CONTENDERS[name]!, effort));
    const late = (name: string): number => {
      const report = results.get(name)!;
      const slots = report.timeline.filter(({ at }) => at >= RECOVERED);
      const calls = slots.reduce((total, slot) => total + slot.calls, 0);
      return ((goodputOf(report, RECOVERED, END[effort]) / 1000) * (END[effort] - RECOVERED)) / calls;
    };
    /** Attempts a second in the last second, by what is asked. */
    const pressure = (name: string): number => {
      const report = results.get(name)!;
      const slots = 1000 / SLOT;
      return (
        sentOf(report)
          .slice(-slots - 1, -1)
          .reduce((a, b) => a + b, 0) / asked
      );
    };
    const recovery = (name: string): number => {
      const { timeline } = results.get(name)!;
      const last = timeline.findLast(({ calls, failures }) => failures > 0.01 * calls);
      return last === undefined ? 0 : Math.max(0, (last.at + SLOT - STALL - LASTS) / 1000);
    };
    return {
      bars: [
        {
          what: `calls that succeed from ${told((RECOVERED - STALL - LASTS) / 1000, 's')} after it on, ${BUDGET}`,
          why: `${LOAD} and a fifth more by retries is less than 1, so the lines get shorter`,
          value: late(BUDGET),
          least: 0.999,
          unit: '%',
        },
        {
          what: `attempts per call, ${BUDGET}`,
          why: 'a fifth of the calls may be retried, and ten a second by each client in any case, which makes 240 calls a second',
          value: results.get(BUDGET)!.attemptsPerCall,
          most: 1.2 + 10 / (LOAD * EACH),
        },
        {
          what: `calls that succeed by then, ${UNBOUNDED}`,
          why: `${ATTEMPTS} times ${LOAD} is more than 1: the lines grow though nothing is wrong any more`,
          value: late(UNBOUNDED),
          most: 0.1,
          unit: '%',
        },
        {
          what: `attempts by calls at the end, ${UNBOUNDED}`,
          why: 'each call fails as often as it may',
          value: pressure(UNBOUNDED),
          least: 2.5,
          unit: '×',
        },
      ],
      tables: [
        {
          head: [
            '',
            'calls that fail',
            'attempts per call',
            'last half second with 1 % of failures, after the stall, in s',
            `succeed from ${told((RECOVERED - STALL - LASTS) / 1000, 's')} on`,
          ],
          rows: names.map(name => {
            const { failures, calls, attemptsPerCall } = results.get(name)!;
            return [
              name,
              told(failures / calls, '%'),
              attemptsPerCall.toFixed(2),
              recovery(name),
              told(late(name), '%'),
            ];
          }),
        },
      ],
      charts: [
        {
          title: 'Attempts a second',
          x: 's',
          y: 'attempts a second',
          spans: [{ from: STALL / 1000, until: (STALL + LASTS) / 1000, name: 'stall' }],
          marks: [{ y: capacity, name: 'capacity' }],
          series: names.map(name => ({
            name,
            points: sentOf(results.get(name)!)
              .slice(0, -1)
              .map((sent, slot) => [((slot + 0.5) * SLOT) / 1000, (sent / SLOT) * 1000] as const),
          })),
        },
        {
          title: 'Goodput',
          x: 's',
          y: 'calls a second that succeed',
          spans: [{ from: STALL / 1000, until: (STALL + LASTS) / 1000, name: 'stall' }],
          series: names.map(name => ({
            name,
            points: results
              .get(name)!
              .timeline.map(
                ({ at, calls, failures }) =>
                  [(at + SLOT / 2) / 1000, ((calls - failures) / SLOT) * 1000] as const,
              ),
          })),
        },
      ],
    };
  },
};
