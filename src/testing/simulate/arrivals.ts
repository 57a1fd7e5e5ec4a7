import { below, type Random } from '../../base/env.ts';
import { bad } from '../../base/errors.ts';
import { type Chance, Stream } from './chance.ts';
import type { Plan } from './plan.ts';

/** A rate is taken to be the same for so many ms. */
const STEP = 10;

/**
 * Calls as they come, whatever becomes of those before them: a Poisson process, each call from a client drawn at
 * random. Depends on the seed, the rate and the number of clients, and on nothing that clients or servers do.
 */
export class Arrivals {
  /** Whether there are no more. */
  over = false;
  /** The call that comes next: its number from 0, its time, client and key. */
  number = -1;
  time = 0;
  client = 0;
  key: string | undefined;
  /** Calls per ms, until when. */
  #perMs = 0;
  #until = 0;
  readonly #plan: Plan;
  readonly #gaps: Random;
  readonly #callers: Random;
  readonly #keys: Random;

  constructor(plan: Plan, chance: Chance) {
    this.#plan = plan;
    this.#gaps = chance.stream(Stream.gaps);
    this.#callers = chance.stream(Stream.callers);
    this.#keys = chance.stream(Stream.keys);
  }

  /** Goes on to the next. Answers whether there is one. */
  next(): boolean {
    this.over = !this.#advance();
    return !this.over;
  }

  #advance(): boolean {
    const { rate, duration, clients, key } = this.#plan;
    // A gap is so many expected calls long; how many ms that is depends on the rates on the way.
    let due = -Math.log(1 - this.#gaps());
    let { time } = this;
    for (;;) {
      if (time >= this.#until) {
        if (time >= duration) return false;
        this.#until = (Math.floor(time / STEP) + 1) * STEP;
        this.#perMs = rate(time);
      }
      const gap = due / this.#perMs;
      if (time + gap < this.#until) {
        time += gap;
        break;
      }
      due -= (this.#until - time) * this.#perMs;
      time = this.#until;
    }
    if (time >= duration) return false;
    this.time = time;
    this.number++;
    this.client = below(this.#callers, clients);
    this.key = key?.(this.#keys);
    if (this.key !== undefined && typeof this.key !== 'string') throw bad('a key', this.key, 'a string');
    return true;
  }
}
