import { type Clock, createClient, type Endpoint, fixed } from 'fairlead';
import { seededRandom } from 'fairlead/testing';
import type { LoadRecorder } from '../../src/balancer/load-recorder.ts';
import { prequal } from '../../src/balancer/prequal.ts';
import type { ProbeAnswer } from '../../src/balancer/probed-load.ts';

/** How a server is at a time: how many times slower than usual, and whether it fails all calls within 1 ms. */
export type Health = (server: number, now: number) => { readonly slow?: number; readonly failing?: boolean };

export interface WorldOptions {
  readonly servers: number;
  readonly clients: number;
  /** Calls a second at each server, on average, of the 400 it can do: 4 workers, 10 ms a call, exponential. */
  readonly rate: number;
  /** In ms. */
  readonly duration: number;
  readonly health: Health;
  readonly recorder: (clock: Clock) => LoadRecorder;
  /** What of a server's answer reaches the client. Default: all. */
  readonly told?: (answer: ProbeAnswer) => ProbeAnswer;
  readonly seed?: number;
}

export interface Arrival {
  readonly at: number;
  /** The server that had it, and how long it took or that it failed. */
  server: number;
  latency: number;
  failed: boolean;
}

/** Half of a way over the network and back, in ms. */
const WAY = 0.25;
const WORKERS = 4;
const MEAN = 10;

/**
 * Clients that call servers which answer probes by a load recorder: in virtual time, for the servers of `simulate`
 * have a recorder of their own.
 */
export async function probedServers(options: WorldOptions): Promise<Arrival[]> {
  const { servers, clients, rate, duration, health, recorder, told = answer => answer, seed = 1 } = options;
  const random = seededRandom(seed);
  const exponential = (mean: number): number => -mean * Math.log(1 - random());
  const events = new Timeline();
  const clock: Clock = { now: () => events.now, after: (ms, callback) => events.after(ms, callback) };
  const machines = Array.from({ length: servers }, () => ({
    load: recorder(clock),
    busy: 0,
    line: [] as (() => void)[],
  }));
  const after = (ms: number): Promise<void> => new Promise(resolve => events.after(ms, resolve));

  const serve = async (endpoint: Endpoint): Promise<void> => {
    const number = endpoint.port - 1;
    const machine = machines[number]!;
    await after(WAY);
    const end = machine.load.begin();
    const { failing = false } = health(number, events.now);
    if (failing) {
      await after(1);
      end('failure');
    } else {
      if (machine.busy === WORKERS) await new Promise<void>(resolve => machine.line.push(resolve));
      else machine.busy++;
      await after(exponential(MEAN) * (health(number, events.now).slow ?? 1));
      const next = machine.line.shift();
      if (next === undefined) machine.busy--;
      else next();
      end();
    }
    await after(WAY);
    if (failing) throw new Error('it fails');
  };
  const probe = async ({ port }: Endpoint): Promise<ProbeAnswer> => {
    await after(WAY);
    const answer = told(machines[port - 1]!.load.toJSON());
    await after(WAY);
    return answer;
  };

  const discovery = fixed(
    machines.map((_, i) => ({ id: `s${String(i).padStart(3, '0')}`, host: 'server', port: i + 1 })),
  );
  const callers = Array.from({ length: clients }, (_, i) => {
    const env = { clock, random: seededRandom(seed * 1000 + i) };
    return createClient({ discovery, env, balancer: prequal({ probe }), breaker: false, policies: [] });
  });
  await Promise.all(callers.map(client => client.pool.ready()));

  const arrivals: Arrival[] = [];
  const arrive = (): void => {
    const arrival: Arrival = { at: events.now, server: -1, latency: 0, failed: false };
    arrivals.push(arrival);
    const settled = (failed: boolean): void => {
      arrival.failed = failed;
      arrival.latency = events.now - arrival.at;
    };
    const client = callers[Math.floor(random() * clients)]!;
    client
      .run(endpoint => {
        arrival.server = endpoint.port - 1;
        return serve(endpoint);
      })
      .then(
        () => settled(false),
        () => settled(true),
      );
    const next = exponential(1000 / (rate * servers));
    if (events.now + next < duration) events.after(next, arrive);
  };
  events.after(0, arrive);
  await events.run();
  for (const client of callers) await client.close();
  return arrivals;
}

/** The latency that a share of the successful calls that arrived in a span of time do not exceed, in ms. */
export function quantile(arrivals: readonly Arrival[], share: number, from = 0): number {
  const sorted = Float64Array.from(
    arrivals.filter(({ at, failed }) => at >= from && !failed),
    ({ latency }) => latency,
  ).sort();
  return sorted[Math.floor(share * (sorted.length - 1))]!;
}

/** The share of the calls that arrived in a span of time that a server had. */
export function shareOf(arrivals: readonly Arrival[], server: number, from = 0, until = Infinity): number {
  const within = arrivals.filter(({ at }) => at >= from && at < until);
  return within.filter(arrival => arrival.server === server).length / within.length;
}

/** Twice the rounds of promises that any event here sets going: with 8 the results are the same. */
const ROUNDS = 16;

/** Events in the order of their times: a binary heap, for there are a hundred thousand. */
class Timeline {
  now = 0;
  #order = 0;
  readonly #heap: { at: number; order: number; callback: (() => void) | undefined }[] = [];

  after(ms: number, callback: () => void): () => void {
    const event = { at: this.now + ms, order: this.#order++, callback: callback as (() => void) | undefined };
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    for (let up = (i - 1) >> 1; i > 0 && before(event, heap[up]!); i = up, up = (i - 1) >> 1)
      heap[i] = heap[up]!;
    heap[i] = event;
    return () => {
      event.callback = undefined;
    };
  }

  async run(): Promise<void> {
    for (let event = this.#first(); event !== undefined; event = this.#first()) {
      if (event.callback === undefined) continue;
      this.now = event.at;
      event.callback();
      for (let i = 0; i < ROUNDS; i++) await undefined;
    }
  }

  #first() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return first;
    let i = 0;
    for (let down = 1; down < heap.length; down = 2 * i + 1) {
      if (down + 1 < heap.length && before(heap[down + 1]!, heap[down]!)) down++;
      if (!before(heap[down]!, last)) break;
      heap[i] = heap[down]!;
      i = down;
    }
    heap[i] = last;
    return first;
  }
}

const before = (a: { at: number; order: number }, b: { at: number; order: number }): boolean =>
  a.at < b.at || (a.at === b.at && a.order < b.order);
