import { bad } from '../../base/errors.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { type Chance, Stream } from './chance.ts';
import { conditionAt, HEALTH } from './condition.ts';
import type { EventQueue } from './event-queue.ts';
import type { Spell } from './faults.ts';
import type { Flight, Trouble } from './flight.ts';
import { Meter } from './meter.ts';
import type { ServerPlan } from './plan.ts';

/** How long a call would take at a server that nothing is wrong with. The same call's first attempt: the same chance. */
export function workOf(plan: ServerPlan, chance: Chance, call: number, attempt: number): number {
  const work = plan.service(chance.stream(Stream.work, call, attempt));
  if (!(work >= 0 && work < Number.POSITIVE_INFINITY)) {
    throw bad(`a service time of server ${plan.number}`, work, 'a number of at least 0', RangeError);
  }
  return work;
}

/** Whether a fault that hits a share of the calls hits this one. */
export const hits = ({ share, fault }: Spell, chance: Chance, call: number, attempt: number): boolean =>
  share >= 1 || chance.one(Stream.fault, fault, call, attempt) < share;

/** Workers, and a line before them. */
export class Server {
  readonly plan: ServerPlan;
  failures = 0;
  mostInFlight = 0;
  readonly #queue: EventQueue;
  readonly #chance: Chance;
  readonly #spells: readonly Spell[];
  readonly #rebirths: readonly number[];
  #meter: Meter;
  #generation = 0;
  #condition = HEALTH;
  /** All it has, and the workers busy. */
  #inFlight = 0;
  #busy = 0;
  /** What is to be done at a time; the line; what came, and what became due, while it stood still. */
  #held: Flight[] = [];
  #first: Flight | undefined;
  #last: Flight | undefined;
  #waiting = 0;
  #inbox: Flight[] = [];
  #stalled: Flight[] = [];
  #frozenAt = 0;
  /** How long it has stood still in all. */
  #stood = 0;

  constructor(
    plan: ServerPlan,
    queue: EventQueue,
    chance: Chance,
    spells: readonly Spell[],
    rebirths: readonly number[],
  ) {
    this.plan = plan;
    this.#queue = queue;
    this.#chance = chance;
    this.#spells = spells;
    this.#rebirths = rebirths;
    this.#meter = new Meter(plan.concurrency, 0);
  }

