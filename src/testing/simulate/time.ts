import { systemClock } from '../../base/env.ts';
import { EventQueue, Reach } from './event-queue.ts';
import { VirtualClock } from './virtual-clock.ts';

/**
 * So many steps promises are let take before time goes on, if no call is seen to go on: nobody can tell that none is
 * left to settle. At each step all that are ready take one. Of the library's own layers, three times over and with
 * async functions of the user's between them, the last has taken its step after 26.
 */
const DEEP = 100;

/** So many where all that hangs on it is a probe's answer. */
const SHALLOW = 25;

/** So many once a call was seen to go on: it has settled, or sent another attempt. */
const AFTER = 4;

/** After so many events others get their turn, and what was collected weakly can be let go of. */
const TURN = 20_000;

/** So many events at one time, each made by the one before, are a loop without end. */
const STANDSTILL = 10_000;

/**
 * Virtual time, and what happens in it. Between two events it lets promises settle, by waiting for promises of its own,
 * 0.06 µs each. A macrotask between two events would need no counting, but takes 1.1 µs (Node 20), and every runtime has
 * another way to get one.
 */
export class Time {
  readonly queue: EventQueue = new EventQueue();
  readonly clock: VirtualClock = new VirtualClock(this.queue);
  #deeds = 0;

  get now(): number {
    return this.queue.now;
  }

  /** A call was seen to go on. */
  did(): void {
    this.#deeds++;
  }

  /**
   * Lets time pass until it is `over`, which is asked after each event, or nothing is left to happen.
   *
   * @throws Error if time does not get on
   */
  async pass(over: () => boolean): Promise<void> {
    const { queue } = this;
    for (let events = 1; !over(); events++) {
      let seen = this.#deeds;
      const event = queue.next();
      if (event === undefined) return;
      const reach = event.happen();
      if (reach === Reach.call) {
        for (let left = DEEP; left > 0; left--) {
          if (this.#deeds !== seen) {
            seen = this.#deeds;
            left = AFTER;
          }
          await undefined;
        }
      } else if (reach !== Reach.nobody) await this.settle(reach === Reach.probe ? SHALLOW : DEEP);
      if (queue.generation > STANDSTILL)
        throw new Error(`a loop without end at ${queue.now} ms of virtual time, in which no time passes`);
      if (events % TURN === 0) await new Promise<void>(resolve => void systemClock.after(0, resolve));
    }
  }

  /** Lets promises settle, and those that wait for them. */
  async settle(steps: number = DEEP): Promise<void> {
    let seen = this.#deeds;
    for (let left = steps; left > 0; left--) {
      if (this.#deeds !== seen) {
        seen = this.#deeds;
        left = steps;
      }
      await undefined;
    }
  }
}
