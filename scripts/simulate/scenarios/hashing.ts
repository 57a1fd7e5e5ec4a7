import { first, largest } from '../lab.ts';
import { createMaglev, createRendezvous, createRing, jumpHash, type Placement } from '../library.ts';
import { type Effort, type Finding, type Scenario, told } from '../scenario.ts';

const MEMBERS = 100;
const KEYS: Record<Effort, number> = { brief: 100_000, full: 1_000_000 };

/** Says by number which member has a key. */
type Place = (key: string) => number;

const named = (make: (ids: readonly string[]) => Placement) => {
  return (members: readonly number[]): Place => {
    const placement = make(members.map(number => `10.0.0.${number}:8080`));
    const numbers = new Map(members.map(number => [`10.0.0.${number}:8080`, number]));
    return key => numbers.get(placement.get(key)!)!;
  };
};

const CONTENDERS: Readonly<Record<string, (members: readonly number[]) => Place>> = {
  'ring, 160 points': named(ids => createRing(ids)),
  'ring, 1000 points': named(ids => createRing(ids, { points: 1000 })),
  maglev: named(ids => createMaglev(ids)),
  rendezvous: named(ids => createRendezvous(ids)),
  jump: members => key => jumpHash(key, members.length),
};
/** Nothing has to move between those who stay. */
const STEADY = ['ring, 160 points', 'ring, 1000 points', 'rendezvous', 'jump'];
/** Which one goes. Of numbered shards only the last can. */
const gone = (name: string): number => (name === 'jump' ? MEMBERS - 1 : 41);

interface Moves {
  /** Of all keys. */
  readonly moved: number;
  /** Of all keys: between members that were there before and after. */
  readonly bystanders: number;
}

interface Result {
  readonly shares: readonly number[];
  readonly added: Moves;
  readonly removed: Moves;
}

function measure(name: string, keys: number): Result {
  const make = CONTENDERS[name]!;
  const members = first(MEMBERS);
  const leaver = gone(name);
  const before = make(members);
  const more = make([...members, MEMBERS]);
  const fewer = make(members.filter(number => number !== leaver));
  const counts = new Float64Array(MEMBERS);
  const added = { moved: 0, bystanders: 0 };
  const removed = { moved: 0, bystanders: 0 };
  for (let i = 0; i < keys; i++) {
    const key = `user:${i}`;
    const owner = before(key);
    const joined = more(key);
    const left = fewer(key);
    counts[owner]! += 1 / keys;
    if (joined !== owner) {
      added.moved += 1 / keys;
      if (joined !== MEMBERS) added.bystanders += 1 / keys;
    }
    if (left !== owner) {
      removed.moved += 1 / keys;
      if (owner !== leaver) removed.bystanders += 1 / keys;
    }
  }
  return { shares: [...counts], added, removed };
}

export const hashing: Scenario = {
  id: 'hashing',
  title: 'Where keys go: 100 servers',
  text: 'A million keys over 100 servers of equal weight, then over 101, then over 99. The ideal: each has a hundredth, a hundred-and-first moves to the newcomer, a hundredth moves away from who leaves, and nobody else’s keys move. Counting so many keys adds 1 % to each share in the one or other direction.',
  async run(effort): Promise<Finding> {
    const results = Object.keys(CONTENDERS).map(name => ({ name, ...measure(name, KEYS[effort]) }));
    const of = (name: string): (typeof results)[number] => results.find(result => result.name === name)!;
    return {
      bars: [
        ...STEADY.map(name => ({
          what: `bystanders’ keys moved, ${name}`,
          why: 'a member’s claims on keys depend on no other member',
          value: of(name).added.bystanders + of(name).removed.bystanders,
          most: 0,
          unit: '%' as const,
        })),
        {
          what: 'bystanders’ keys moved by one leaving, maglev',
          why: 'the field’s measured 0.57 % for 65 537 slots and 100 members; all tables of this kind move some',
          value: of('maglev').removed.bystanders,
          most: 0.01,
          unit: '%',
        },
        {
          what: 'largest share by the mean, ring, 160 points',
          why: '1 + 3 / √160 = 1.24 in the mean of many; the largest of one ring may be luckier or less so',
          value: largest(of('ring, 160 points').shares) * MEMBERS,
          most: 1.4,
          unit: '×',
        },
        ...['maglev', 'rendezvous', 'jump'].map(name => ({
          what: `largest share by the mean, ${name}`,
          why: 'even but for the chance of which keys there are: at most 4 deviations of 1 / √(keys for each)',
          value: largest(of(name).shares) * MEMBERS,
          most: 1 + 4 / Math.sqrt(KEYS[effort] / MEMBERS),
          unit: '×' as const,
        })),
      ],
      tables: [
        {
          head: [
            '',
            'largest / mean',
            'smallest / mean',
            'moved on +1',
            'bystanders',
            'moved on -1',
            'bystanders',
          ],
          rows: [
            ...results.map(({ name, shares, added, removed }) => [
              name,
              (largest(shares) * MEMBERS).toFixed(3),
              (Math.min(...shares) * MEMBERS).toFixed(3),
              told(added.moved, '%'),
              told(added.bystanders, '%'),
              told(removed.moved, '%'),
              told(removed.bystanders, '%'),
            ]),
            ['ideal', '1.000', '1.000', told(1 / (MEMBERS + 1), '%'), '0 %', told(1 / MEMBERS, '%'), '0 %'],
          ],
        },
      ],
      charts: [
        {
          title: 'Shares of 100 servers, ranked',
          x: 'server, by rank',
          y: 'times the mean',
          series: results.map(({ name, shares }) => ({
            name,
            points: [...shares]
              .sort((a, b) => b - a)
              .map((share, rank) => [rank + 1, share * MEMBERS] as const),
          })),
        },
      ],
    };
  },
};
