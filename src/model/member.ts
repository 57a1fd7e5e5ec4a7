import type { Clock } from '../base/env.ts';
import { bad } from '../base/errors.ts';
import { checkKind, type FailureKind, kindOf } from '../base/failure-kind.ts';
import type { Breaker, BreakerState } from './breaker.ts';
import type { Endpoint } from './endpoint.ts';
import type { Flight, Load, LoadReport } from './load.ts';
import { blame, guarded, type Observer, tell } from './observer.ts';
import type { Outcome } from './outcome.ts';
import { Vitals } from './vitals.ts';

const ISOLATED = 1;
const UNHEALTHY = 2;
const COOLING = 4;
const LIMITED = 8;
/** Its breaker is not closed, or of a kind that must be asked each time. */
const BREAKER = 16;

/** What the members of one pool share. */
export interface Site {
  /** It may be held, so that all that is done up to a task is done at the same moment. */
  readonly clock: Clock & { release?(): void };
  readonly observer: Observer | undefined;
}

/** An endpoint and what this process has learned of it. Outlives updates that keep its address. */
export class Member {
  // What a pick reads comes first, to be near each other in memory.
  /**
   * What may speak against it, as bits; 0 while nothing does, so that a pick need look at nothing else. Kept by the
   * setters below, and when its breaker moves.
   */
  doubts = 0;
  /** The endpoint's weight, 1 if it has none. */
  weight: number;
  readonly load: Load;
  /** Attempts begun and not ended. */
  inFlight = 0;
  readonly breaker: Breaker;
  /** As discovery last told it. */
  endpoint: Endpoint;
  /** Whether it belongs to the set and may be picked: not removed, not drained. */
  active = false;
  #coolUntil = Number.NEGATIVE_INFINITY;
  #limit = Number.POSITIVE_INFINITY;
  /** Whether its breaker was not closed, or its health checks failed, when that last changed. */
  refused = false;
  /** Breaker, checks and coolness are not heeded, for as many members as may be are refused already. */
  spared = false;
  /** How many calls in a row have failed; those that ran side by side fail for one reason, and count once. */
  failing = 0;
  /** When the first and the latest of them were known to have failed, in monotonic ms. */
  failingSince: number = Number.NEGATIVE_INFINITY;
  failedAt: number = Number.NEGATIVE_INFINITY;
  /** What it has in common with the other members of its pool. */
  readonly vitals: Vitals;

  constructor(endpoint: Endpoint, load: Load, breaker: Breaker, vitals: Vitals = new Vitals()) {
    this.endpoint = endpoint;
    this.weight = endpoint.weight ?? 1;
    this.load = load;
    this.breaker = breaker;
    this.vitals = vitals;
    this.heed();
  }

  /** Taken out by hand: it gets no call, not even in panic. */
  get isolated(): boolean {
    return (this.doubts & ISOLATED) !== 0;
  }
  set isolated(yes: boolean) {
    this.#doubt(ISOLATED, yes);
  }

  /** Its health checks fail. */
  get unhealthy(): boolean {
    return (this.doubts & UNHEALTHY) !== 0;
  }
  set unhealthy(yes: boolean) {
    this.#doubt(UNHEALTHY, yes);
  }

  /** It asked to be left alone until then, in monotonic ms. */
  get coolUntil(): number {
    return this.#coolUntil;
  }
  set coolUntil(until: number) {
    this.#coolUntil = until;
    this.#doubt(COOLING, until > Number.NEGATIVE_INFINITY);
  }

  /** How many attempts it may have in flight; beyond, it gets none, not even in panic. */
  get limit(): number {
    return this.#limit;
  }
  set limit(limit: number) {
    this.#limit = limit;
    this.#doubt(LIMITED, limit < Number.POSITIVE_INFINITY);
  }

  /** Its breaker may have moved. */
  heed(): void {
    const { breaker } = this;
    this.#doubt(BREAKER, breaker.passive !== true || breaker.state !== 'closed');
  }

