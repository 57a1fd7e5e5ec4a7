import { checkFunction } from '../../base/errors.ts';
import type { CallOptions } from '../../model/call.ts';
import { Arrivals } from './arrivals.ts';
import type { Chance } from './chance.ts';
import { type Occurrence, Reach } from './event-queue.ts';
import type { Network } from './network.ts';
import type { Omniscient } from './omniscient.ts';
import type { Plan } from './plan.ts';
import { kindOf, type Tally } from './tally.ts';
import type { Time } from './time.ts';
import type { SimulatedClient } from './types.ts';

/** When for so many ms no call has arrived or settled, those left never will be. */
const PATIENCE = 600_000;

/** A call that has not settled. */
interface Open {
  readonly counted: boolean;
  /** The timeline's, in which it arrived. */
  readonly slot: number;
}

/** Those who make the calls, and wait for what becomes of them. */
export class Callers {
  readonly #plan: Plan;
  readonly #time: Time;
  readonly #network: Network;
  readonly #omniscient: Omniscient;
  readonly #tally: Tally;
  readonly #clients: readonly SimulatedClient[];
  readonly #arrivals: Arrivals;
  readonly #open = new Set<Open>();
  /** When a call has last arrived or settled. */
  #lastNews = 0;

  constructor(
    plan: Plan,
    chance: Chance,
    time: Time,
    network: Network,
    omniscient: Omniscient,
    tally: Tally,
    clients: readonly SimulatedClient[],
  ) {
    this.#plan = plan;
    this.#time = time;
    this.#network = network;
    this.#omniscient = omniscient;
    this.#tally = tally;
    this.#clients = clients;
    this.#arrivals = new Arrivals(plan, chance);
    this.#await();
  }

  /** Whether no call will arrive or settle any more. */
  readonly over = (): boolean =>
    this.#arrivals.over && (this.#open.size === 0 || this.#time.now - this.#lastNews > PATIENCE);

  /** Gives up on the calls that are left. */
  leave(): void {
    for (const { slot, counted } of this.#open) this.#tally.failed(slot, counted, 'never settled');
    this.#open.clear();
  }

  #await(): void {
    if (this.#arrivals.next()) this.#time.queue.add(this.#arrivals.time, this.#arrival);
  }

  readonly #arrival: Occurrence = {
    happen: () => {
      this.#arrive();
      this.#await();
      return Reach.call;
    },
  };

  #arrive(): void {
    const { number, time, client, key } = this.#arrivals;
    const network = this.#network;
    const tally = this.#tally;
    const slot = tally.slot(time);
    const counted = time >= this.#plan.warmup;
    tally.arrived(
      slot,
      counted,
      this.#omniscient.send(number, time, network.ways(client), network.shortest(client)),
    );
    const open: Open = { counted, slot };
    this.#open.add(open);
    this.#lastNews = time;
    let attempts = 0;
    const options: CallOptions = { key, repeatable: this.#plan.repeatable };
    let result: Promise<unknown>;
    try {
      result = Promise.resolve(
        this.#clients[client]!.run(
          (endpoint, signal) =>
            network.send(client, endpoint, signal, server => {
              this.#time.did();
              tally.sent(slot, counted, server.plan.number, this.#time.now);
              return { call: number, attempt: ++attempts, counted };
            }),
          options,
        ),
      );
    } catch (error) {
      result = Promise.reject(error);
    }
    result.then(
      () => {
        if (this.#settled(open)) tally.succeeded(slot, counted, this.#time.now - time);
      },
      error => {
        if (this.#settled(open)) tally.failed(slot, counted, kindOf(error));
      },
    );
  }

  #settled(open: Open): boolean {
    this.#time.did();
    this.#lastNews = this.#time.now;
    return this.#open.delete(open);
  }
}

/** Makes the clients. If one cannot be made, closes those that were, and throws what the factory threw. */
export function clientsOf(count: number, make: (index: number) => SimulatedClient): SimulatedClient[] {
  const clients: SimulatedClient[] = [];
  try {
    for (let index = 0; index < count; index++) {
      const client = make(index);
      checkFunction('client run', client?.run);
      checkFunction('client close', client.close);
      clients.push(client);
    }
  } catch (error) {
    for (const client of clients) void closed(client).catch(() => {});
    throw error;
  }
  return clients;
}

export async function closed(client: SimulatedClient): Promise<void> {
  await client.close();
}
