import type { Env } from '../base/env.ts';
import type { Endpoint } from './endpoint.ts';
import type { Member } from './member.ts';

/**
 * Asks a member whether it is well. Passes if the promise resolves with anything but `false`; fails if it rejects. The
 * signal aborts when the check's time is over.
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
