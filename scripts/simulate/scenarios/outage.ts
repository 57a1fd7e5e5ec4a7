import { byChance, type Client, callsFrom, clients, failuresFrom, first, largest, trial } from '../lab.ts';
import type { SimulatedFault, SimulationReport } from '../library.ts';
import { type Bar, type Effort, type Finding, type Scenario, told } from '../scenario.ts';

/** Calls a second that a server can do, and the share of them that is asked for. */
const EACH = 400;
const LOAD = 0.4;
/** What a client's retry budget grants in any case, in so many seconds. */
const FLOOR = 100;
const WINDOW = 10;
const FROM = 3000;
const SLOT = 500;
const LASTS: Record<Effort, number> = { brief: 5000, full: 30_000 };
const AFTER: Record<Effort, number> = { brief: 4000, full: 20_000 };
const SERVERS: Record<Effort, number> = { brief: 3, full: 12 };
/** Of a partial outage: the first moment, in which clients find out. */
const SOON = 500;

const PANIC = 'panic';
const NO_PANIC = 'no panic';

const CONTENDERS: Readonly<Record<string, Client>> = {
  [PANIC]: {},
  [NO_PANIC]: { panic: false },
};

async function run(options: Client, fault: SimulatedFault['kind'], dead: number, effort: Effort) {
  const count = SERVERS[effort];
  const servers = first(count).slice(0, dead);
  const until = FROM + LASTS[effort];
  return trial({
    clients: count,
    servers: count,
    load: LOAD,
    duration: until + AFTER[effort],
    slot: SLOT,
    client: clients({ ...options, attemptTimeout: 1000 }),
    faults: [{ kind: fault as 'dead', servers, from: FROM, until }],
  });
}

/** What the retry budgets grant until it is over, with the first attempts, by calls. */
function granted(report: SimulationReport, effort: Effort): number {
  const until = FROM + LASTS[effort];
  const floors = SERVERS[effort] * FLOOR * Math.max(1, until / 1000 / WINDOW);
  return 1.2 + floors / callsOf(report, 0, until);
}

/** How long after its end the last slot in which a call failed ended, in s. */
function recovery({ timeline }: SimulationReport, effort: Effort): number {
  const until = FROM + LASTS[effort];
  const last = timeline.findLast(({ failures }) => failures > 0);
  return Math.max(0, (last!.at + SLOT - until) / 1000);
}

/** The most attempts a server was sent in a slot once it is over, by its share of the calls. */
const flood = ({ servers, timeline }: SimulationReport, effort: Effort): number =>
  largest(
    servers.flatMap(each => each.timeline.filter((_, slot) => timeline[slot]!.at >= FROM + LASTS[effort])),
  ) /
  ((EACH * LOAD * SLOT) / 1000);

/** Attempts by calls until it is over. Those made before it count: they have paid for retries. */
function attempts({ timeline }: SimulationReport, effort: Effort): number {
  const slots = timeline.filter(({ at }) => at < FROM + LASTS[effort]);
  return (
    slots.reduce((total, slot) => total + slot.attempts, 0) /
    slots.reduce((total, { calls }) => total + calls, 0)
  );
}

