import type { Clock } from './env.ts';

/** Who is to hear that something is given up. */
export interface AbortListener {
  aborted(reason: unknown): void;
}

/**
 * Tells the listener when the signal aborts. The platform sees one listener, however many wait for the signal: it walks
 * all of them to add one, and Node warns of a leak when there are more than ten.
 */
export function enlist(signal: AbortSignal, listener: AbortListener): void {
  const { waiting, tell } = crowds.get(signal) ?? gathered(signal);
  if (waiting.size === 0) signal.addEventListener('abort', tell);
  waiting.add(listener);
}

/** Tells it no longer. */
export function unlist(signal: AbortSignal, listener: AbortListener): void {
  const crowd = crowds.get(signal);
  if (crowd?.waiting.delete(listener) && crowd.waiting.size === 0)
    signal.removeEventListener('abort', crowd.tell);
}

/** Calls back when the signal aborts. Answers how to stop that. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const listener = { aborted: callback };
  enlist(signal, listener);
  return () => unlist(signal, listener);
}

/** Tells all of them, but for those who leave meanwhile. What one throws must not keep it from the others. */
export function tellAll(
  listeners: Set<AbortListener>,
  reason: unknown,
  blame: (error: unknown) => void,
): void {
  for (const each of [...listeners]) {
    if (!listeners.delete(each)) continue;
    try {
      each.aborted(reason);
    } catch (error) {
      blame(error);
    }
  }
}

/** A function of its own: what it makes lives as long as the signal, and must not hold the first that waited. */
function gathered(signal: AbortSignal): Crowd {
  const waiting = new Set<AbortListener>();
  const tell = (): void => {
    signal.removeEventListener('abort', tell);
    const errors: unknown[] = [];
    tellAll(waiting, signal.reason, error => errors.push(error));
    if (errors.length > 0) throw errors[0]; // the platform reports it
  };
  const crowd = { waiting, tell };
  crowds.set(signal, crowd);
  return crowd;
}

interface Crowd {
  readonly waiting: Set<AbortListener>;
  readonly tell: () => void;
}

/** Who waits for a signal, and what tells them. */
const crowds = /* @__PURE__ */ new WeakMap<AbortSignal, Crowd>();

/** Resolves after `ms`, or rejects with the signal's reason if it aborts first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  let cancel = (): void => {};
  const over = new Promise<void>(resolve => {
    cancel = clock.after(ms, resolve);
  });
  return abortable(over, signal).finally(cancel);
}

/** Settles as the promise does, or rejects with the signal's reason if it aborts first. */
export function abortable<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      promise.then(undefined, () => {}); // nobody else will hear of its failure
      return reject(signal.reason);
    }
    const leave = signal && onAbort(signal, () => reject(signal.reason));
    promise.then(
      value => {
        leave?.();
        resolve(value);
      },
      error => {
        leave?.();
        reject(error);
      },
    );
  });
}

/** Settles as `work` does, or rejects with `late()` after `ms`; the signal given to `work` aborts then too. */
export function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  late: () => unknown,
  work: (signal: AbortSignal) => PromiseLike<T>,
): Promise<T> {
  const controller = new AbortController();
  const cancel = clock.after(ms, () => controller.abort(late()));
  if (signal?.aborted) controller.abort(signal.reason);
  const leave = signal && onAbort(signal, () => controller.abort(signal.reason));
  const release = () => {
    cancel();
    leave?.();
  };
  return abortable(promised(work, controller.signal), controller.signal).then(
    value => {
      release();
      return value;
    },
    error => {
      release();
      throw error;
    },
  );
}

async function promised<A, T>(work: (argument: A) => PromiseLike<T>, argument: A): Promise<T> {
  return work(argument);
}

/**
 * Aborts the controller when the signal aborts, for as long as `holder` is in use: the signal may live for ever
 * and see a million calls, so it is left with a weak reference, and with nothing once `holder` is collected.
 */
export function relayWhile(holder: object, signal: AbortSignal, to: AbortController): void {
  const held = kept.get(holder);
  if (held === undefined) kept.set(holder, [to]);
  else held.push(to);
  const weak = new WeakRef(to);
  leftovers.register(
    holder,
    onAbort(signal, () => weak.deref()?.abort(signal.reason)),
  );
}

/** Keeps each controller alive as long as its holder: the platform holds signals it follows weakly, too. */
const kept = /* @__PURE__ */ new WeakMap<object, AbortController[]>();

const leftovers = /* @__PURE__ */ new FinalizationRegistry<() => void>(leave => leave());
