import type { Endpoint } from '../../model/endpoint.ts';
import type { EventQueue } from './event-queue.ts';
import { Flight, type Sent, SimulatedError } from './flight.ts';
import type { Plan } from './plan.ts';
import type { Server } from './server.ts';
import type { ServerNews } from './types.ts';

/** What lies between clients and servers. */
export class Network {
  readonly #queue: EventQueue;
  /** By zone of the clients: one way to each server, in ms, and the shortest. */
  readonly #ways: readonly Float64Array[];
  readonly #shortest: readonly number[];
  /** By endpoint id, of all lives of all servers. */
  readonly #addresses = new Map<string, { readonly server: Server; readonly generation: number }>();

  /** `lives`: how many each server has. */
  constructor(queue: EventQueue, plan: Plan, servers: readonly Server[], lives: readonly number[]) {
    this.#queue = queue;
    const from = plan.clientZones.length === 0 ? [undefined] : plan.clientZones;
    this.#ways = from.map(zone =>
      Float64Array.from(plan.servers, server => plan.network(zone, server.zone) / 2),
    );
    this.#shortest = this.#ways.map(ways => ways.reduce((least, way) => Math.min(least, way)));
    for (const [i, server] of servers.entries()) {
      for (let generation = 0; generation < lives[i]!; generation++)
        this.#addresses.set(server.plan.endpoint(generation).id, { server, generation });
    }
  }

  /** One way from a client to each server, in ms. */
  ways(client: number): Float64Array {
    return this.#ways[client % this.#ways.length]!;
  }

  /** The shortest of them. */
  shortest(client: number): number {
    return this.#shortest[client % this.#shortest.length]!;
  }

  /**
   * Sends something to an endpoint. Resolves with the server's news once the answer is back; rejects with a
   * `SimulatedError`, or with the signal's reason as soon as it aborts, of which the server hears nothing. `begin` is
   * told which server it is, unless there is no such endpoint or the signal has aborted, and answers what it is.
   */
  send(
    client: number,
    endpoint: Endpoint,
    signal: AbortSignal | undefined,
    begin: (server: Server) => Pick<Sent, 'call' | 'attempt' | 'counted'>,
  ): Promise<ServerNews> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const address = this.#addresses.get(endpoint.id);
    if (address === undefined) return Promise.reject(new SimulatedError('ENOTFOUND', endpoint.id));
    const { server, generation } = address;
    const { call, attempt, counted } = begin(server);
    const way = this.ways(client)[server.plan.number]!;
    const sent = { server, generation, call, attempt, way, counted };
    return new Promise((resolve, reject) => {
      if (signal === undefined) new Flight(this.#queue, sent, resolve, reject);
      else this.#sendUntil(signal, sent, resolve, reject);
    });
  }

  #sendUntil(
    signal: AbortSignal,
    sent: Sent,
    resolve: (news: ServerNews) => void,
    reject: (error: unknown) => void,
  ): void {
    const flight = new Flight(
      this.#queue,
      sent,
      news => {
        leave();
        resolve(news);
      },
      error => {
        leave();
        reject(error);
      },
    );
    const abort = (): void => {
      leave();
      flight.release();
      reject(signal.reason);
    };
    const leave = (): void => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort);
  }
}
