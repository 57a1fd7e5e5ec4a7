import type { Clock } from '../base/env.ts';
import { FairleadError } from '../base/errors.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Member } from '../model/member.ts';
import type { ProbeAnswer, ProbedLoad } from './probed-load.ts';

/** Asks a server how busy it is. The signal aborts when nobody waits for the answer any more. */
export type Probe = (endpoint: Endpoint, signal: AbortSignal) => PromiseLike<ProbeAnswer>;

/** Hears each probe's answer once: nothing, if it failed or is late. */
export type Hear = (member: Member, answer: unknown) => void;

/** Sends probes, and waits for each no longer than it may take. */
export class Prober {
  readonly #probe: Probe;
  readonly #timeout: number;
  readonly #batches = new Set<Batch>();
  #outstanding = 0;
  #closed = false;

  constructor(probe: Probe, timeout: number) {
    this.#probe = probe;
    this.#timeout = timeout;
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  /**
   * Probes these members, none of which is being probed already, once what runs now is done: the call that brings
   * the probes along goes first.
   */
  send(members: readonly Member[], clock: Clock, hear: Hear): void {
    if (this.#closed) return;
    const batch = new Batch(
      members,
      member => {
        this.#outstanding--;
        if (batch.left.size === 0) this.#batches.delete(batch);
        (member.load as ProbedLoad).probing = false;
      },
      hear,
    );
    this.#batches.add(batch);
    this.#outstanding += members.length;
    for (const { load } of members) (load as ProbedLoad).probing = true;
    void SOON.then(() => batch.send(this.#probe, clock, this.#timeout));
  }

  /** May send again, for there are members again. */
  open(): void {
    this.#closed = false;
  }

  /** Gives up all that are outstanding, and sends no more. */
  close(): void {
    this.#closed = true;
    for (const batch of this.#batches) batch.giveUp(new FairleadError('CLOSED', 'the client is closed'));
  }
}

const SOON: Promise<void> = /* @__PURE__ */ Promise.resolve();

/** The probes of one call: they share a timer and a signal. */
class Batch {
  readonly left: Set<Member>;
  readonly #over: (member: Member) => void;
  readonly #hear: Hear;
  readonly #controller = new AbortController();
  #cancel: (() => void) | undefined;

  constructor(members: readonly Member[], over: (member: Member) => void, hear: Hear) {
    this.left = new Set(members);
    this.#over = over;
    this.#hear = hear;
  }

  send(probe: Probe, clock: Clock, timeout: number): void {
    if (this.left.size === 0) return; // closed in the meantime
    this.#cancel = clock.after(timeout, () =>
      this.giveUp(new FairleadError('TIMEOUT', `no answer to a probe within ${timeout} ms`)),
    );
    for (const member of [...this.left]) {
      const settle = (answer?: unknown): void => this.#settle(member, answer);
      try {
        Promise.resolve(probe(member.endpoint, this.#controller.signal)).then(settle, () => settle());
      } catch {
        settle();
      }
    }
  }

  giveUp(reason: unknown): void {
    for (const member of this.left) this.#settle(member);
    this.#controller.abort(reason);
  }

  #settle(member: Member, answer?: unknown): void {
    if (!this.left.delete(member)) return;
    if (this.left.size === 0) this.#cancel?.();
    this.#over(member);
    this.#hear(member, answer);
  }
}
