import { callsFrom, clients, type MakeBalancer, trial } from '../lab.ts';
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
const CLIENTS = 30;
const CEILING = 1.25;
const LOSS = 6000;
/** By then everybody has found out. */
const SETTLED = 10_000;
const DURATION: Record<Effort, number> = { brief: 16_000, full: 30_000 };
const SLOT = 500;

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

type Zoned = (zone: string) => MakeBalancer | undefined;

const CONTENDERS: Readonly<Record<string, Zoned>> = {
  'preferZone, ceiling 1.25': zone => () => preferZone(() => leastRequest(), { zone, ceiling: CEILING }),
  'preferZone, ceiling 2': zone => () => preferZone(() => leastRequest(), { zone, ceiling: 2 }),
  'no zones': () => undefined,
};

interface Result {
  readonly report: SimulationReport;
  /** Zone a's load per server that is left, by the mean of all that are, in the worst slot once settled. */
  readonly overload: number;
  /** The share of calls that go to another zone, once settled, by the zone they come from. */
  readonly away: ReadonlyMap<string, number>;
  readonly awayBefore: number;
}

async function run(loss: SimulatedFault, zoned: Zoned, effort: Effort): Promise<Result> {
  const calls = new Map(ZONES.map(zone => [zone, { all: 0, away: 0 }]));
  const before = { all: 0, away: 0 };
  const watched = (place: ClientPlace): SimulatedClient => {
    const zone = place.zone!;
    const client = clients({ balancer: zoned(zone) })(place);
    return {
      close: () => client.close(),
      run: (task, options) =>
        client.run((endpoint, signal, call) => {
          const now = place.env.clock.now();
          const count = now < LOSS ? before : now < SETTLED ? undefined : calls.get(zone);
          if (count !== undefined) {
            count.all++;
            if (endpoint.zone !== zone) count.away++;
          }
          return task(endpoint, signal, call);
        }, options),
    };
  };
  const report = await trial({
    clients: CLIENTS,
    clientZones: ZONES,
    servers: ZONES.flatMap(zone => Array.from({ length: SERVERS }, () => ({ zone }))),
    network: (from, to) => (from === to ? 0.5 : 2),
    load: 0.5,
    duration: DURATION[effort],
    slot: SLOT,
    client: watched,
    faults: [loss],
  });
  const overloads = report.timeline.flatMap(({ at, attempts }, slot) => {
    if (at < SETTLED) return [];
    let own = 0;
    for (let server = LOST.length; server < SERVERS; server++) own += report.servers[server]!.timeline[slot]!;
    return [(own / (SERVERS - LOST.length) / attempts) * (ZONES.length * SERVERS - LOST.length)];
  });
  return {
    report,
    overload: overloads.reduce((total, each) => total + each, 0) / overloads.length,
    away: new Map([...calls].map(([zone, { all, away }]) => [zone, away / all])),
    awayBefore: before.away / before.all,
  };
}

export const zones: Scenario = {
  id: 'zones',
  title: 'The own zone loses half its servers',
  text: `3 zones with ${SERVERS} servers and 10 clients each, load 0.5; zone a loses 5 servers. With a ceiling of ${CEILING} it may carry ${CEILING} times the mean of those left, so a quarter of its calls have to leave it.`,
  async run(effort): Promise<Finding> {
    const results: { name: string; loss: string; result: Result }[] = [];
    for (const [loss, fault] of Object.entries(LOSSES)) {
      for (const name of effort === 'full' ? Object.keys(CONTENDERS) : ['preferZone, ceiling 1.25'])
        results.push({ name, loss, result: await run(fault, CONTENDERS[name]!, effort) });
    }
    const bars = results
      .filter(({ name }) => name === 'preferZone, ceiling 1.25')
      .flatMap(({ loss, result }): Bar[] => [
        {
          what: `load of a server left in zone a, by the mean, ${loss}`,
          why: `the ceiling, and ${told(0.02, '%')} for chance: it decides on each call whether it leaves`,
          value: result.overload,
          // Where the dead are registered still, some clients' breakers open seconds after the others'.
          most: CEILING * (loss === GONE ? 1.02 : 1.2),
          unit: '×',
        },
        {
          what: `calls that leave zone a, ${loss}`,
          why: `1 - ${CEILING} × (5 / 25) / (1 / 3) = ${told(NEEDED, '%')} have to, and some more do when all servers in the zone happen to be busy`,
          value: result.away.get('a')!,
          most: NEEDED + 0.03,
          unit: '%',
        },
        {
          what: `calls that leave zone b, ${loss}`,
          why: 'none has to; when all servers in the zone happen to be busy, a few do',
          value: result.away.get('b')!,
          most: 0.01,
          unit: '%',
        },
        {
          what: `failed calls of all after the loss, ${loss}`,
          why: 'three tries that all meet the dead half, by clients that have yet to learn; with a registry that knows, none',
          value: result.report.failures / callsFrom(result.report, LOSS),
          most: loss === GONE ? 0 : 0.001,
          unit: '%',
        },
      ]);
    return {
      bars,
      tables: [
        {
          head: [
            'balancer',
            'the servers are',
            'load left in a',
            'leave a before',
            'leave a',
            'leave b',
            'p99 in ms',
            'failed',
          ],
          rows: results.map(({ name, loss, result }) => [
            name,
            loss,
            told(result.overload, '×'),
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
            .filter(({ name }) => name !== 'no zones')
            .map(({ name, loss, result: { report } }) => ({
              name: `${name.slice(12)}, ${loss.slice(0, 4)}`,
              points: report.timeline.map(({ at, attempts }, slot) => {
                let own = 0;
                for (let server = LOST.length; server < SERVERS; server++)
                  own += report.servers[server]!.timeline[slot]!;
                const healthy = ZONES.length * SERVERS - (at < LOSS ? 0 : LOST.length);
                return [
                  (at + SLOT / 2) / 1000,
                  (own / (SERVERS - LOST.length) / attempts) * healthy,
                ] as const;
              }),
            })),
        },
      ],
    };
  },
};
