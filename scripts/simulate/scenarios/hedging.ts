import { clients, first, goodputOf, trial } from '../lab.ts';
import {
  type Distribution,
  gradient,
  hedge,
  limit,
  type Policy,
  retry,
  type SimulatedFault,
  type SimulationReport,
} from '../library.ts';
import { type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const SERVERS: Record<Effort, number> = { brief: 4, full: 10 };
/** Servers for each client. */
const EACH = 2;
const LOAD = 0.3;
const RATIO = 0.02;
const TIME = 400;
const TIMES: Record<Effort, { duration: number; warmup: number }> = {
  brief: { duration: 12_000, warmup: 2000 },
  full: { duration: 60_000, warmup: 5000 },
};
const TOO_MANY = 1.2;
const CALM = 2000;
const OVERLOADED: Record<Effort, number> = { brief: 2500, full: 10_000 };

/** Calls a second of each server that stalls: for 100 ms every 10 s, each at another time. */
const stalls = (servers: number, duration: number): SimulatedFault[] =>
  first(servers).flatMap(server =>
    first(Math.floor(duration / 10_000)).map(
      (n): SimulatedFault => ({
        kind: 'frozen',
        servers: [server],
        from: n * 10_000 + server * 1000,
        until: n * 10_000 + server * 1000 + 100,
      }),
    ),
  );

const SLOW = 20;
/** One call in a hundred takes twenty times as long. */
const tailed: Distribution = Object.assign(
  (random: () => number) => -(random() < 0.01 ? SLOW * 8 : 8) * Math.log(1 - random()),
  { mean: 8 * (0.99 + 0.01 * SLOW) },
);

const TAIL = 'one call in 100 takes 20 times as long';
const STALLS = 'each server stalls for 100 ms every 10 s';
const BY_PERCENTILE = 'hedge, by percentile';

const CONTENDERS: Readonly<Record<string, () => readonly Policy[]>> = {
  'no hedge': () => [retry()],
  [BY_PERCENTILE]: () => [retry(), hedge({ ratio: RATIO })],
  'hedge after 50 ms': () => [retry(), hedge({ delay: 50, ratio: RATIO })],
  'hedge after 20 ms': () => [retry(), hedge({ delay: 20, ratio: RATIO })],
};

const run = (policies: () => readonly Policy[], what: string, effort: Effort): Promise<SimulationReport> =>
  trial({
    clients: SERVERS[effort] / EACH,
    servers: SERVERS[effort],
    server: what === TAIL ? { service: tailed } : {},
    load: LOAD,
    ...TIMES[effort],
    faults: what === STALLS ? stalls(SERVERS[effort], TIMES[effort].duration) : [],
    client: place => clients({ policies: policies() })(place),
  });

/** More calls than can be done, and a limit: every extra attempt takes what another call needs. */
async function overloaded(policies: () => readonly Policy[], effort: Effort): Promise<Overloaded> {
  let hedges = 0;
  const observer = { hedge: () => void hedges++ };
  const capacity = ((SERVERS[effort] * 4) / tailed.mean!) * 1000;
  const report = await trial({
    clients: SERVERS[effort] / EACH,
    servers: SERVERS[effort],
    server: { service: tailed },
    rate: now => capacity * (now < CALM ? LOAD : TOO_MANY),
    duration: CALM + OVERLOADED[effort],
    client: place =>
      clients({
        policies: [limit({ concurrency: gradient() }), ...policies()],
        timeout: TIME,
        observer,
      })(place),
  });
  const attempts = report.attemptsPerCall * report.calls;
  return {
    hedges: hedges / (attempts - hedges),
    goodput: goodputOf(report, CALM, CALM + OVERLOADED[effort]) / capacity,
  };
}

/** Hedges by the other attempts; and what was answered in time, by what the servers can do. */
interface Overloaded {
  readonly hedges: number;
  readonly goodput: number;
}

export const hedging: Scenario = {
  id: 'hedging',
  title: 'Hedging against a heavy tail',
  text: `${SERVERS.full} servers, ${SERVERS.full / EACH} clients, load ${LOAD}. Either ${TAIL}, or ${STALLS}. A call that is late is tried at another server as well, as far as the budget of ${told(RATIO, '%')} goes: after a fixed time, or, by default, once it takes longer than all but ${told(RATIO, '%')} of the calls of the last 30 s.`,
  async run(effort): Promise<Finding> {
    const names = effort === 'full' ? Object.keys(CONTENDERS) : ['no hedge', BY_PERCENTILE];
    const situations = effort === 'full' ? [TAIL, STALLS] : [TAIL];
    const results = new Map<string, SimulationReport>();
    for (const name of names) {
      for (const what of situations)
        results.set(`${name} ${what}`, await run(CONTENDERS[name]!, what, effort));
    }
    const bare = await overloaded(CONTENDERS['no hedge']!, effort);
    const hedged = await overloaded(CONTENDERS[BY_PERCENTILE]!, effort);
    const rash =
      effort === 'full'
        ? await overloaded(() => [retry(), hedge({ delay: 20, ratio: 1, budget: false })], effort)
        : undefined;
    const p999 = (name: string, what: string): number => results.get(`${name} ${what}`)!.latency.p999;
    return {
      bars: [
        ...situations.flatMap(what => [
          {
            what: `p99.9 by that without, ${what}`,
            why:
              what === TAIL
                ? 'a tenth of the slow ones make it up without, and with it only those whose second attempt is slow as well'
                : 'who waits for a server that stands still has an answer of another after one delay',
            value: p999(BY_PERCENTILE, what) / p999('no hedge', what),
            most: what === TAIL ? 0.5 : 0.75,
            unit: '×' as const,
          },
          {
            what: `extra attempts, ${what}`,
            why: 'the budget; nothing fails, so there is no other reason for any',
            value: results.get(`${BY_PERCENTILE} ${what}`)!.attemptsPerCall - 1,
            most: RATIO,
            unit: '%' as const,
          },
        ]),
        {
          what: `extra attempts at ${TOO_MANY} times what can be done`,
          why: 'nearly all calls are late then, and hedges for all would double what is too much already',
          value: hedged.hedges,
          most: RATIO,
          unit: '%',
        },
        {
          what: `calls answered within ${told(TIME, 'ms')} then, by those without hedging`,
          why: 'what the extra attempts take, and as much again twice for chance: what is late for having waited is no better off elsewhere',
          value: hedged.goodput / bare.goodput,
          least: 1 - 3 * RATIO,
          unit: '%',
        },
      ],
      tables: [
        {
          title: 'p99 / p99.9 in ms; extra attempts',
          head: ['', ...situations],
          rows: names.map(name => [
            name,
            ...situations.map(what => {
              const { latency, attemptsPerCall } = results.get(`${name} ${what}`)!;
              return `${told(latency.p99)} / ${told(latency.p999)}; ${told(attemptsPerCall - 1, '%')}`;
            }),
          ]),
        },
        {
          title: `At ${TOO_MANY} times what can be done, with a limit that finds itself`,
          head: ['', 'hedges by other attempts', `answered within ${told(TIME, 'ms')}, by capacity`],
          rows: [
            ['no hedge', bare] as const,
            [BY_PERCENTILE, hedged] as const,
            ...(rash === undefined ? [] : [['hedge after 20 ms, no budget', rash] as const]),
          ].map(([name, each]) => [name, told(each.hedges, '%'), told(each.goodput, '%')]),
        },
      ],
      charts: [
        {
          title: 'Latency by percentile',
          x: 'ms',
          y: 'calls that take longer, in percent',
          log: 'xy',
          series: situations.slice(0, 1).flatMap(what =>
            names.map(name => {
              const { p50, p90, p99, p999 } = results.get(`${name} ${what}`)!.latency;
              const points = [
                [p50, 50],
                [p90, 10],
                [p99, 1],
                [p999, 0.1],
              ] as const;
              return { name, points };
            }),
          ),
        },
      ],
    };
  },
};
