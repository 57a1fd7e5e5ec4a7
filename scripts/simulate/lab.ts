import {
  type Balancer,
  type ClientPlace,
  createClient,
  type EmittingClient,
  type EmittingClientOptions,
  type SimulateOptions,
  type SimulationReport,
  simulate,
} from './library.ts';

/** Makes each client a balancer of its own, as processes have. */
export type MakeBalancer = () => Balancer;

export type Client = Omit<EmittingClientOptions, 'discovery' | 'env' | 'balancer'> & {
  /** Default: the library's. */
  readonly balancer?: MakeBalancer | undefined;
};

/** Clients of the library, as they come but for the options given. */
export const clients =
  ({ balancer, ...options }: Client = {}) =>
  ({ env, discovery }: ClientPlace): EmittingClient =>
    createClient({ env, discovery, ...options, ...(balancer && { balancer: balancer() }) });

export interface Trial extends Omit<SimulateOptions, 'client'> {
  readonly client?: SimulateOptions['client'];
}

/** Another than that of the document, to see what of a result is chance: given as `SIMULATE_SEED`. */
const SEED = Number(process.env['SIMULATE_SEED'] ?? 7);

/** A simulation, by default of the library as it comes, from a fixed seed. */
export const trial = (options: Trial): Promise<SimulationReport> =>
  simulate({ seed: SEED, client: clients(), ...options });

/** Numbers from 0, so many. */
export const first = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
export const largest = (numbers: readonly number[]): number =>
  numbers.reduce((most, each) => Math.max(most, each), -Infinity);

/** What some servers had of all attempts, in slots that begin from `from` on and before `until`. */
export function shareOf(
  { servers, timeline }: SimulationReport,
  asked: readonly number[],
  from = 0,
  until = Infinity,
): number {
  const slots = first(timeline.length).filter(i => timeline[i]!.at >= from && timeline[i]!.at < until);
  const attempts = (server: number): number => sum(slots.map(slot => servers[server]!.timeline[slot]!));
  return sum(asked.map(attempts)) / sum(servers.map((_, i) => attempts(i)));
}

/** Each slot's share of attempts that a server had, times so many servers: 1 is its fair share. */
export const fairShares = ({ servers, timeline }: SimulationReport, server: number, of: number): number[] =>
  timeline.map(({ attempts }, slot) => (servers[server]!.timeline[slot]! / attempts) * of);

/** What share of so many calls may fail if each does by such a chance: four standard deviations above it. */
export const byChance = (share: number, calls: number): number => share + 4 * Math.sqrt(share / calls);

/** Calls that arrived from a time on, and failures among them. */
export const callsFrom = ({ timeline }: SimulationReport, from: number): number =>
  sum(timeline.filter(({ at }) => at >= from).map(({ calls }) => calls));
export const failuresFrom = ({ timeline }: SimulationReport, from: number): number =>
  sum(timeline.filter(({ at }) => at >= from).map(({ failures }) => failures));

/** Calls that arrived in a span of time and succeeded, a second. */
export const goodputOf = ({ timeline }: SimulationReport, from: number, until: number): number =>
  (sum(timeline.filter(({ at }) => at >= from && at < until).map(({ calls, failures }) => calls - failures)) /
    (until - from)) *
  1000;

/** Attempts sent in each slot of the timeline, to all servers together. */
export const sentOf = ({ servers, timeline }: SimulationReport): number[] =>
  timeline.map((_, slot) => sum(servers.map(each => each.timeline[slot]!)));
