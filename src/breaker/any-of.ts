import { bad, checkFunction } from '../base/errors.ts';
import type { FailureKind } from '../base/failure-kind.ts';
import type { Breaker, BreakerState, MakeBreaker, Peer, Peers } from '../model/breaker.ts';
import type { Outcome } from '../model/outcome.ts';

/**
 * Several breakers beside each other: open when any is, half-open when any is and none is open. Each sees every outcome,
 * with thresholds and open times of its own; once all have closed, all begin afresh.
 *
 * ```ts
 * anyOf(consecutiveFailures({ threshold: 2, counts: ['connect'] }), outliers());
 * ```
 *
 * @throws TypeError for what makes no breaker
 */
export function anyOf(...breakers: readonly MakeBreaker[]): MakeBreaker {
  if (breakers.length === 0) throw bad('anyOf', 'nothing', 'one breaker or several');
  for (const make of breakers) checkFunction('anyOf breaker', make);
  /** To each breaker the others of its kind, pool by pool. */
  const views = new WeakMap<Peers, readonly Peers[]>();
  return (env, peers) => {
    let own = peers && views.get(peers);
    if (peers !== undefined && own === undefined) {
      own = breakers.map((_, i) => () => partsOf(peers, i));
      views.set(peers, own);
    }
    const parts = breakers.map((make, i) => make(env, own?.[i]));
    for (const name of ['allows', 'begin', 'end'] as const)
      for (const part of parts) checkFunction(`anyOf breaker ${name}`, part?.[name]);
    return parts.every(part => part.passive) ? new AnyPassiveOf(parts) : new AnyOf(parts);
  };
}

function* partsOf(peers: Peers, i: number): Iterable<Peer> {
  for (const { breaker, refused } of peers())
    if (breaker instanceof AnyOf) yield { breaker: breaker.parts[i]!, refused };
}

class AnyOf implements Breaker {
  readonly parts: readonly Breaker[];

  constructor(parts: readonly Breaker[]) {
    this.parts = parts;
  }

  get state(): BreakerState {
    let state: BreakerState = 'closed';
    for (const part of this.parts) {
      if (part.state === 'open') return 'open';
      if (part.state === 'half-open') state = 'half-open';
    }
    return state;
  }

  /** Changes when any part's does: then what has begun before is void for all. */
  get epoch(): number {
    let sum = 0;
    for (const part of this.parts) sum += part.epoch;
    return sum;
  }

  allows(now: number): boolean {
    for (const part of this.parts) if (!part.allows(now)) return false;
    return true;
  }

  begin(now: number): void {
    for (const part of this.parts) part.begin(now);
  }

  end(outcome: Outcome, elapsed: number, epoch: number, now: number, kind?: FailureKind): void {
    if (epoch !== this.epoch) return;
    const { state } = this;
    for (const part of this.parts) part.end(outcome, elapsed, part.epoch, now, kind);
    if (state !== 'closed' && this.state === 'closed') this.forgive();
  }

  hint(now: number): void {
    for (const part of this.parts) part.hint?.(now);
  }

  forgive(): void {
    for (const part of this.parts) part.forgive?.();
  }

  save(now: number): unknown {
    const saved = this.parts.map(part => part.save?.(now) ?? null);
    return saved.every(part => part === null) ? undefined : saved;
  }

  restore(saved: unknown, age: number, now: number): void {
    const { parts } = this;
    if (!Array.isArray(saved) || saved.length !== parts.length)
      throw bad('a saved breaker', saved, `an array of ${parts.length}, as anyOf saves`);
    parts.forEach((part, i) => {
      if (saved[i] !== null) part.restore?.(saved[i], age, now);
    });
  }
}

class AnyPassiveOf extends AnyOf {
  get passive(): true {
    return true;
  }
}
