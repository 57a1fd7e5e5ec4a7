import { Call, createClient, type Endpoint } from 'fairlead';
import type {
  ClientPlace,
  SimulatedClient,
  SimulatedFault,
  SimulateOptions,
  SimulationReport,
} from '../../../src/testing/simulate/index.ts';
import { simulate } from '../../../src/testing/simulate/index.ts';

/** A client with nothing in it: each call goes to the first server it was told of, once. */
export function bare({ discovery, env }: ClientPlace): SimulatedClient {
  let endpoints: readonly Endpoint[] = [];
  const stop = new AbortController();
  void (async () => {
    for await (const set of discovery(env, stop.signal, () => {})) endpoints = set;
  })();
  return { run: async task => task(endpoints[0]!, undefined, new Call()), close: () => stop.abort() };
}

/** The library's own, with its defaults. */
export const usual = ({ env, discovery }: ClientPlace): SimulatedClient => createClient({ env, discovery });

/** One client, one server with one worker, 10 ms of work each, no network: what happens can be reckoned by hand. */
export const one = (
  faults: readonly SimulatedFault[],
  options: Partial<SimulateOptions> = {},
): Promise<SimulationReport> =>
  simulate({
    clients: 1,
    servers: 1,
    server: { concurrency: 1, service: () => 10 },
    network: 0,
    rate: 20,
    duration: 2000,
    slot: 100,
    client: bare,
    faults,
    ...options,
  });

/** Whether all calls are accounted for. */
export function whole({
  calls,
  failures,
  errors,
  timeline,
  servers,
  attemptsPerCall,
}: SimulationReport): boolean {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
  return (
    sum(timeline.map(slot => slot.calls)) === calls &&
    sum(timeline.map(slot => slot.failures)) === failures &&
    sum(Object.values(errors)) === failures &&
    sum(timeline.map(slot => slot.attempts)) === sum(servers.map(({ attempts }) => attempts)) &&
    sum(servers.flatMap(server => server.timeline)) === Math.round(attemptsPerCall * calls)
  );
}
