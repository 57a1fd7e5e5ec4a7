import { checkFunction } from './errors.ts';

/** What the library borrows from the outside world: time and chance. */
export interface Env {
  readonly clock: Clock;
  readonly random: Random;
}

/** A source of time. `now` and `after` belong together: `after(ms)` fires once `now` has advanced by `ms`. */
export interface Clock {
  /** Monotonic milliseconds; only differences mean anything. */
  now(): number;
  /** Calls back once, in `ms` milliseconds at the earliest. Answers a function that calls it off. */
  after(ms: number, callback: () => void): () => void;
  /** Ms since 1970, for what another process is to understand. Absent if not known. */
  wall?(): number;
  /**
   * A timer that calls back and can be set again and again, which takes longer than to leave it set. Absent where a new one
   * for each time, by `after`, does as well. It says when its time had come, if other work may have come in between. Set by
   * what it calls back, it had better not keep the asynchronous context of the call it was first set in.
   */
  timer?(callback: (at?: number) => void): Timer;
  /** The same clock with timers that do not keep the process alive; absent if no timer of it does. */
  readonly background?: Clock;
}

/** One timer, which is not set at first. */
export interface Timer {
  /** Has it call back once, in `ms` milliseconds at the earliest, and not when it was to before. Answers whether it can. */
  set(ms: number): boolean;
  /** Whether it keeps the process alive: from `set` on it does, after `unref` it does not, after `ref` it does again. */
  ref(): void;
  unref(): void;
  /** Whether a test fakes the platform's timers just now: then `after` goes by another time than it. Absent: never. */
  faked?(): boolean;
}

/** A number in [0, 1), as `Math.random`. */
export type Random = () => number;

// The platform's timers, declared here and nowhere else: the core is compiled without Node's and the DOM's types.
declare const performance: { now(): number };
declare function setTimeout(callback: () => void, ms: number): Timeout;
declare function clearTimeout(timer: Timeout | undefined): void;
declare const setImmediate: ((callback: () => void) => void) | undefined;
/** A number in browsers and workers, which has no `ref` either. */
type Timeout = { ref?(): void; unref?(): void };

/** Node's timers may be early by so many ms: it counts whole ones. */
export const EARLY = 2;

/** setTimeout fires at once beyond 2^31 - 1 ms; so long a wait is for ever, here. */
const LONGEST = 0x7fffffff;

/**
 * After a stall of the process, Node fires timers before it reads sockets: time would run out for answers that have
 * been there all along. An immediate comes after the sockets; it is the one that was there when the timer was set, for a
 * test may fake it since, and call nobody back.
 */
const afterSockets = (immediate: typeof setImmediate, callback: () => void): void =>
  typeof immediate === 'function' ? immediate(callback) : callback();
const immediateNow = (): typeof setImmediate =>
  typeof setImmediate === 'function' ? setImmediate : undefined;

const once = (ms: number, callback: () => void, background: boolean): (() => void) => {
  if (ms > LONGEST) return () => {};
  let off = false;
  const fire = (): void => {
    if (!off) callback();
  };
  const immediate = immediateNow();
  const pending = setTimeout(() => afterSockets(immediate, fire), Math.ceil(ms));
  if (background) pending.unref?.();
  return () => {
    off = true;
    clearTimeout(pending);
  };
};

// Kept, for the global is a getter in Node, which takes half as long as reading the clock itself.
const platform = performance;
const begin = setTimeout;
const end = clearTimeout;
const immediate = immediateNow();

/** Whether somebody's test has put timers of its own in their place, and perhaps a clock, or perhaps not. */
const faked = (): boolean => setTimeout !== begin;
const now = (): number => (faked() ? performance : platform).now();

/**
 * Where a timer cannot be told to keep nothing alive, it may not outlive what it was set for either: it is not shared.
 * Whoever waits by the platform's timers does so to the end, whatever they are replaced by meanwhile.
 *
 * Timers follow who sets them (`AsyncLocalStorage`). One that is set again whenever it rings would keep the call it was first
 * set in for as long as others come after it: it is then replaced by one that follows whoever made this, such as a client.
 */
const again = (callback: (at: number) => void): Timer => {
  let pending: Timeout | undefined;
  let setAt = 0;
  let wait = 0;
  let held = true;
  let ringing = false;
  /** A test has faked the timers before all this was loaded, and not the clock: that does not tell what is left. */
  let apart = false;
  let replace: () => void;
  const start = (): void => {
    const timeout = begin(() => {
      const at = now();
      if (at - setAt < wait - EARLY) apart = true;
      afterSockets(immediate, () => {
        // When it was due and is set anew before the immediate, that is none of what it was set for.
        if (pending !== timeout) return;
        pending = undefined;
        ringing = true;
        try {
          callback(at);
        } finally {
          ringing = false;
        }
      });
    }, Math.ceil(wait));
    pending = timeout;
    if (!held) timeout.unref?.();
  };
  const follow = (): void => {
    const asked = new Promise<void>(resolve => {
      replace = resolve;
    });
    void asked.then(() => {
      follow();
      if (pending === undefined) return;
      end(pending);
      const at = now();
      wait = Math.max(0, wait - (at - setAt));
      setAt = at;
      start();
    });
  };
  follow();
  return {
    set(ms) {
      end(pending);
      pending = undefined;
      held = true;
      if (ms > LONGEST) return true;
      wait = ms;
      setAt = now();
      start();
      if (pending!.ref === undefined) {
        end(pending);
        return false;
      }
      if (ringing && !apart) replace();
      return true;
    },
    ref() {
      held = true;
      pending?.ref?.();
    },
    unref() {
      held = false;
      pending?.unref?.();
    },
    faked,
  };
};

/** The platform's clock. */
export const systemClock: Clock = {
  now,
  after: (ms, callback) => once(ms, callback, false),
  timer: again,
  wall: () => Date.now(),
  background: { now, after: (ms, callback) => once(ms, callback, true) },
};

/** The platform's clock and `Math.random`. */
export const systemEnv: Env = { clock: systemClock, random: Math.random };

/** Checks an environment given as an option. Answers it. */
export function checkEnv(env: Env): Env {
  checkFunction('env.clock.now', env?.clock?.now);
  checkFunction('env.clock.after', env.clock.after);
  if (env.clock.wall !== undefined) checkFunction('env.clock.wall', env.clock.wall);
  if (env.clock.timer !== undefined) checkFunction('env.clock.timer', env.clock.timer);
  checkFunction('env.random', env.random);
  return env;
}

/** The same environment, whose timers do not keep the process alive. */
export const inBackground = ({ clock, random }: Env): Env => ({ clock: clock.background ?? clock, random });

/** A whole number in [0, bound). */
export const below = (random: Random, bound: number): number => Math.floor(random() * bound);

/** `value` give or take the share `spread` of it, so that many clients do not march in step. */
export const jittered = (random: Random, value: number, spread: number): number =>
  value * (1 + spread * (2 * random() - 1));
