import { clients, first, largest, type MakeBalancer, sum, trial } from '../lab.ts';
import {
  type ClientPlace,
  createMaglev,
  createRendezvous,
  createRing,
  maglev,
  type Placement,
  rendezvous,
  ring,
  type SimulatedClient,
  type SimulationReport,
} from '../library.ts';
import { type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const SERVERS = 20;
const FACTOR = 1.25;
/** So many calls are in flight at each server in the mean: enough that whole numbers matter little. */
const MEAN = 40;
/** Work and network together, in ms. */
const HOLDING = 10.5;
const KEYS = 10_000;
const WARMUP = 500;
const DURATION: Record<Effort, number> = { brief: 1500, full: 4000 };
const IDS = first(SERVERS).map(number => `server-${String(number).padStart(2, '0')}`);

interface Contender {
  readonly balancer: MakeBalancer;
  /** Who owns a key as long as there is room. */
  readonly owners: Placement;
}

const CONTENDERS: Readonly<Record<string, Contender>> = {
  'ring, no bound': { balancer: () => ring(), owners: createRing(IDS) },
  'ring, walking on': { balancer: () => ring({ boundedLoad: FACTOR }), owners: createRing(IDS) },
  'ring, jumping': {
    balancer: () => ring({ boundedLoad: FACTOR, overflow: 'jump' }),
    owners: createRing(IDS),
  },
  maglev: { balancer: () => maglev({ boundedLoad: FACTOR }), owners: createMaglev(IDS) },
  rendezvous: { balancer: () => rendezvous({ boundedLoad: FACTOR }), owners: createRendezvous(IDS) },
};
const BOUNDED = Object.keys(CONTENDERS).slice(1);
const FEW = ['ring, walking on', 'ring, jumping'];

/** The n-th key is asked for in proportion to 1 / n (Zipf): the first by 10 % of calls, twice a server's fair share. */
const zipf = (() => {
  const sums = new Float64Array(KEYS);
  for (let i = 0; i < KEYS; i++) sums[i] = (i > 0 ? sums[i - 1]! : 0) + 1 / (i + 1);
  return (random: () => number): string => {
    const spot = random() * sums[KEYS - 1]!;
    let low = 0;
    let high = KEYS - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > spot) high = middle;
      else low = middle + 1;
    }
    return `user:${low}`;
  };
})();

interface Result {
  readonly report: SimulationReport;
  /** By how many calls any member ever was above its bound. */
  readonly above: number;
  /** The share of calls that did not go to the key's owner. */
  readonly displaced: number;
  /** The share that finds its owner full even if no owner ever takes in the others' keys. */
  readonly least: number;
}

async function run({ balancer, owners }: Contender, effort: Effort): Promise<Result> {
  const numbers = new Map(IDS.map((id, i) => [id, i]));
  const inFlight = new Float64Array(SERVERS);
  const demand = new Float64Array(SERVERS);
  let total = 0;
  let above = 0;
  let displaced = 0;
  const watched = (place: ClientPlace): SimulatedClient => {
    const client = clients({ balancer, policies: [] })(place);
    return {
      close: () => client.close(),
      run: (task, options) =>
        client.run(async (endpoint, signal, call) => {
          const i = numbers.get(endpoint.id)!;
          inFlight[i]!++;
          total++;
          if (place.env.clock.now() >= WARMUP) {
            above = Math.max(above, inFlight[i]! - Math.max(1, Math.ceil((FACTOR * total) / SERVERS)));
            const owner = numbers.get(owners.get(options!.key!)!)!;
            demand[owner]!++;
            if (owner !== i) displaced++;
          }
          try {
            return await task(endpoint, signal, call);
          } finally {
            inFlight[i]!--;
            total--;
          }
        }, options),
    };
  };
  const report = await trial({
    clients: 1,
    servers: SERVERS,
    server: { concurrency: 4 * MEAN },
    rate: (SERVERS * MEAN * 1000) / HOLDING,
    duration: DURATION[effort],
    warmup: WARMUP,
    key: zipf,
    client: watched,
  });
  const calls = sum([...demand]);
  const lost = [...demand].map(each => each * blocked((each / calls) * SERVERS * MEAN, FACTOR * MEAN));
  return { report, above, displaced: displaced / calls, least: sum(lost) / calls };
}

/** Erlang's loss formula: the share of calls that find so many lines busy, whatever the distribution of their length. */
function blocked(load: number, lines: number): number {
  let share = 1;
  for (let line = 1; line <= lines; line++) share = (load * share) / (line + load * share);
  return share;
}

export const bounded: Scenario = {
  id: 'bounded',
  title: 'Bounded loads: keys of very different weight',
  text: `One client, 20 servers, ${SERVERS * MEAN} calls in flight in the mean, keys by Zipf: the first of ${KEYS} is a tenth of all calls, two servers' worth. The bound is ${FACTOR} times the mean. It can only be kept of what a client knows: its own calls.`,
  async run(effort): Promise<Finding> {
    const results: { name: string; result: Result }[] = [];
    for (const name of effort === 'full' ? Object.keys(CONTENDERS) : FEW)
      results.push({ name, result: await run(CONTENDERS[name]!, effort) });
    return {
      bars: results
        .filter(({ name }) => BOUNDED.includes(name))
        .flatMap(({ name, result }) => [
          {
            what: `calls in flight above ${FACTOR} times the mean at any time, ${name}`,
            why: 'rounded up to whole calls, the one that is being placed included',
            value: Math.max(0, result.above),
            most: 0,
          },
          {
            what: `most calls that any member gets, by the mean, ${name}`,
            why: 'who never has more than that in flight does not get more, but for 2 % of chance: its calls may be the shorter ones',
            value: mostOf(result.report),
            most: FACTOR * 1.02,
            unit: '×' as const,
          },
          {
            what: `calls that do not go to their key’s owner, by the least possible, ${name}`,
            why: 'the least by Erlang’s loss formula, if no owner ever had to take in the keys of others; they do take room',
            value: result.displaced / result.least,
            most: 1.5,
            unit: '×' as const,
          },
        ]),
      tables: [
        {
          head: [
            'balancer',
            'most calls / mean',
            'in flight at most',
            'not to the owner',
            'least possible',
            'p99 in ms',
          ],
          rows: results.map(({ name, result: { report, displaced, least } }) => [
            name,
            told(mostOf(report), '×'),
            largest(report.servers.map(({ mostInFlight }) => mostInFlight)),
            told(displaced, '%'),
            told(name === 'ring, no bound' ? 0 : least, '%'),
            report.latency.p99,
          ]),
        },
      ],
      charts: [
        {
          title: 'Calls to each of 20 servers, ranked',
          x: 'server, by rank',
          y: 'times the mean',
          marks: [{ y: FACTOR, name: 'bound' }],
          series: results.map(({ name, result }) => ({
            name,
            points: result.report.servers
              .map(({ share }) => share * SERVERS)
              .sort((a, b) => b - a)
              .map((share, rank) => [rank + 1, share] as const),
          })),
        },
      ],
    };
  },
};

const mostOf = ({ servers }: SimulationReport): number =>
  largest(servers.map(({ share }) => share * SERVERS));