export const outage: Scenario = {
  id: 'outage',
  title: 'All servers are down, or a third, or half of them',
  text: `12 servers and 12 clients, load ${LOAD}. All servers are dead for ${told(LASTS.full / 1000, 's')} and then all well again, with an empty line; or a third or half of them are. With *panic*, the default, a client whose breakers all refuse calls any member all the same; without, it fails calls at once but for one probe for each member and open time.`,
  async run(effort): Promise<Finding> {
    const count = SERVERS[effort];
    const total = new Map<string, SimulationReport>();
    for (const [name, options] of Object.entries(CONTENDERS))
      total.set(name, await run(options, 'dead', count, effort));
    const parts: { name: string; report: SimulationReport }[] = [];
    for (const kind of effort === 'full'
      ? (['dead', 'unreachable', 'failing'] as const)
      : (['dead'] as const))
      for (const [name, share] of [
        ['a third', 1 / 3],
        ['half', 1 / 2],
      ] as const) {
        if (effort === 'brief' && share < 0.5) continue;
        parts.push({
          name: `${name} ${kind}`,
          report: await run({}, kind, Math.floor(count * share), effort),
        });
      }
    const bars = [...total].flatMap(([name, report]): Bar[] => [
      {
        what: `attempts per call until all are well again, ${name}`,
        why: `the budget: a fifth of the calls, and ${FLOOR} in ${told(WINDOW, 's')} by each client, which makes ${EACH * LOAD} calls a second; those before the outage have paid for retries, and count`,
        value: attempts(report, effort),
        most: granted(report, effort),
      },
      {
        what: `most that a server gets in half a second once all are well, ${name}`,
        why: 'in times of its share: as much as it can do; more would be a flood. Those who are found first get more than those whose failures are still held against them',
        value: flood(report, effort),
        most: 1 / LOAD,
        unit: '×',
      },
      {
        what: `until calls no longer fail, ${name}`,
        why:
          name === PANIC
            ? 'each call is a probe: the first slot of half a second that begins afterwards is whole'
            : 'a breaker is open for as long as the outage has lasted by then, give or take a fifth; the first probe of a dozen is due far sooner',
        value: recovery(report, effort),
        most: name === PANIC ? 0.5 : 12,
        unit: 's',
      },
    ]);
    for (const { name, report } of parts) {
      bars.push({
        what: `calls that fail later than ${told(SOON, 'ms')} after they went, ${name}`,
        why: 'by then each client knows them, and whoever meets one on a probe is tried again at another',
        value: failuresFrom(report, FROM + SOON),
        most: 0,
      });
      if (!name.endsWith('dead')) continue;
      const [before, , later] = p99s(report, effort);
      bars.push(
        {
          what: `calls that fail before that, ${name}`,
          why: 'of the calls of half a second: where half are dead and nothing is known, the six attempts of a call, at as many servers, all meet dead ones once in 924 times; and four standard deviations for so few calls',
          value: failuresFrom(report, FROM) / callsOf(report, FROM, FROM + SOON),
          most: byChance(1 / 924, callsOf(report, FROM, FROM + SOON)),
          unit: '%',
        },
        {
          what: `worst p99 of half a second later on, by the usual, ${name}`,
          why: `those left have up to twice as much to do: load ${2 * LOAD}, where a call waits for a worker now and then`,
          value: later / before,
          most: 1.75,
          unit: '×',
        },
      );
    }
    return {
      bars,
      tables: [
        {
          title: `All dead for ${told(LASTS[effort] / 1000, 's')}`,
          head: [
            '',
            'calls that fail',
            'attempts per call until then',
            'until none fails, in s',
            'most a server gets in half a second, by its share',
          ],
          rows: [...total].map(([name, report]) => [
            name,
            report.failures,
            attempts(report, effort).toFixed(2),
            recovery(report, effort),
            flood(report, effort),
          ]),
        },
        {
          title: 'Some of them; p99 in ms: before / in the first half second / in the worst later',
          head: ['', 'calls that fail', `of them later than ${told(SOON, 'ms')}`, 'attempts per call', 'p99'],
          rows: parts.map(({ name, report }) => [
            name,
            report.failures,
            failuresFrom(report, FROM + SOON),
            report.attemptsPerCall.toFixed(3),
            p99s(report, effort)
              .map(each => told(each))
              .join(' / '),
          ]),
        },
      ],
      charts: [],
    };
  },
};

const callsOf = (report: SimulationReport, from: number, until: number): number =>
  callsFrom(report, from) - callsFrom(report, until);

function p99s({ timeline }: SimulationReport, effort: Effort): readonly [number, number, number] {
  const worst = (from: number, until: number): number =>
    largest(timeline.filter(({ at }) => at >= from && at < until).map(({ latency }) => latency.p99));
  return [worst(1000, FROM), worst(FROM, FROM + SOON), worst(FROM + SOON, FROM + LASTS[effort])];
}
