import { clients, first, type MakeBalancer, shareOf, trial } from '../lab.ts';
import { Call, type ClientPlace, p2c, roundRobin, type SimulationReport } from '../library.ts';
import { type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const FROM = 3000;
/** So many ms later all of the broken must be refused. */
const SOON = 2000;
const AFTERWARDS = 8000;
const SETS = [
  { servers: 5, broken: 2 },
  { servers: 20, broken: 5 },
];
/** Calls a second that a client makes for each server of the set. */
const RATES: Record<Effort, readonly number[]> = { brief: [50], full: [2, 10, 50] };
const CLIENTS = 10;

const CONTENDERS: Readonly<Record<string, MakeBalancer | undefined>> = {
  default: undefined,
  'p2c in flight': () => p2c(),
  roundRobin: () => roundRobin(),
};

interface Result {
  readonly report: SimulationReport;
  /** The share of the broken that a client refuses in the mean, `SOON` after they broke. */
  readonly refused: number;
  /** How often any client has refused a healthy one. */
  readonly wronged: number;
}

async function run(
  servers: number,
  broken: number,
  rate: number,
  balancer: MakeBalancer | undefined,
): Promise<Result> {
  const bad = first(broken);
  let refused = 0;
  let wronged = 0;
  const isBad = (id: string): boolean => bad.includes(Number(id.split('-')[1]));
  const watched = (place: ClientPlace) => {
    const client = clients({
      balancer,
      observer: {
        breaker({ member, to }) {
          if (to === 'open' && !isBad(member.endpoint.id)) wronged++;
        },
      },
    })(place);
    place.env.clock.after(FROM + SOON, () => {
      for (const { id, breaker, share } of client.pool.explain(new Call()).members)
        if (isBad(id) && (breaker !== 'closed' || share === 0)) refused++;
    });
    return client;
  };
  const report = await trial({
    clients: CLIENTS,
    servers,
    server: { concurrency: 16 },
    rate: CLIENTS * servers * rate,
    duration: FROM + SOON + AFTERWARDS,
    client: watched,
    faults: [{ kind: 'failing', servers: bad, from: FROM }],
  });
  return { report, refused: refused / CLIENTS / broken, wronged };
}

export const failing: Scenario = {
  id: 'failing',
  title: 'Several servers fail every call',
  text: `2 of 5 and 5 of 20 servers fail every call within 1 ms, from the third second on; ${CLIENTS} clients. Refused: no call goes there while another member takes it, for the client's breaker is not closed, or for what its failures make it cost. Where cost keeps calls away, a breaker that waits for five failures in a row may never see them.`,
  async run(effort): Promise<Finding> {
    const rates = RATES[effort];
    const results = new Map<string, Result>();
    const names = effort === 'full' ? Object.keys(CONTENDERS) : ['default', 'roundRobin'];
    const key = (name: string, servers: number, rate: number): string => `${name} ${servers} ${rate}`;
    for (const name of names) {
      for (const { servers, broken } of SETS)
        for (const rate of rates)
          results.set(key(name, servers, rate), await run(servers, broken, rate, CONTENDERS[name]));
    }
    return {
      bars: ['default', 'roundRobin'].flatMap(name =>
        SETS.flatMap(({ servers, broken }) => {
          const { report, refused, wronged } = results.get(key(name, servers, rates.at(-1)!))!;
          return [
            {
              what: `of ${broken} broken ones of ${servers}, refused ${told(SOON / 1000, 's')} after they broke, ${name}`,
              why: 'all of them, however many: nobody is compared with the others, so the broken cannot hide among themselves',
              value: refused,
              least: 1,
              unit: '%' as const,
            },
            {
              what: `healthy ones of ${servers} refused, ${name}`,
              why: 'none of them has failed',
              value: wronged,
              most: 0,
            },
            {
              what: `calls that the ${broken} of ${servers} still get from then on, ${name}`,
              why: 'one now and then, to find out whether they are well again',
              value: shareOf(report, first(broken), FROM + SOON),
              most: 0.01,
              unit: '%' as const,
            },
          ];
        }),
      ),
      tables: [
        {
          title: `Broken ones refused after ${told(SOON / 1000, 's')}; share of calls they get from then on; failed calls`,
          head: [
            'balancer',
            ...SETS.flatMap(({ servers, broken }) =>
              rates.map(rate => `${broken} of ${servers}, ${rate}/s each`),
            ),
          ],
          rows: names.map(name => [
            name,
            ...SETS.flatMap(({ servers, broken }) =>
              rates.map(rate => {
                const { report, refused } = results.get(key(name, servers, rate))!;
                const share = shareOf(report, first(broken), FROM + SOON);
                return `${told(refused, '%')}; ${told(share, '%')}; ${report.failures}`;
              }),
            ),
          ]),
        },
      ],
      charts: [],
    };
  },
};
