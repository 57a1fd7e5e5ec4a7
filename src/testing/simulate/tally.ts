import type { Plan } from './plan.ts';
import { Numbers } from './quantiles.ts';
import type { Server } from './server.ts';
import type { SimulationReport, Slot } from './types.ts';

/** Errors of more kinds than this are counted together. */
const MOST_KINDS = 100;

/** Counts what becomes of the calls. */
export class Tally {
  calls = 0;
  failures = 0;
  attempts = 0;
  readonly #plan: Plan;
  readonly #errors = new Map<string, number>();
  readonly #latencies = new Numbers();
  readonly #best = new Numbers();
  #bestFailures = 0;
  readonly #slots: { calls: number; failures: number; attempts: number; latencies: Numbers }[];
  readonly #servers: { attempts: number; timeline: Float64Array }[];

  constructor(plan: Plan) {
    this.#plan = plan;
    const slots = Math.ceil(plan.duration / plan.slot);
    this.#slots = Array.from({ length: slots }, () => ({
      calls: 0,
      failures: 0,
      attempts: 0,
      latencies: new Numbers(),
    }));
    this.#servers = plan.servers.map(() => ({ attempts: 0, timeline: new Float64Array(slots) }));
  }

  /** What comes after the last arrival is counted in the last slot. */
  slot(time: number): number {
    return Math.min(this.#slots.length - 1, Math.floor(time / this.#plan.slot));
  }

  /** A call arrived. `best`: the latency it could have had; infinite if it had to fail. */
  arrived(slot: number, counted: boolean, best: number): void {
    this.#slots[slot]!.calls++;
    if (!counted) return;
    this.calls++;
    if (best < Number.POSITIVE_INFINITY) this.#best.push(best);
    else this.#bestFailures++;
  }

  /** An attempt of a call is sent. */
  sent(slot: number, counted: boolean, server: number, now: number): void {
    this.#slots[slot]!.attempts++;
    const own = this.#servers[server]!;
    own.timeline[this.slot(now)]!++;
    if (!counted) return;
    this.attempts++;
    own.attempts++;
  }

  succeeded(slot: number, counted: boolean, latency: number): void {
    this.#slots[slot]!.latencies.push(latency);
    if (counted) this.#latencies.push(latency);
  }

  failed(slot: number, counted: boolean, error: string): void {
    this.#slots[slot]!.failures++;
    if (!counted) return;
    this.failures++;
    const kind = this.#errors.has(error) || this.#errors.size < MOST_KINDS ? error : 'others';
    this.#errors.set(kind, (this.#errors.get(kind) ?? 0) + 1);
  }

  report(servers: readonly Server[], pendingTimers: number): SimulationReport {
    return {
      calls: this.calls,
      failures: this.failures,
      errors: Object.fromEntries([...this.#errors].sort(([a], [b]) => (a < b ? -1 : 1))),
      attemptsPerCall: this.attempts / this.calls,
      latency: this.#latencies.quantiles(),
      best: { latency: this.#best.quantiles(), failures: this.#bestFailures },
      servers: servers.map(({ endpoint, failures, mostInFlight }, i) => {
        const { attempts, timeline } = this.#servers[i]!;
        return {
          endpoint,
          attempts,
          share: attempts / this.attempts,
          failures,
          mostInFlight,
          timeline: [...timeline],
        };
      }),
      timeline: this.#slots.map(
        ({ calls, failures, attempts, latencies }, i): Slot => ({
          at: i * this.#plan.slot,
          calls,
          failures,
          attempts,
          latency: latencies.quantiles(),
        }),
      ),
      pendingTimers,
    };
  }
}

/** What an error is counted as: its code, or its message where it has none. */
export function kindOf(error: unknown): string {
  try {
    const { code, message } = error as { code?: unknown; message?: unknown };
    return String(code ?? message ?? error);
  } catch {
    return typeof error;
  }
}
