import { callsFrom, clients, first, largest, type MakeBalancer, sum, trial } from '../lab.ts';
import {
  type ClientPlace,
  leastRequest,
  preferZone,
  type SimulatedClient,
  type SimulatedFault,
  type SimulationReport,
} from '../library.ts';
import { type Bar, type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const ZONES = ['a', 'b', 'c'];
/** Of each zone. */
const SERVERS = 10;
const LOST = [0, 1, 2, 3, 4];
/** Of all zones. */
const CLIENTS = 30;
const MANY = 90;
const CEILING = 1.25;
/** Calls a second: half of what 30 servers that do 4 calls of 10 ms at a time can do. */
const RATE = (0.5 * ZONES.length * SERVERS * 4) / 0.01;
const LOSS = 3000;
const DURATION: Record<Effort, number> = { brief: 12_000, full: 27_000 };
const SLOT = 500;

/**
 * From when on all clients of the zone can know who is dead: each has called each dead server, and once more to be sure.
 * A client calls a given server every so many ms; the last of n such waits takes ln n times that, and in seven of eight
 * cases at most two times more. A count of who is well may be 100 ms old, and so may the one before, which told that there
 * was reason to be sure.
 */
function known(clients: number): number {
  const every = (1000 * SERVERS * clients) / RATE;
  const waits = (clients / ZONES.length) * LOST.length;
  return LOSS + Math.ceil(((Math.log(waits) + 2) * every + 2 * 100) / SLOT) * SLOT;
}

/** The standard deviation of a slot's load in zone a, by the mean: a quarter of the calls is due there. */
const CHANCE = Math.sqrt(3 / ((RATE * SLOT) / 1000));

/** What must leave zone a: the rest is the ceiling times the mean of the healthy. */
const NEEDED =
  1 - (CEILING * ((SERVERS - LOST.length) / (ZONES.length * SERVERS - LOST.length))) / (1 / ZONES.length);

const GONE = 'gone from the registry';
const LOSSES: Readonly<Record<string, SimulatedFault>> = {
  [GONE]: {
    kind: 'rolling-deploy',
    servers: LOST,
    from: LOSS,
    every: 0,
    drain: 0,
    down: 1e6,
  },
  'dead, and registered still': { kind: 'dead', servers: LOST, from: LOSS },
};

interface Contender {
  readonly name: string;
  readonly clients: number;
  readonly balancer: (zone: string) => MakeBalancer | undefined;
  /** Whether it is held to the bars. */
  readonly held?: boolean;
}

const zoned =
  (ceiling: number): Contender['balancer'] =>
  zone =>
  () =>
    preferZone(() => leastRequest(), { zone, ceiling });

const CONTENDERS: readonly Contender[] = [
  { name: 'preferZone, ceiling 1.25', clients: CLIENTS, balancer: zoned(CEILING), held: true },
  { name: 'preferZone, ceiling 1.25', clients: MANY, balancer: zoned(CEILING), held: true },
  { name: 'preferZone, ceiling 2', clients: CLIENTS, balancer: zoned(2) },
  { name: 'no zones', clients: CLIENTS, balancer: () => undefined },
];

interface Result {
  readonly report: SimulationReport;
  /** Zone a's load per server that is left, by the mean of all that are, in each slot. */
  readonly loads: readonly { readonly at: number; readonly load: number }[];
  /** Its mean before everybody can know of the loss, and from then on; and the largest from then on. */
  readonly early: number;
  readonly load: number;
  readonly peak: number;
  /** The share of calls that go to another zone, from then on, by the zone they come from. */
  readonly away: ReadonlyMap<string, number>;
  readonly awayBefore: number;
}

async function run(loss: SimulatedFault, contender: Contender, effort: Effort): Promise<Result> {
  const from = known(contender.clients);
  const calls = new Map(ZONES.map(zone => [zone, { all: 0, away: 0 }]));
  const before = { all: 0, away: 0 };
  const watched = (place: ClientPlace): SimulatedClient => {
    const zone = place.zone!;
    const client = clients({ balancer: contender.balancer(zone) })(place);
    return {
      close: () => client.close(),
      run: (task, options) =>
        client.run((endpoint, signal, call) => {
          const now = place.env.clock.now();
          const count = now < LOSS ? before : now < from ? undefined : calls.get(zone);
          if (count !== undefined) {
            count.all++;
            if (endpoint.zone !== zone) count.away++;
          }
          return task(endpoint, signal, call);
        }, options),
    };
  };
  const report = await trial({
    clients: contender.clients,
    clientZones: ZONES,
    servers: ZONES.flatMap(zone => Array.from({ length: SERVERS }, () => ({ zone }))),
    network: (from, to) => (from === to ? 0.5 : 2),
    rate: RATE,
    duration: DURATION[effort],
    slot: SLOT,
    client: watched,
    faults: [loss],
  });
  const ids = first(ZONES.length * SERVERS);
  const loads = report.timeline.map(({ at }, slot) => {
    const alive = at < LOSS ? ids : ids.slice(LOST.length);
    const calls = (ids: readonly number[]): number => sum(ids.map(id => report.servers[id]!.timeline[slot]!));
    const own = ids.slice(LOST.length, SERVERS);
    return { at, load: (calls(own) / own.length / calls(alive)) * alive.length };
  });
  const of = (from: number, until = Infinity): number[] =>
    loads.filter(({ at }) => at >= from && at < until).map(({ load }) => load);
  const mean = (values: readonly number[]): number => sum(values) / values.length;
  return {
    report,
    loads,
    early: mean(of(LOSS, from)),
    load: mean(of(from)),
    peak: largest(of(from)),
    away: new Map([...calls].map(([zone, { all, away }]) => [zone, away / all])),
    awayBefore: before.away / before.all,
  };
}

export const zones: Scenario = {
  id: 'zones',
  title: 'The own zone loses half its servers',
  text: `3 zones with ${SERVERS} servers and 10 or 30 clients each, load 0.5; zone a loses 5 servers. With a ceiling of ${CEILING} it may carry ${CEILING} times the mean of those left, so a quarter of its calls have to leave it. Results count from when all clients can know who is dead, for which each has to call each dead server twice: ${told(known(CLIENTS) - LOSS, 'ms')} after the loss with 10 clients in a zone, ${told(known(MANY) - LOSS, 'ms')} with 30.`,
  async run(effort): Promise<Finding> {
    const results: { contender: Contender; loss: string; result: Result }[] = [];
    for (const [loss, fault] of Object.entries(LOSSES)) {
      for (const contender of CONTENDERS)
        if (effort === 'full' || (contender.held && (contender.clients === CLIENTS || loss !== GONE)))
          results.push({ contender, loss, result: await run(fault, contender, effort) });
    }
    const bars = results
      .filter(({ contender }) => contender.held)
      .flatMap(({ contender, loss, result }): Bar[] => {
        const where = `${contender.clients} clients, servers ${loss}`;
        return [
          {
            what: `load of a server left in zone a, by the mean, ${where}`,
            why: `the ceiling, and ${told(0.02, '%')} for chance: it decides on each call whether it leaves`,
            value: result.load,
            most: CEILING * 1.02,
            unit: '×',
          },
          {
            what: `the same in the worst half second, ${where}`,
            why: `the ceiling, and four standard deviations of ${told(CHANCE, '%')} for so few calls`,
            value: result.peak,
            most: CEILING * (1 + 4 * CHANCE),
            unit: '×',
          },
          {
            what: `calls that leave zone a, ${where}`,
            why: `1 - ${CEILING} × (5 / 25) / (1 / 3) = ${told(NEEDED, '%')} have to, and some more do when all servers in the zone happen to be busy`,
            value: result.away.get('a')!,
            most: NEEDED + 0.03,
            unit: '%',
          },
          {
            what: `calls that leave zone b, ${where}`,
            why: 'none has to; when all servers in the zone happen to be busy, a few do',
            value: result.away.get('b')!,
            most: 0.01,
            unit: '%',
          },
          {
            what: `failed calls of all after the loss, ${where}`,
            why: 'six tries that all meet the dead half, by clients that have yet to learn; with a registry that knows, none',
            value: result.report.failures / callsFrom(result.report, LOSS),
            most: loss === GONE ? 0 : 0.0002,
            unit: '%',
          },
        ];
      });
    return {
      bars,
      tables: [
        {
          head: [
            'balancer',
            'clients',
            'the servers are',
            'load left in a until known',
            'load left in a',
            'worst half second',
            'leave a before',
            'leave a',
            'leave b',
            'p99 in ms',
            'failed',
          ],
          rows: results.map(({ contender: { name, clients }, loss, result }) => [
            name,
            clients,
            loss,
            told(result.early, '×'),
            told(result.load, '×'),
            told(result.peak, '×'),
            told(result.awayBefore, '%'),
            told(result.away.get('a')!, '%'),
            told(result.away.get('b')!, '%'),
            result.report.latency.p99,
            result.report.failures,
          ]),
        },
      ],
      charts: [
        {
          title: 'Load of the servers left in zone a, by the mean',
          x: 's',
          y: 'times the mean',
          marks: [{ y: CEILING, name: 'ceiling' }],
          spans: [{ from: LOSS / 1000, until: DURATION[effort] / 1000, name: 'half of zone a gone' }],
          series: results
            .filter(({ contender: { name, clients } }) => name !== 'no zones' && clients === CLIENTS)
            .map(({ contender, loss, result }) => ({
              name: `${contender.name.slice(12)}, ${loss.slice(0, 4)}`,
              points: result.loads.map(({ at, load }) => [(at + SLOT / 2) / 1000, load] as const),
            })),
        },
      ],
    };
  },
};
