import type { Balancer, Preference } from '../balancer/balancer.ts';
import { fixed } from '../discovery/discovery.ts';
import type { Breaker, BreakerState } from '../model/breaker.ts';
import { Call } from '../model/call.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { noLoad } from '../model/load.ts';
import { Member, type Site } from '../model/member.ts';
import { Pool } from '../pool.ts';
import { endpoints, keys, membershipChanges } from './arbitraries.ts';
import type { Arbitrary, FastCheck } from './fast-check.ts';
import { type Law, type LawOptions, law, lawAsync, must, shown } from './law.ts';
import { loadLaws } from './load-laws.ts';
import { callAvoiding, members, testEnv } from './members.ts';

export interface BalancerLawOptions extends LawOptions {
  /**
   * How calls without a key are shared out while all members are idle: by weight, alike whatever the weight,
   * or in some other way, such as by priority. Default: `'weight'`.
   */
  readonly shares?: 'weight' | 'even' | false | undefined;
  /**
   * By how much of itself a member's share may be off. A member is due at least 3300 calls here, a number whose
   * standard deviation is 1.7 % where chance decides. Default: 0.1.
   */
  readonly tolerance?: number | undefined;
}

/**
 * What every balancer owes its pool, to test your own by:
 *
 * ```ts
 * for (const { name, run } of balancerLaws(fc, () => myBalancer())) test(name, run);
 * ```
 *
 * A balancer that takes chance from anywhere but the `env` it is given breaks them.
 */
