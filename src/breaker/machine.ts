import { type Env, jittered, type Random } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import type { Breaker, BreakerState } from '../model/breaker.ts';
import type { Outcome } from '../model/outcome.ts';

/** What every breaker has in common: what happens once it has opened. */
export interface OpenOptions {
  /** How long it stays open the first time, in ms. Default: 1000. */
  readonly openFor?: number;
  /** How long it stays open at most, in ms: each time a probe fails it doubles up to here. Default: 30 000. */
  readonly maxOpenFor?: number;
  /** How many calls are let through to find out whether the member is well; all must succeed. Default: 1. */
  readonly probes?: number;
  /** By what share either way the open time is drawn, 0 to 1, lest all clients probe at once. Default: 0.2. */
  readonly jitter?: number;
}

/** Checked, with defaults in. One object serves all breakers of a pool. */
export type OpenSettings = Required<OpenOptions>;

/** @throws RangeError for an option out of range */
export function openSettings(name: string, options: OpenOptions): OpenSettings {
  const { openFor = 1000, maxOpenFor = Math.max(30_000, openFor), probes = 1, jitter = 0.2 } = options;
  checkNumber(`${name} openFor`, openFor, 1);
  checkNumber(`${name} maxOpenFor`, maxOpenFor, openFor);
  checkNumber(`${name} probes`, probes, 1, 1000, true);
  checkNumber(`${name} jitter`, jitter, 0, 1);
  return { openFor, maxOpenFor, probes, jitter };
}

/**
 * The state machine of all breakers: closed → open → half-open → closed, or back to open. What opens it is told
 * by `trips`. Moves when a call begins or ends, never by itself, so it needs no timer; a late outcome of an
 * earlier epoch moves nothing.
 */
export abstract class BreakerMachine<Settings extends OpenSettings = OpenSettings> implements Breaker {
  state: BreakerState = 'closed';
  epoch = 0;
  protected readonly settings: Settings;
  readonly #random: Random;
  /** When it entered this state, or, half-open, when the latest probe began. In whole ms, which take less room. */
  #since = 0;
  /** How long it stays open this time, or stayed the last time, in whole ms. */
  #openFor = 0;
  #doublings = 0;
  #probes = 0;
  #successes = 0;
  /** Whether a call has begun in this epoch although it was not allowed. */
  #panicked = false;

  constructor(settings: Settings, { random }: Env) {
    this.settings = settings;
    this.#random = random;
  }

  /** Whether an attempt counts against the member. */
  protected failed(outcome: Outcome, _elapsed: number): boolean {
    return outcome === 'failure';
  }

  /** Takes in an attempt that ended while closed, and says whether it opens the breaker. */
  protected abstract trips(failed: boolean, now: number): boolean;
  /** Forgets all outcomes, upon closing. */
  protected abstract reset(): void;

  allows(now: number): boolean {
    if (this.state === 'closed') return true;
    if (this.state === 'half-open' && this.#probes < this.settings.probes) return true;
    // Open and its time is up; or half-open and the probes have not come back in that time, so others may go.
    return now - this.#since >= this.#openFor;
  }

  begin(now: number): void {
    if (this.state === 'closed') return;
    if (!this.allows(now)) {
      this.#panicked = true;
      return;
    }
    if (this.state === 'open' || this.#probes === this.settings.probes) this.#enter('half-open', now);
    this.#since = Math.ceil(now);
    this.#probes++;
  }

  end(outcome: Outcome, elapsed: number, epoch: number, now: number): void {
    if (epoch !== this.epoch || this.state === 'open') return;
    if (outcome === 'ignored') {
      // It proved nothing: another may go. Unless calls in panic are about, for then it may have been no probe.
      if (this.state === 'half-open' && !this.#panicked) this.#probes--;
      return;
    }
    const failed = this.failed(outcome, elapsed);
    if (this.state === 'closed') {
      if (this.trips(failed, now)) this.#open(now);
    } else if (failed) {
      this.#open(now);
    } else if (++this.#successes === this.settings.probes) {
      this.#enter('closed', now);
    }
  }

  hint(now: number): void {
    if (this.state === 'open') this.#since = Math.floor(now) - this.#openFor;
  }

  #open(now: number): void {
    const { openFor, maxOpenFor, jitter } = this.settings;
    // Again after a probe, or so soon after closing that it was no recovery: for longer than the last time.
    const again = this.state === 'half-open' || (this.#openFor > 0 && now - this.#since < this.#openFor);
    this.#doublings = again ? this.#doublings + 1 : 0;
    this.#enter('open', now);
    const drawn = jittered(this.#random, Math.min(maxOpenFor, openFor * 2 ** this.#doublings), jitter);
    this.#openFor = Math.max(1, Math.ceil(Math.min(maxOpenFor, drawn)));
  }

  #enter(state: BreakerState, now: number): void {
    this.state = state;
    this.epoch++;
    this.#since = Math.ceil(now);
    this.#probes = this.#successes = 0;
    this.#panicked = false;
    if (state === 'closed') this.reset();
  }
}
