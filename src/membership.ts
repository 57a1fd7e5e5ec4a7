import type { Picker } from './balancer/balancer.ts';
import { checkFunction } from './base/errors.ts';
import { sameEndpoint } from './discovery/endpoints.ts';
import type { BreakerState } from './model/breaker.ts';
import type { Endpoint } from './model/endpoint.ts';
import { noLoad } from './model/load.ts';
import { Member, type Site } from './model/member.ts';
import { blame, guarded, type MembersChange } from './model/observer.ts';
import { Vitals } from './model/vitals.ts';
import type { PoolSettings } from './pool-options.ts';

/** A member as it is now, for people to look at. */
export interface MemberState {
  readonly endpoint: Endpoint;
  /** Whether it may be picked: not drained. */
  readonly active: boolean;
  readonly breaker: BreakerState;
  /** Whether its health checks pass, or there are none. */
  readonly healthy: boolean;
  /** Whether it was taken out by hand. */
  readonly isolated: boolean;
  readonly inFlight: number;
  /** As its load has it; only comparison means anything. NaN if that throws. */
  readonly cost: number;
}

/** Who belongs to a pool, and the picker for them. */
export class Membership {
  /** All, by id, which they are sorted by. Replaced, never edited. */
  members: ReadonlyMap<string, Member> = new Map();
  /** Those who are not drained. */
  active: readonly Member[] = [];
  /** Absent until there was a set. */
  picker: Picker | undefined;
  readonly vitals: Vitals = new Vitals();
  readonly #settings: PoolSettings;
  readonly #site: Site;
  /** The ids taken out by hand, of members to come, too. */
  readonly #isolated: Set<string>;
  readonly #peers = (): readonly Member[] => this.active;
  #mostRefused = 0;

  constructor(settings: PoolSettings, site: Site) {
    this.#settings = settings;
    this.#site = site;
    this.#isolated = new Set(settings.restore?.isolated);
  }

  /** Whether so many members are refused that their breakers are not believed. */
  get panics(): boolean {
    return this.vitals.refused > this.#mostRefused;
  }

  get isolated(): readonly string[] {
    return [...this.#isolated];
  }

  /** Takes a member out by hand, or puts it back. Holds for the id, also while there is no such member. */
  isolate(id: string, yes: boolean): void {
    if (yes) this.#isolated.add(id);
    else this.#isolated.delete(id);
    const member = this.members.get(id);
    if (member !== undefined) member.isolated = yes;
  }

  states(now: number): readonly MemberState[] {
    return [...this.members.values()].map(
      ({ endpoint, active, breaker, unhealthy, isolated, inFlight, load }) => ({
        endpoint,
        active,
        breaker: breaker.state,
        healthy: !unhealthy,
        isolated,
        inFlight,
        cost: guarded(this.#site.observer, 'load', () => load.cost(now)) ?? Number.NaN,
      }),
    );
  }

  /**
   * Takes a new set, keeping the members whose address stays with all they have learned. All or nothing: if the
   * balancer refuses the set, everything is as before.
   */
  update(endpoints: readonly Endpoint[]): MembersChange {
    const { balancer, env, maxRefused, panicBelow, restore } = this.#settings;
    const previous = this.members;
    const next = new Map<string, Member>();
    const undo: (() => void)[] = [];
    const added: Endpoint[] = [];
    const updated: Endpoint[] = [];
    let active: Member[] = [];
    let picker: Picker = () => undefined;
    try {
      for (const endpoint of endpoints) {
        let member = previous.get(endpoint.id);
        const known = member?.endpoint;
        if (known === undefined || known.host !== endpoint.host || known.port !== endpoint.port) {
          member = this.#member(endpoint);
          added.push(endpoint);
        } else if (!sameEndpoint(known, endpoint)) {
          updated.push(endpoint);
          undo.push(() => member!.update(known));
          member!.update(endpoint);
        }
        next.set(endpoint.id, member!);
      }
      active = [...next.values()].filter(member => member.weight > 0);
      if (active.length > 0) picker = checkFunction('picker', balancer.picker(active, env));
    } catch (error) {
      for (const step of undo) step();
      blame(this.#site.observer, 'balancer', error);
      throw error;
    }
    const removed: Endpoint[] = [];
    for (const [id, member] of previous) {
      if (next.get(id) === member) continue;
      member.active = false;
      removed.push(member.endpoint);
    }
    for (const member of next.values()) member.active = member.weight > 0;
    this.members = next;
    this.active = active;
    this.vitals.set(active, maxRefused);
    this.#mostRefused = Math.floor(active.length * (1 - panicBelow));
    this.picker = picker;
    for (const { id } of added) restore?.came(id);
    return { added, removed, updated, size: next.size };
  }

  /** @throws TypeError if what the user's code made is no load or no breaker, such as a factory of one */
  #member(endpoint: Endpoint): Member {
    const { balancer, breaker: makeBreaker, env, maxInFlight, restore } = this.#settings;
    const load = balancer.load?.(env) ?? noLoad;
    const breaker = makeBreaker(env, this.#peers);
    for (const name of ['begin', 'end', 'cost'] as const) checkFunction(`load ${name}`, load[name]);
    for (const name of ['allows', 'begin', 'end'] as const) checkFunction(`breaker ${name}`, breaker?.[name]);
    guarded(this.#site.observer, 'breaker', () => restore?.member(breaker, endpoint, env.clock));
    const member = new Member(endpoint, load, breaker, this.vitals);
    member.isolated = this.#isolated.has(endpoint.id);
    member.limit = maxInFlight;
    return member;
  }
}