export function balancerLaws(
  fc: FastCheck,
  make: () => Balancer,
  { shares = 'weight', tolerance = 0.1, fastCheck }: BalancerLawOptions = {},
): Law[] {
  const set = endpoints(fc, { maxLength: 40 });
  const some = keys(fc, { minLength: 0, maxLength: 8 });
  const marks = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 40, maxLength: 40, size: 'max' });
  const seed = fc.integer({ min: 0, max: 1e6 });
  const laws = [
    law(
      fc,
      fastCheck,
      'a refused member is never picked while another is not',
      fc.tuple(set, some, marks, seed),
      ([all, each, marked, chance]) => {
        const { pick, of } = bench(make(), all, chance);
        const tried = of.filter((_, i) => marked[i] === 1);
        of.forEach((member, i) => {
          if (marked[i] === 2) (member.breaker as Gate).refuse();
        });
        const rest = of.filter((_, i) => (marked[i] ?? 0) === 0);
        for (const key of [undefined, ...each, undefined]) {
          const picked = pick(callAvoiding(tried, { key }));
          if (rest.length === 0)
            must(picked === undefined, () => `${name(picked)} is refused, and was picked`);
          else must(rest.includes(picked!), () => `${name(picked)} was picked, not one of ${rest.map(name)}`);
        }
      },
    ),
    law(
      fc,
      fastCheck,
      'when all members are refused, nobody is picked',
      fc.tuple(set, some, seed),
      ([all, each, chance]) => {
        const { pick, of } = bench(make(), all, chance);
        for (const key of [undefined, ...each]) {
          const picked = pick(callAvoiding(of, { key }));
          must(picked === undefined, () => `${name(picked)} is refused, and was picked`);
        }
      },
    ),
    law(
      fc,
      fastCheck,
      'alone in its set, a member is picked every time',
      fc.tuple(endpoints(fc, { maxLength: 1 }), some, seed),
      ([all, each, chance]) => {
        const { pick, of } = bench(make(), all, chance);
        for (const key of [undefined, ...each]) {
          const picked = pick(new Call({ key }));
          must(picked === of[0], () => `${name(picked)} was picked, not ${name(of[0])}`);
        }
      },
    ),
    law(
      fc,
      fastCheck,
      'a member that has left is not picked any more',
      fc.tuple(membershipChanges(fc), some, seed),
      ([changes, each, chance]) => {
        const balancer = make();
        const env = testEnv(chance);
        let present = new Map<string, Member>();
        for (const { endpoints: now } of changes) {
          present = new Map(now.map(endpoint => [endpoint.id, kept(present, endpoint, balancer)]));
          if (present.size === 0) continue;
          const sorted = [...present.values()].sort((a, b) => (a.endpoint.id < b.endpoint.id ? -1 : 1));
          const picker = balancer.picker(sorted, env);
          for (const key of [undefined, ...each]) {
            const picked = picker(new Call({ key }), env.clock.now());
            must(
              sorted.includes(picked!),
              () => `${name(picked)} was picked, not one of ${sorted.map(name)}`,
            );
            picked!.begin({ clock: env.clock, observer: undefined }, env.clock.now());
          }
        }
      },
    ),
    law(
      fc,
      fastCheck,
      'explaining changes nothing, and who is picked has been named, with shares that add up to one',
      fc.tuple(set, some, marks, seed),
      ([all, each, marked, chance]) => {
        const [asked, silent] = [bench(make(), all, chance), bench(make(), all, chance)];
        for (const { of } of [asked, silent])
          of.forEach((member, i) => {
            if (marked[i] === 2) (member.breaker as Gate).refuse();
          });
        for (const key of [undefined, ...each, undefined]) {
          const call = new Call({ key });
          const explained = asked.explain?.(call);
          const again = asked.explain?.(call);
          must(
            explained?.map(({ member }) => name(member)).join() ===
              again?.map(({ member }) => name(member)).join(),
            () => `asked twice it explains otherwise`,
          );
          const picked = asked.pick(new Call({ key }));
          const other = silent.pick(new Call({ key }));
          must(
            name(picked) === name(other),
            () => `${name(picked)} is picked once explained, else ${name(other)}`,
          );
          if (explained === undefined || picked === undefined) continue;
          const named = explained.find(({ member }) => member === picked);
          must(named !== undefined, () => `${name(picked)} was picked, and not named`);
          must(named?.share !== 0, () => `${name(picked)} was picked, whose share was to be 0`);
          const sum = explained.reduce((total, { share = 0 }) => total + share, 0);
          const told = explained.some(({ share }) => share !== undefined);
          must(!told || Math.abs(sum - 1) < 1e-6, () => `the shares add up to ${sum}`);
        }
      },
    ),
    lawAsync(
      fc,
      fastCheck,
      'the order in which discovery names the endpoints makes no difference',
      fc.tuple(endpoints(fc, { minLength: 2, drained: true }), some, seed),
      async ([all, each, chance]) => {
        const calls = [undefined, ...each, undefined, undefined];
        const one = await sequence(make(), all, calls, chance);
        const other = await sequence(make(), [...all].reverse(), calls, chance);
        must(
          one.join() === other.join(),
          () => `${one.map(shown)} were picked, and in reverse ${other.map(shown)}`,
        );
      },
    ),
  ];
  if (make().load !== undefined)
    laws.push(...loadLaws(fc, () => make().load!(testEnv()), { ...(fastCheck && { fastCheck }) }));
  if (shares === false) return laws;
  return [
    ...laws,
    {
      name: 'balancers made afresh do not all begin with the same member',
      run() {
        const firsts = new Set<string | undefined>();
        for (let i = 0; i < 64; i++) firsts.add(name(bench(make(), EIGHT, i).pick(new Call())));
        must(firsts.size >= 4, () => `64 of them began with no more than ${[...firsts]}`);
      },
    },
    {
      name: `calls are shared out ${shares === 'even' ? 'evenly' : 'by weight'}`,
      run: () => shared(make(), [], shares, tolerance),
    },
    {
      name: `the calls of refused members are shared out among all others ${shares === 'even' ? 'evenly' : 'by weight'}`,
      run() {
        // The first, one in the middle, the last, and several.
        for (const refused of [[0], [2], [4], [0, 1, 3]])
          shared(
            make(),
            refused.map(i => WEIGHED[i]!.id),
            shares,
            tolerance,
          );
      },
    },
    law(
      fc,
      fastCheck,
      'a set made anew before each call starves nobody',
      // Twenty rounds: chance passes a member over with a probability of e^-20.
      fc.tuple(weights(fc), seed),
      ([each, chance]) => {
        const set = each.map((weight, i) => ({ id: `member-${i}`, weight }));
        const balancer = make();
        const { of, env } = bench(balancer, set, chance);
        const left = new Set(of);
        const round = shares === 'even' ? each.length : each.reduce((a, b) => a + b, 0) / Math.min(...each);
        for (let i = 0; i < 20 * round && left.size > 0; i++)
          left.delete(balancer.picker(of, env)(new Call(), 0)!);
        must(left.size === 0, () => `${[...left].map(name)} had no call in twenty rounds`);
      },
      30,
    ),
  ];
}

