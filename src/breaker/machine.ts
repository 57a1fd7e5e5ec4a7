import { type Env, jittered, type Random } from '../base/env.ts';
import { bad, checkNumber, shown } from '../base/errors.ts';
import { checkKind, type FailureKind, KINDS } from '../base/failure-kind.ts';
import type { Names, Settled } from '../base/options.ts';
import type { Breaker, BreakerState } from '../model/breaker.ts';
import type { Outcome } from '../model/outcome.ts';

/** What every breaker has in common: which failures count, and what happens once it has opened. */
export interface OpenOptions {
  /**
   * Which kinds of failure count: one or several of `connect`, `timeout`, `answer` and `error`. A bad answer that does
   * not count shows the member working; any other failure that does not count proves nothing. Default: all.
   */
  readonly counts?: readonly FailureKind[] | undefined;
  /** How long it stays open the first time, in ms. Default: 1000. */
  readonly openFor?: number | undefined;
  /**
   * How long it stays open at most, in ms. Each time it opens again the time doubles up to here; each ms it was closed
   * in between takes back one. Default: 30 000.
   */
  readonly maxOpenFor?: number | undefined;
  /** How many calls are let through to find out whether the member is well; all must succeed. Default: 1. */
  readonly probes?: number | undefined;
  /** By what share either way the open time is drawn, 0 to 1, lest all clients probe at once. Default: 0.2. */
  readonly jitter?: number | undefined;
}

/** What they are called. */
export const OPEN_OPTIONS: Names<OpenOptions> = {
  counts: 1,
  openFor: 1,
  maxOpenFor: 1,
  probes: 1,
  jitter: 1,
};

/** Checked, with defaults in. One object serves all breakers of a pool. */
export type OpenSettings = Settled<Omit<OpenOptions, 'counts'>> & Pick<Required<OpenOptions>, 'counts'>;

/** @throws RangeError or TypeError for an option out of range */
export function openSettings(name: string, options: OpenOptions): OpenSettings {
  const {
    counts,
    openFor = 1000,
    maxOpenFor = Math.max(30_000, openFor),
    probes = 1,
    jitter = 0.2,
  } = options;
  if (counts !== undefined) {
    if (!Array.isArray(counts) || counts.length === 0) {
      const given = Array.isArray(counts) ? 'an empty array' : shown(counts);
      throw new TypeError(
        `${name} counts is ${given}; it must be an array of one or several of ${KINDS.join(', ')}`,
      );
    }
    for (const kind of counts) checkKind(`${name} counts`, kind);
  }
  checkNumber(`${name} openFor`, openFor, 1);
  checkNumber(`${name} maxOpenFor`, maxOpenFor, openFor);
  checkNumber(`${name} probes`, probes, 1, 1000, true);
  checkNumber(`${name} jitter`, jitter, 0, 1);
  return { counts, openFor, maxOpenFor, probes, jitter };
}

/** What a breaker saves. */
interface Saved {
  readonly state: BreakerState;
  /** For how many ms it would have stayed open. */
  readonly remaining: number;
  /** How long it opened the last time, in ms, less what health has taken back. */
  readonly openFor: number;
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
  /** From what that was drawn. */
  #nominal = 0;
  #probes = 0;
  #successes = 0;
  /** Whether a call has begun in this epoch although it was not allowed. */
  #panicked = false;

  constructor(settings: Settings, { random }: Env) {
    this.settings = settings;
    this.#random = random;
  }

  // No field, which would take room in each.
  get passive(): true {
    return true;
  }

  /** Takes in an attempt that ended while closed, and says whether it opens the breaker. */
  protected abstract trips(failed: boolean, elapsed: number, now: number): boolean;
  /** Forgets all outcomes, upon closing. */
  protected abstract reset(): void;

  /** Whether a probe that went like this opens it again. */
  protected disproves(failed: boolean, _elapsed: number): boolean {
    return failed;
  }

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

  end(outcome: Outcome, elapsed: number, epoch: number, now: number, kind?: FailureKind): void {
    if (epoch !== this.epoch || this.state === 'open') return;
    const { counts } = this.settings;
    const uncounted =
      outcome === 'failure' && kind !== undefined && counts !== undefined && !counts.includes(kind);
    if (outcome === 'ignored' || (uncounted && kind !== 'answer')) {
      // It proved nothing: another may go. Unless calls in panic are about, for then it may have been no probe.
      if (this.state === 'half-open' && !this.#panicked) this.#probes--;
      return;
    }
    const failed = outcome === 'failure' && !uncounted;
    if (this.state === 'closed') {
      if (this.trips(failed, elapsed, now)) this.#open(now);
    } else if (this.disproves(failed, elapsed)) {
      this.#open(now);
    } else if (++this.#successes === this.settings.probes) {
      this.#enter('closed', now);
    }
  }

  hint(now: number): void {
    if (this.state === 'open') this.#since = Math.floor(now) - this.#openFor;
  }

  forgive(): void {
    if (this.state === 'closed') this.reset();
  }

  save(now: number): Saved | undefined {
    const { state } = this;
    // What two ms of health take back from the next time is one ms of the last.
    const openFor = Math.max(0, this.#nominal - (state === 'closed' ? (now - this.#since) / 2 : 0));
    if (state === 'closed' && 2 * openFor <= this.settings.openFor) return undefined;
    const remaining = state === 'open' ? Math.max(0, this.#since + this.#openFor - now) : 0;
    return { state, remaining, openFor };
  }

  restore(saved: unknown, age: number, now: number): void {
    const { state, remaining, openFor } = checkSaved(saved);
    const { maxOpenFor } = this.settings;
    const taken = state === 'closed' ? age / 2 : 0;
    this.#nominal = Math.floor(Math.min(maxOpenFor, Math.max(0, openFor - taken)));
    if (state === 'closed') {
      this.#since = Math.floor(now);
      return;
    }
    // The probes of the other process have gone with it: half-open is open, and due.
    this.#enter('open', now);
    this.#openFor = Math.max(1, this.#nominal);
    const left = Math.max(0, Math.min(maxOpenFor, remaining) - age);
    this.#since = Math.floor(now + left) - this.#openFor;
  }

  #open(now: number): void {
    const { openFor, maxOpenFor, jitter } = this.settings;
    // Twice the last time, less what it has been closed for: what comes back soon was no recovery.
    const grown = 2 * this.#nominal - (this.state === 'closed' ? now - this.#since : 0);
    this.#nominal = Math.round(Math.min(maxOpenFor, Math.max(openFor, grown)));
    this.#enter('open', now);
    const drawn = jittered(this.#random, this.#nominal, jitter);
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

function checkSaved(saved: unknown): Saved {
  const { state, remaining, openFor } = (saved ?? {}) as Saved;
  if (state !== 'closed' && state !== 'open' && state !== 'half-open')
    throw bad('a saved breaker', saved, 'what a breaker like it has saved');
  checkNumber(`a saved breaker's remaining`, remaining, 0, Number.MAX_SAFE_INTEGER);
  checkNumber(`a saved breaker's openFor`, openFor, 0, Number.MAX_SAFE_INTEGER);
  return { state, remaining, openFor };
}
