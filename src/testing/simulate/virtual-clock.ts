import type { Clock } from '../../base/env.ts';
import { type EventQueue, type Occurrence, Reach } from './event-queue.ts';

/** Beyond this the system's clock waits for ever, and so does this one. */
const LONGEST = 0x7fffffff;

/** So many timers called off may lie in the queue. */
const LITTER = 10_000;

/** Time as the events make it pass. */
export class VirtualClock implements Clock {
  /** Timers set and neither due nor called off. */
  pending = 0;
  readonly #queue: EventQueue;
  #calledOff = 0;

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  readonly now = (): number => this.#queue.now;

  readonly after = (ms: number, callback: () => void): (() => void) => {
    if (ms > LONGEST) return () => {};
    const timer = new Timer(this, callback);
    this.pending++;
    this.#queue.add(this.#queue.now + (ms > 0 ? ms : 0), timer);
    return () => {
      if (timer.callback === undefined) return;
      timer.callback = undefined;
      this.pending--;
      this.#littered();
    };
  };

  #littered(): void {
    const queue = this.#queue;
    if (++this.#calledOff < LITTER || this.#calledOff * 2 < queue.size) return;
    this.#calledOff = 0;
    queue.sweep(item => item instanceof Timer && item.callback === undefined);
  }
}

class Timer implements Occurrence {
  callback: (() => void) | undefined;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock, callback: () => void) {
    this.#clock = clock;
    this.callback = callback;
  }

  happen(): Reach {
    const { callback } = this;
    if (callback === undefined) return Reach.nobody;
    this.callback = undefined;
    this.#clock.pending--;
    callback();
    return Reach.anybody;
  }
}