const EIGHT = Array.from({ length: 8 }, (_, i) => ({ id: `member-${i}` }));
const WEIGHED = [5, 3, 2, 1, 1].map((weight, i) => ({ id: `member-${i}`, weight }));
const PICKS = 40_000;

const name = (member: Member | undefined): string | undefined => member && shown(member.endpoint.id);

const weights = (fc: FastCheck): Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 4, size: 'max' });

interface Bench {
  readonly of: readonly Member[];
  readonly env: ReturnType<typeof testEnv>;
  /** Picks, and begins an attempt as a pool does. */
  pick(call: Call): Member | undefined;
  readonly explain: ((call: Call) => readonly Preference[]) | undefined;
}

function bench(balancer: Balancer, set: Parameters<typeof members>[0], seed: number): Bench {
  const env = testEnv(seed);
  const site: Site = { clock: env.clock, observer: undefined };
  const of = members(set, { balancer, breaker: () => new Gate(), env });
  const picker = balancer.picker(of, env);
  return {
    of,
    env,
    pick(call) {
      const picked = picker(call, env.clock.now());
      picked?.begin(site, env.clock.now());
      return picked;
    },
    explain: picker.explain && (call => picker.explain!(call, env.clock.now())),
  };
}

/** A breaker opened by hand. */
class Gate implements Breaker {
  state: BreakerState = 'closed';
  epoch = 0;
  refuse(): void {
    this.state = 'open';
  }
  allows(): boolean {
    return this.state === 'closed';
  }
  begin(): void {}
  end(): void {}
}

/** The member there is, if there is one, as a pool keeps it. */
function kept(present: ReadonlyMap<string, Member>, endpoint: Endpoint, balancer: Balancer): Member {
  const member =
    present.get(endpoint.id) ?? new Member(endpoint, balancer.load?.(testEnv()) ?? noLoad, new Gate());
  member.update(endpoint);
  return member;
}

/** Who is called, in turn, in a pool whose discovery gives this set. */
async function sequence(
  balancer: Balancer,
  set: readonly Endpoint[],
  calls: readonly (string | undefined)[],
  seed: number,
): Promise<string[]> {
  const pool = new Pool({ discovery: fixed(set), balancer, env: testEnv(seed) });
  await pool.ready();
  const picked = calls.map(key => pool.pick(new Call({ key })).endpoint.id);
  pool.close();
  return picked;
}

function shared(
  balancer: Balancer,
  refused: readonly string[],
  by: 'weight' | 'even',
  tolerance: number,
): void {
  const env = testEnv();
  const of = members(WEIGHED, { balancer, env });
  const picker = balancer.picker(of, env);
  const call = callAvoiding(of.filter(({ endpoint }) => refused.includes(endpoint.id)));
  const picks = new Map<Member | undefined, number>();
  for (let i = 0; i < PICKS; i++) {
    const picked = picker(call, 0);
    picks.set(picked, (picks.get(picked) ?? 0) + 1);
  }
  const rest = of.filter(member => !call.tried.includes(member));
  const due = (member: Member): number => (by === 'even' ? 1 : member.weight);
  const total = rest.reduce((sum, member) => sum + due(member), 0);
  for (const member of rest) {
    const ratio = (picks.get(member) ?? 0) / PICKS / (due(member) / total);
    must(Math.abs(ratio - 1) <= tolerance, () => {
      const without = refused.length > 0 ? ` while ${refused.map(shown)} was refused` : '';
      return `${name(member)} had ${ratio.toFixed(2)} times its due${without}`;
    });
  }
}