  /** As it is now: it comes back from each deploy as another. */
  get endpoint(): Endpoint {
    return this.plan.endpoint(this.#generation);
  }

  /** Whether the registry tells of it. */
  get registered(): boolean {
    return !this.#condition.absent;
  }

  /** Takes in what is wrong with it from now on. Answers whether the registry has something to tell. */
  turn(): boolean {
    const { now } = this.#queue;
    const was = this.#condition;
    const is = conditionAt(this.#spells, now);
    this.#condition = is;
    if (is.unreachable && !was.unreachable) for (const flight of this.#all()) flight.lost = true;
    if (is.dead && !was.dead) this.#die();
    const generation = this.#rebirths.filter(time => time <= now).length;
    const reborn = generation !== this.#generation;
    this.#generation = generation;
    if (is.frozen && !was.frozen) this.#frozenAt = now;
    if (was.frozen && !is.frozen) this.#thaw();
    return reborn || is.absent !== was.absent;
  }

  /** An attempt or a probe arrives. */
  receive(flight: Flight): void {
    if (this.#condition.unreachable) this.#lose(flight);
    else if (this.#condition.dead || flight.generation !== this.#generation)
      this.#answer(flight, 'ECONNREFUSED');
    else this.#take(flight);
  }

  #take(flight: Flight): void {
    flight.receivedAt = this.#queue.now;
    if (!flight.isProbe) flight.found = this.#inFlight++;
    if (this.#condition.frozen) this.#inbox.push(flight);
    else this.#admit(flight);
    // Whoever found no room has left again.
    if (this.#inFlight > this.mostInFlight) this.mostInFlight = this.#inFlight;
  }

  /** What was held is due, unless the server has stood still meanwhile. */
  done(flight: Flight): void {
    const { now } = this.#queue;
    const owed = this.#stood - flight.stood;
    if (this.#condition.frozen) {
      flight.left = owed + now - this.#frozenAt;
      this.#stalled.push(flight);
    } else if (owed > 0) {
      flight.stood = this.#stood;
      flight.hold(owed);
    } else {
      this.#unhold(flight);
      if (flight.working) {
        this.#busy--;
        if (this.#condition.failingSlowly.some(spell => this.#hits(spell, flight))) flight.trouble = 'FAILED';
        this.#work();
        this.#meter.busy(this.#busy, now);
      }
      this.#leave(flight, flight.trouble);
    }
  }

  #admit(flight: Flight): void {
    const failing = flight.isProbe
      ? undefined
      : this.#condition.failing.find(spell => this.#hits(spell, flight));
    const full = this.#busy >= this.plan.concurrency;
    if (flight.isProbe) this.#answer(flight, undefined);
    else if (failing !== undefined) {
      flight.trouble = 'FAILED';
      this.#hold(flight, failing.after);
    } else if (full && this.#waiting >= this.plan.queue) this.#leave(flight, 'OVERLOADED');
    else this.#queueUp(flight, full);
  }

  #queueUp(flight: Flight, full: boolean): void {
    this.#waiting++;
    if (this.#last === undefined) this.#first = flight;
    else this.#last.next = flight;
    this.#last = flight;
    if (full) return;
    this.#work();
    this.#meter.busy(this.#busy, this.#queue.now);
  }

  /** Whoever is first in line gets a worker, while there is one. */
  #work(): void {
    while (this.#first !== undefined && this.#busy < this.plan.concurrency) {
      const flight = this.#first;
      this.#first = flight.next;
      if (this.#first === undefined) this.#last = undefined;
      flight.next = undefined;
      this.#waiting--;
      this.#busy++;
      flight.working = true;
      this.#hold(
        flight,
        this.#condition.factor * workOf(this.plan, this.#chance, flight.call, flight.attempt),
      );
    }
  }

  #hold(flight: Flight, ms: number): void {
    flight.stood = this.#stood;
    flight.slot = this.#held.push(flight) - 1;
    flight.hold(ms);
  }

  #unhold({ slot }: Flight): void {
    const last = this.#held.pop()!;
    if (slot === this.#held.length) return;
    this.#held[slot] = last;
    last.slot = slot;
  }

  /** A call is over, for the server. */
  #leave(flight: Flight, trouble: Trouble | undefined): void {
    const { now } = this.#queue;
    this.#inFlight--;
    this.#meter.ended(flight.found, now - flight.receivedAt, trouble !== undefined, now);
    this.#answer(flight, trouble);
  }

  #answer(flight: Flight, trouble: Trouble | undefined): void {
    if (this.#condition.unreachable || flight.lost) {
      this.#lose(flight);
      return;
    }
    flight.trouble = trouble;
    if (trouble === undefined) flight.news = this.#meter.news(this.#inFlight, this.#queue.now);
    else if (flight.counted) this.failures++;
    flight.answer();
  }

  #lose(flight: Flight): void {
    if (flight.counted) this.failures++;
    flight.vanish();
  }

  #thaw(): void {
    this.#stood += this.#queue.now - this.#frozenAt;
    const stalled = this.#stalled;
    const inbox = this.#inbox;
    this.#stalled = [];
    this.#inbox = [];
    for (const flight of stalled) {
      flight.stood = this.#stood;
      flight.hold(flight.left);
    }
    for (const flight of inbox) this.#admit(flight);
  }

  #die(): void {
    for (const flight of this.#all()) {
      flight.trouble = 'ECONNRESET';
      if (this.#condition.unreachable || flight.lost) this.#lose(flight);
      else {
        if (flight.counted) this.failures++;
        flight.breakOff();
      }
    }
    this.#held = [];
    this.#inbox = [];
    this.#stalled = [];
    this.#first = this.#last = undefined;
    this.#inFlight = this.#busy = this.#waiting = 0;
    this.#meter = new Meter(this.plan.concurrency, this.#queue.now);
  }

  /** All it has: what is held, who waits in line, and what came while it stood still. */
  #all(): Flight[] {
    const all = [...this.#held];
    for (let flight = this.#first; flight !== undefined; flight = flight.next) all.push(flight);
    return all.concat(this.#inbox);
  }

  #hits(spell: Spell, { call, attempt }: Flight): boolean {
    return hits(spell, this.#chance, call, attempt);
  }
}
