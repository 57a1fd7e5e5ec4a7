import { type AbortListener, relayWhile, tellAll } from './signal.ts';

/** Who is told what listeners throw, which keeps no other from hearing of an abort. */
export interface Blamed {
  blame(error: unknown): void;
}

/**
 * What may be given up, and who is to hear of it. There is a signal of the platform's for it as soon as somebody asks for
 * one: a listener on such a signal takes as long as all the rest of a call.
 */
export class Abort {
  readonly #whose: Blamed;
  aborted = false;
  reason: unknown;
  #controller: AbortController | undefined;
  #first: AbortListener | undefined;
  #others: Set<AbortListener> | undefined;

  constructor(whose: Blamed) {
    this.#whose = whose;
  }

  get controller(): AbortController {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller;
  }

  /** Only the first time counts. The listeners hear of it before the signal does. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const first = this.#first;
    this.#first = undefined;
    try {
      first?.aborted(reason);
    } catch (error) {
      this.#whose.blame(error);
    }
    if (this.#others !== undefined) tellAll(this.#others, reason, error => this.#whose.blame(error));
    this.#controller?.abort(reason);
  }

  /** Without effect once it is aborted. */
  listen(listener: AbortListener): void {
    if (this.aborted) return;
    if (this.#first === undefined) this.#first = listener;
    else if (this.#others === undefined) this.#others = new Set([listener]);
    else this.#others.add(listener);
  }

  unlisten(listener: AbortListener): void {
    if (this.#first === listener) this.#first = undefined;
    else this.#others?.delete(listener);
  }

  /** Aborts the controller when the signal does, as long as `holder` is in use. */
  relayWhile(holder: object, signal: AbortSignal, to: AbortController): void {
    relayWhile(holder, signal, to);
  }
}
