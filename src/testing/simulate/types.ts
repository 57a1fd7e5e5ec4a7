import type { Env, Random } from '../../base/env.ts';
import type { Discovery } from '../../discovery/discovery.ts';
import type { CallOptions, Task } from '../../model/call.ts';
import type { Endpoint } from '../../model/endpoint.ts';

/** A time in ms, drawn anew for each call: `exponential(10)`, `() => 5`. */
export interface Distribution {
  (random: Random): number;
  /** What draws come to in the mean, in ms, so that it need not be found out. */
  readonly mean?: number | undefined;
}

/** What a simulated client must be able to do; every client of fairlead's is one. */
export interface SimulatedClient {
  run<T>(task: Task<T>, options?: CallOptions): Promise<T>;
  close(): unknown;
}

/** What a server tells of itself: what a probe hears, and what each call that succeeds resolves to. */
export interface ServerNews {
  /** Calls it has, waiting ones included. */
  readonly inFlight: number;
  /** Median latency of its recent calls that found about as many in flight as there are now, in ms; 0 if unknown. */
  readonly latency: number;
  /** The share of its workers that are busy, 0 to 1, averaged over the last second. */
  readonly utilization: number;
  /** Calls it ended a second, averaged over the last second, and failures among them. */
  readonly rps: number;
  readonly eps: number;
}

/** What a simulated client is made with. */
export interface ClientPlace {
  /** Virtual time and seeded chance: hand it to the client, or it would live in real time. */
  readonly env: Env;
  /** The servers as this client's registry tells of them. */
  readonly discovery: Discovery;
  /**
   * Asks a server about itself, over the simulated network. A dead one refuses, one that is frozen or unreachable keeps
   * you waiting; one whose calls fail still answers, as a process that is broken inside does.
   */
  readonly probe: (endpoint: Endpoint, signal?: AbortSignal) => Promise<ServerNews>;
  /** The client's number, from 0. */
  readonly index: number;
  /** Its zone, if the simulation has zones. */
  readonly zone: string | undefined;
}

