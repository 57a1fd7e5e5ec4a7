import type { Discovery } from '../../discovery/discovery.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { type Chance, Stream } from './chance.ts';
import { type EventQueue, Reach } from './event-queue.ts';
import { during, type RegistrySpell } from './faults.ts';
import type { Server } from './server.ts';

/** Tells each client of the servers, as its faults let it. Clients that are told the same share one array. */
export class SimulatedRegistry {
  readonly #queue: EventQueue;
  readonly #chance: Chance;
  readonly #servers: readonly Server[];
  readonly #spells: readonly RegistrySpell[];
  readonly #feeds: readonly Feed[];
  /** For each fault that splits, who is on the far side. */
  readonly #far = new Map<RegistrySpell, ReadonlySet<number>>();
  #version = 0;

  constructor(
    queue: EventQueue,
    chance: Chance,
    servers: readonly Server[],
    spells: readonly RegistrySpell[],
    clients: number,
  ) {
    this.#queue = queue;
    this.#chance = chance;
    this.#servers = servers;
    this.#spells = spells;
    this.#feeds = Array.from({ length: clients }, () => new Feed());
    for (const spell of spells) {
      const { fault, share } = spell;
      const order = [...this.#feeds.keys()];
      const ranks = order.map(client => chance.one(Stream.split, fault, client));
      order.sort((a, b) => ranks[a]! - ranks[b]!);
      this.#far.set(spell, new Set(order.slice(0, Math.round(share * clients))));
    }
    this.turn();
  }

  /** The registry as one client sees it. */
  discovery(client: number): Discovery {
    return this.#feeds[client]!.discovery;
  }

  /** Takes in what has changed, and tells the clients. */
  turn(): void {
    const { now } = this.#queue;
    const spells = this.#spells.filter(spell => during(spell, now));
    const version = ++this.#version;
    const all = this.#servers.filter(({ registered }) => registered).map(({ endpoint }) => endpoint);
    const told = new Map<RegistrySpell, readonly Endpoint[]>();
    const splits = spells.filter(({ kind }) => kind === 'split');
    for (const split of splits) {
      const side = this.#servers.filter(
        ({ plan, registered }) => registered && split.servers.includes(plan.number),
      );
      told.set(
        split,
        side.map(({ endpoint }) => endpoint),
      );
    }
    const lag = Math.max(0, ...spells.map(spell => spell.lag));
    const down = spells.some(({ kind }) => kind === 'outage');
    for (const [client, feed] of this.#feeds.entries()) {
      const split = splits.find(each => this.#far.get(each)!.has(client));
      const set = split === undefined ? all : told.get(split)!;
      feed.bear(down);
      if (lag > 0 && version > 1) {
        this.#queue.add(now + lag * this.#chance.one(Stream.lag, client, version), {
          happen() {
            feed.tell(set, version);
            return Reach.anybody;
          },
        });
      } else feed.tell(set, version);
    }
  }
}

/** What one client hears. */
class Feed {
  #down = false;
  #set: readonly Endpoint[] = [];
  #version = 0;
  readonly #waiting = new Set<() => void>();

  /** Whether the registry is out. */
  bear(down: boolean): void {
    this.#down = down;
    if (down) this.#wake();
  }

  /** Old news that come late are no news. */
  tell(set: readonly Endpoint[], version: number): void {
    if (version > this.#version) {
      this.#version = version;
      if (!same(set, this.#set)) this.#set = set;
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  readonly discovery: Discovery = (_env, signal) => this.#follow(signal);

  async *#follow(signal: AbortSignal): AsyncGenerator<readonly Endpoint[], void, undefined> {
    let last: readonly Endpoint[] | undefined;
    let wake = (): void => {};
    const stop = (): void => wake();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        if (this.#down) throw new Error('the registry is out');
        if (last !== this.#set) yield (last = this.#set);
        else {
          await new Promise<void>(resolve => {
            wake = resolve;
            this.#waiting.add(resolve);
          });
          this.#waiting.delete(wake);
        }
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }
}

const same = (a: readonly Endpoint[], b: readonly Endpoint[]): boolean =>
  a.length === b.length && a.every((endpoint, i) => endpoint === b[i]);
