import { Chain, type Link } from '../base/chain.ts';
import { Deadlines, type Waiting } from '../base/deadlines.ts';
import type { Clock } from '../base/env.ts';

/** Somebody in a line. */
export interface Waiter {
  /** It is its turn. */
  enter(): void;
  /** It has waited for as long as may be, or had to make room. */
  refuse(why: 'late' | 'crowded-out'): void;
}

/** `fifo`: who came first goes first. `lifo`: who came last, once the line has not been empty for `OVERLOADED_FOR`. */
export type Order = 'fifo' | 'lifo';

/** A waiter's place. */
export class Place implements Link<Place> {
  older: Place | undefined;
  newer: Place | undefined;
  readonly waiter: Waiter;
  readonly patience: Waiting;

  constructor(waiter: Waiter, due: () => void) {
    this.waiter = waiter;
    this.patience = {
      older: undefined,
      newer: undefined,
      until: Number.POSITIVE_INFINITY,
      cancel: undefined,
      due,
    };
  }
}

/**
 * A line that has not been empty for so many ms does not come from a burst but from overload: then those who have waited
 * longest have the least use for an answer, and it is better to serve some in time than all too late (Maurer, Fail at
 * Scale, ACM Queue 13(8), 2015: adaptive LIFO, whose controlled delay takes a line for standing after 100 ms).
 */
const OVERLOADED_FOR = 100;

/** A line of bounded length and time. All it does is O(1). */
export class WaitingLine {
  readonly #deadlines: Deadlines;
  readonly #room: number;
  readonly #order: Order;
  readonly #patience: number;
  readonly #places = new Chain<Place>();
  /** Since when it has not been empty. */
  #since = 0;

  /** `room` for so many, at least one, for `patience` ms each. */
  constructor(clock: Clock, room: number, order: Order, patience: number) {
    this.#deadlines = new Deadlines(clock);
    this.#room = room;
    this.#order = order;
    this.#patience = patience;
  }

  get size(): number {
    return this.#places.size;
  }

  /** Answers the place, or nothing if there is no room. Where the last come first, who came first makes room. */
  join(waiter: Waiter, now: number): Place | undefined {
    if (this.size >= this.#room) {
      if (!this.#lastFirst(now)) return undefined;
      this.#refuse(this.#places.oldest!, 'crowded-out');
    }
    if (this.size === 0) this.#since = now;
    const place = new Place(waiter, () => this.#refuse(place, 'late'));
    this.#places.add(place);
    this.#deadlines.join(place.patience, this.#patience, now);
    return place;
  }

  /** Its turn has come for one. There must be one. */
  call(now: number): void {
    const place = this.#lastFirst(now) ? this.#places.newest! : this.#places.oldest!;
    this.leave(place);
    place.waiter.enter();
  }

  /** Somebody leaves, who must be in the line. */
  leave(place: Place): void {
    this.#places.remove(place);
    this.#deadlines.leave(place.patience);
  }

  #lastFirst(now: number): boolean {
    return this.#order === 'lifo' && now - this.#since >= OVERLOADED_FOR;
  }

  #refuse(place: Place, why: 'late' | 'crowded-out'): void {
    this.leave(place);
    place.waiter.refuse(why);
  }
}