export interface ServerSpec {
  /** Calls it works on at once; further ones wait in line. Default: 4. */
  readonly concurrency?: number | undefined;
  /** How long a call takes once it is its turn, in ms. Default: exponential with mean 10. */
  readonly service?: Distribution | undefined;
  /** How many may wait; further ones fail at once. Default: no bound. */
  readonly queue?: number | undefined;
  readonly weight?: number | undefined;
  readonly zone?: string | undefined;
  readonly priority?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** Servers by number. Default: all. */
export type Servers = readonly number[];

/**
 * What goes wrong, and when. `from` and `until` are in ms of virtual time; default: from the start on, and for good.
 * Faults may overlap: factors multiply, who is dead cannot be slow, and of who is unreachable nothing is heard.
 */
export type SimulatedFault = { readonly from?: number; readonly until?: number } & (
  | { readonly kind: 'slow'; readonly servers: Servers; readonly factor: number }
  /** Every call fails after so many ms (default 1) without waiting in line, or the given share of them (default 1). */
  | { readonly kind: 'failing'; readonly servers: Servers; readonly after?: number; readonly share?: number }
  /** Calls are worked on as ever and fail at the end, or the given share of them (default 1). */
  | { readonly kind: 'failing-slowly'; readonly servers: Servers; readonly share?: number }
  /** Nothing moves on: what is being worked on stands still and goes on afterwards. */
  | { readonly kind: 'frozen'; readonly servers: Servers }
  /** The process is gone: running calls break off, new ones are refused at once. */
  | { readonly kind: 'dead'; readonly servers: Servers }
  /** Packets vanish: running calls and new ones never hear anything. */
  | { readonly kind: 'unreachable'; readonly servers: Servers }
  /** Dead and alive in turns of so many ms, at least 1, and alive once no more calls arrive. */
  | { readonly kind: 'flapping'; readonly servers: Servers; readonly every: number }
  /** All servers of a zone are dead. The registry still tells of them, as it does of all that is dead. */
  | { readonly kind: 'zone-loss'; readonly zone: string }
  /**
   * One after another each server is taken from the registry, runs for `drain` ms more (default 1000), is dead for
   * `down` ms (default 1000), comes back under a new id and is told of by the registry. `every` ms between two.
   */
  | {
      readonly kind: 'rolling-deploy';
      readonly servers?: Servers | undefined;
      readonly every: number;
      readonly drain?: number | undefined;
      readonly down?: number | undefined;
    }
  /** These servers do not exist before `from`, nor from `until` on. */
  | { readonly kind: 'scale-out'; readonly servers: Servers }
  /** The registry throws; clients keep what they have. */
  | { readonly kind: 'registry-outage' }
  /** Changes reach the clients up to so many ms late, each client and change by a delay of its own. */
  | { readonly kind: 'registry-lag'; readonly lag: number }
  /** A share of the clients is told only of these servers. */
  | { readonly kind: 'registry-split'; readonly servers: Servers; readonly share: number }
);

export interface SimulateOptions {
  /** Same seed, same result, to the last bit. Default: 1. */
  readonly seed?: number | undefined;
  /** How many clients, each with a pool of its own. Default: 10. At most 1000. */
  readonly clients?: number | undefined;
  /** How many servers, or each one's particulars. Default: 10. At most 1000. */
  readonly servers?: number | readonly ServerSpec[] | undefined;
  /** Particulars of all servers where `servers` is a number. */
  readonly server?: ServerSpec | undefined;
  /** Makes a client. */
  readonly client: (place: ClientPlace) => SimulatedClient;
  /** How long calls arrive, in ms of virtual time. Default: 10 000. The run ends when the last call has settled. */
  readonly duration?: number | undefined;
  /** Results count calls that arrive from then on, in ms. Default: 0. */
  readonly warmup?: number | undefined;
  /** Calls a second over all clients, or as time goes on. Or give `load`. */
  readonly rate?: number | ((now: number) => number) | undefined;
  /** Arrivals as a share of what all servers, in health, can do. Default: 0.5. */
  readonly load?: number | undefined;
  /** Time on the network, there and back together, in ms. Default: 0.5. */
  readonly network?:
    | number
    | ((clientZone: string | undefined, serverZone: string | undefined) => number)
    | undefined;
  /** The zones of the clients, in turn. Default: none. */
  readonly clientZones?: readonly string[] | undefined;
  /** A call's key; none by default. */
  readonly key?: ((random: Random) => string | undefined) | undefined;
  /** Whether a call may be repeated. Default: true. */
  readonly repeatable?: boolean | undefined;
  readonly faults?: readonly SimulatedFault[] | undefined;
  /** The width of the timeline's slots, in ms. Default: 1000. */
  readonly slot?: number | undefined;
}

export interface Quantiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface ServerReport {
  readonly endpoint: Endpoint;
  /** Attempts it was sent, after the warm-up. */
  readonly attempts: number;
  /** Its share of all attempts. */
  readonly share: number;
  readonly failures: number;
  /** The most it had at once, waiting ones included. */
  readonly mostInFlight: number;
  /** Attempts sent in each slot of the timeline. */
  readonly timeline: readonly number[];
}

export interface Slot {
  /** When it begins, in ms of virtual time. */
  readonly at: number;
  /** Calls that arrived in it, and of these: failed, attempts made, latencies. */
  readonly calls: number;
  readonly failures: number;
  readonly attempts: number;
  readonly latency: Quantiles;
}

export interface SimulationReport {
  readonly calls: number;
  readonly failures: number;
  /** Failures by the error's code, or its message where it has none. */
  readonly errors: Readonly<Record<string, number>>;
  readonly attemptsPerCall: number;
  /** As callers see it: from the arrival to the settling, in ms, of calls that succeeded. NaN where there is none. */
  readonly latency: Quantiles;
  /** What a picker that knows everything would have done with the same arrivals and the same work. */
  readonly best: { readonly latency: Quantiles; readonly failures: number };
  readonly servers: readonly ServerReport[];
  readonly timeline: readonly Slot[];
  /** Timers still pending after all clients were closed: 0, or something leaks. */
  readonly pendingTimers: number;
}
