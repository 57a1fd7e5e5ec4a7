import { checkFunction } from '../base/errors.ts';
import type { Balancer } from './balancer.ts';

/** Makes the balancers that a wrapper asks: a new one each time it is called. */
export type Inner = () => Balancer;

/** For how long a balancer is kept whose group is gone, in ms: as long as gRPC keeps a priority's (gRFC A56). */
const KEPT = 15 * 60_000;

/**
 * The balancers that a wrapper asks, one for each group of members. They are kept from set to set, for what they
 * remember, and for a while when their group is gone.
 */
export class InnerBalancers<Name> {
  /** The first one made, which tells what kind they are: all members have its loads. */
  readonly first: Balancer;
  readonly #kind: string;
  readonly #make: Inner;
  #unused: Balancer | undefined;
  readonly #known = new Map<Name, Balancer>();
  /** Since when groups have been gone. */
  readonly #gone = new Map<Name, number>();

  /** @throws TypeError unless `make` is a function that answers a balancer */
  constructor(kind: string, make: Inner) {
    this.#kind = kind;
    this.#make = checkFunction(`${kind} inner`, make);
    this.first = this.#unused = this.#made();
  }

  /** The balancer of a group. */
  of(group: Name): Balancer {
    let balancer = this.#known.get(group);
    if (balancer !== undefined) return balancer;
    balancer = this.#unused ?? this.#made();
    this.#unused = undefined;
    this.#known.set(group, balancer);
    return balancer;
  }

  /** Says which groups there are now. Those that have been gone for long are forgotten. */
  present(groups: Iterable<Name>, now: number): void {
    const present = new Set(groups);
    for (const [group, balancer] of this.#known) {
      if (present.has(group)) {
        this.#gone.delete(group);
        continue;
      }
      const since = this.#gone.get(group) ?? now;
      this.#gone.set(group, since);
      if (now - since < KEPT) continue;
      this.#known.delete(group);
      this.#gone.delete(group);
      balancer.close?.();
    }
  }

  /** What the wrapper has in common with those it asks: their loads, whether they go by keys, and that they can be closed. */
  common(): Pick<Balancer, 'load' | 'keyed' | 'close'> {
    const { first } = this;
    return {
      ...(first.load !== undefined && { load: env => first.load!(env) }),
      ...(first.keyed !== undefined && { keyed: first.keyed }),
      close: () => this.#close(),
    };
  }

  /** @throws what the last of those that throw throws, once all are closed */
  #close(): void {
    const failures: unknown[] = [];
    for (const balancer of new Set([this.first, ...this.#known.values()])) {
      try {
        balancer.close?.();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures.pop();
  }

  #made(): Balancer {
    const made = this.#make();
    checkFunction(`${this.#kind} inner picker`, made?.picker);
    if (made.load !== undefined) checkFunction(`${this.#kind} inner load`, made.load);
    return made;
  }
}
