import type { Env } from '../base/env.ts';
import type { Endpoint } from './endpoint.ts';
import type { Member } from './member.ts';

/**
 * Asks a member whether it is well, in any protocol. Passes if the promise resolves with anything but `false` and functions
 * (which are checks to be called); fails if it rejects, or throws. The signal aborts when the check's time is over, its member has left or the pool is closed: nobody
 * waits any longer then, but what the check still does is its own affair. A protocol's health service is one such function:
 * gRPC's asks `grpc.health.v1.Health/Check` at the endpoint's address, and answers whether the status is `SERVING`.
 */
export type HealthCheck = (endpoint: Endpoint, signal: AbortSignal) => PromiseLike<unknown>;

/** Watches the members of one pool. */
export interface HealthMonitor {
  /** Takes the members there are now, drained ones left out. */
  set(members: readonly Member[]): void;
  /** Stops all checks and timers. */
  close(): void;
}

/** Makes the monitor of a pool, which reports members that fall ill or recover. `error` is what the last check failed with. */
export type MakeHealth = (
  env: Env,
  report: (member: Member, healthy: boolean, error?: unknown) => void,
) => HealthMonitor;