  #doubt(bit: number, yes: boolean): void {
    this.doubts = yes ? this.doubts | bit : this.doubts & ~bit;
  }

  /** Whether it can take one more attempt at all. */
  get free(): boolean {
    return !this.isolated && this.inFlight < this.limit;
  }

  /** Whether, for all that is known of it, it may be called. */
  available(now: number): boolean {
    return (this.breaker.allows(now) && !this.unhealthy && now >= this.coolUntil) || this.spared;
  }

  /** Takes in that an attempt succeeded. */
  succeeded(now: number): void {
    this.failing = 0;
    if ((this.doubts & COOLING) !== 0 && now >= this.#coolUntil) this.coolUntil = Number.NEGATIVE_INFINITY;
  }

  /** Takes in that an attempt failed. */
  failed(startedAt: number, now: number): void {
    if (this.failing === 0) this.failingSince = now;
    if (this.failing === 0 || startedAt >= this.failedAt) this.failing++;
    this.failedAt = now;
  }

  /** Something else than a probe says that it is well. */
  hint(site: Site, now: number): void {
    const { breaker } = this;
    guarded(site.observer, 'breaker', () => {
      const from = breaker.state;
      breaker.hint?.(now);
      if (breaker.state !== from) moved(this, from, site, now);
    });
  }

  /** Takes in what discovery says of it now. */
  update(endpoint: Endpoint): void {
    this.endpoint = endpoint;
    this.weight = endpoint.weight ?? 1;
  }

  /** Begins an attempt, which the caller must end. */
  begin(site: Site, now: number): Attempt {
    const { breaker, load } = this;
    const from = breaker.state;
    const attempt = new Attempt(this, site, now);
    this.inFlight++;
    this.vitals.inFlight++;
    // The breaker and the load may be the user's: what they throw must not reach the call.
    try {
      breaker.begin(now);
    } catch (error) {
      blame(site.observer, 'breaker', error);
    }
    try {
      load.begin(attempt);
    } catch (error) {
      blame(site.observer, 'load', error);
    }
    attempt.epoch = breaker.epoch;
    if (breaker.state !== from) moved(this, from, site, now);
    return attempt;
  }
}

/** One try at one member, from `begin` to `end`. */
export class Attempt implements Flight {
  readonly member: Member;
  /** Monotonic ms. */
  readonly startedAt: number;
  /** How long it took, in ms; undefined while it runs. */
  elapsed: number | undefined;
  outcome: Outcome | undefined;
  /** What it threw, if it threw. */
  error: unknown;
  /** How it failed, if it did. */
  kind: FailureKind | undefined;
  /** For how many ms the member asked to be left alone. Set before `end`. */
  retryAfter: number | undefined;
  /** The breaker's epoch it began in. */
  epoch = 0;
  beganAt = 0;
  older: Flight | undefined;
  newer: Flight | undefined;
  readonly #site: Site;

  constructor(member: Member, site: Site, startedAt: number) {
    this.member = member;
    this.#site = site;
    this.startedAt = startedAt;
  }

  get endpoint(): Endpoint {
    return this.member.endpoint;
  }

  get weight(): number {
    return this.member.weight;
  }

  /** Hands on what the member told of how busy it is, if the balancer's loads take reports. */
  report(report: LoadReport): void {
    const { clock, observer } = this.#site;
    guarded(observer, 'load', () => this.member.load.report?.(report, clock.now()));
  }

  /**
   * Reports how it went, and what it threw if it did; how it failed, where its error does not tell. Only the first report
   * counts.
   *
   * @throws TypeError for what is no outcome or no kind
   */
  end(outcome: Outcome, error?: unknown, kind?: FailureKind): void {
    if (this.outcome !== undefined) return;
    if (outcome !== 'success' && outcome !== 'failure' && outcome !== 'ignored')
      throw bad('outcome', outcome, `'success', 'failure' or 'ignored'`);
    if (kind !== undefined && outcome === 'failure') checkKind('kind', kind);
    const { member } = this;
    const { clock, observer } = this.#site;
    const now = clock.now();
    const elapsed = now - this.startedAt;
    this.outcome = outcome;
    this.elapsed = elapsed;
    this.error = error;
    if (outcome === 'failure') this.kind = kind ?? kindOf(error);
    member.inFlight--;
    member.vitals.inFlight--;
    if (outcome === 'success') member.succeeded(now);
    else if (outcome === 'failure') member.failed(this.startedAt, now);
    if (outcome === 'failure' && this.retryAfter! > 0)
      member.coolUntil = Math.max(member.coolUntil, now + Math.min(LONGEST_COOL, this.retryAfter!));
    const { breaker } = member;
    const from = breaker.state;
    try {
      breaker.end(outcome, elapsed, this.epoch, now, this.kind);
    } catch (fault) {
      blame(observer, 'breaker', fault);
    }
    if (breaker.state !== from) moved(member, from, this.#site, now);
    // It was called although refused, as in panic, and did well: no reason to wait any longer with the probe.
    else if (from === 'open' && outcome === 'success' && breaker.epoch === this.epoch)
      member.hint(this.#site, now);
    try {
      member.load.end(this, outcome, now);
    } catch (fault) {
      blame(observer, 'load', fault);
    }
    tell(observer, 'attemptEnd', this);
  }
}

/** For how long a member may ask to be left alone, in ms: Envoy's bound for `Retry-After`. */
const LONGEST_COOL = 300_000;

/** A member shown to be well starts afresh: else what it cost while it was ill would keep it idle for long. */
function moved(member: Member, from: BreakerState, site: Site, now: number): void {
  const { observer } = site;
  const to = member.breaker.state;
  member.heed();
  const rest = member.vitals.moved(member);
  if (to === 'closed') {
    member.failing = 0;
    guarded(observer, 'load', () => member.load.forgive?.());
    for (const other of rest) if (other.breaker.state === 'open') other.hint(site, now);
  }
  tell(observer, 'breaker', { member, from, to });
}
