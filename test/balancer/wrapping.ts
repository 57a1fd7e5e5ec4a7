import {
  Acceptance,
  type Balancer,
  type Breaker,
  type BreakerState,
  Call,
  type Endpoint,
  type Env,
  type Member,
  type Picker,
} from 'fairlead/core';
import { members, seededRandom } from 'fairlead/testing';

/** A breaker moved by hand. */
export class Switch implements Breaker {
  state: BreakerState = 'closed';
  epoch = 0;
  due = false;
  allows(): boolean {
    return this.state === 'closed' || this.due;
  }
  begin(): void {}
  end(): void {}
}

export type Given = Partial<Endpoint> & Pick<Endpoint, 'id'>;

/** Members whose breakers and time move by hand, and their picker. */
export class Stage {
  readonly balancer: Balancer;
  now = 0;
  readonly env: Env = {
    clock: { now: () => this.now, after: () => () => {} },
    random: seededRandom(1),
  };
  readonly #known = new Map<string, Member>();
  of: readonly Member[] = [];
  picker!: Picker;

  constructor(balancer: Balancer, given: readonly Given[]) {
    this.balancer = balancer;
    this.set(given);
  }

  /** Makes these the members; who was there stays the same. */
  set(given: readonly Given[]): void {
    for (const member of this.of) member.active = false;
    const { balancer, env } = this;
    const made = members(given, { balancer, env, breaker: () => new Switch() });
    this.of = made.map(member => {
      const { id } = member.endpoint;
      const known = this.#known.get(id) ?? member;
      known.update(member.endpoint);
      known.active = true;
      this.#known.set(id, known);
      return known;
    });
    if (this.of.length > 0) this.picker = balancer.picker(this.of, env);
  }

  member(id: string): Member {
    return this.#known.get(id)!;
  }

  /** Opens the breakers of these, and closes all others. */
  out(ids: readonly string[]): void {
    for (const { breaker, endpoint } of this.of)
      (breaker as Switch).state = ids.includes(endpoint.id) ? 'open' : 'closed';
    this.now += 1000;
  }

  pick(key?: string, tried: readonly Member[] = []): string | undefined {
    return this.picked(key, tried)?.endpoint.id;
  }

  picked(key?: string, tried: readonly Member[] = [], acceptance?: Acceptance): Member | undefined {
    const call = new Call({ key });
    call.tried = tried;
    call.acceptance = acceptance ?? (tried.length > 0 ? Acceptance.untried : Acceptance.available);
    return this.picker(call, this.now);
  }

  /** Who keys go to. */
  places(keys: readonly string[]): (string | undefined)[] {
    return keys.map(key => this.pick(key));
  }

  /** The share that each group of members gets, as explained. */
  shares(
    group: (endpoint: Endpoint) => unknown = ({ id }) => id,
    { key, tried = [], acceptance = Acceptance.available }: Partial<Call> = {},
  ): Map<unknown, number> {
    const call = new Call({ key });
    call.tried = tried;
    call.acceptance = acceptance;
    const sums = new Map<unknown, number>(this.of.map(({ endpoint }) => [group(endpoint), 0]));
    for (const { member, share = 0 } of this.picker.explain!(call, this.now)) {
      const name = group(member.endpoint);
      sums.set(name, sums.get(name)! + share);
    }
    return sums;
  }

  notes(key?: string): string[] {
    const call = new Call({ key });
    call.acceptance = Acceptance.available;
    return this.picker.explain!(call, this.now).map(({ member, note }) => `${member.endpoint.id}: ${note}`);
  }

  /** How many of so many calls each member gets. */
  counts(calls: number, key?: (i: number) => string): Map<string, number> {
    const counts = new Map(this.of.map(({ endpoint: { id } }) => [id, 0]));
    for (let i = 0; i < calls; i++) {
      const id = this.pick(key?.(i))!;
      counts.set(id, counts.get(id)! + 1);
    }
    return counts;
  }
}

/** So many endpoints: a0, a1 and so on. */
export const some = (prefix: string, count: number, fields: Partial<Endpoint> = {}): Given[] =>
  Array.from({ length: count }, (_, i) => ({ id: `${prefix}${i}`, ...fields }));

export const ids = (given: readonly Given[]): string[] => given.map(({ id }) => id);

export const someKeys = (count: number): string[] => Array.from({ length: count }, (_, i) => `key ${i}`);
