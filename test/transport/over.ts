import { type BalancedFetch, createFetch, type FetchOptions, fixed, roundRobin } from 'fairlead';
import { type ManualClock, manualClock, seededRandom } from 'fairlead/testing';
import { logbook, watch } from '../helpers.ts';
import { type Running, serve } from './servers.ts';

/** Real servers, called by a clock that stands still until told. */
export interface Service {
  readonly fetch: BalancedFetch;
  readonly clock: ManualClock;
  readonly lines: string[];
  /** How the attempts at a server ended. */
  readonly outcomes: (server: Pick<Running, 'id'>) => string[];
  readonly state: (server: Pick<Running, 'id'>) => string;
}

/** A balanced fetch over servers taken in turn. */
export function over(servers: readonly Pick<Running, 'id'>[], options: Partial<FetchOptions> = {}): Service {
  const clock = manualClock();
  const { observer, lines } = logbook();
  const fetch = createFetch({
    discovery: fixed(servers.map(({ id }) => id)),
    balancer: roundRobin(),
    env: { clock, random: seededRandom(1) },
    observer,
    ...options,
  });
  return {
    fetch,
    clock,
    lines,
    outcomes: ({ id }) =>
      lines.filter(line => line.startsWith(`attemptEnd ${id} `)).map(line => line.split(' ')[2]!),
    state: ({ id }) => fetch.client.pool.members().find(({ endpoint }) => endpoint.id === id)!.breaker,
  };
}

export const hello = (): Promise<Running> => serve((_, response) => response.end('hello'));

/** Lets time pass, in small steps between which sockets may do their work, until a promise has settled. */
export async function meanwhile<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const fate = watch(promise);
  while (fate.state === 'pending') {
    await clock.advance(1);
    await new Promise(resolve => setImmediate(resolve));
  }
  return promise;
}
