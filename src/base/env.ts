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
  /** The same clock with timers that do not keep the process alive; absent if no timer of it does. */
  readonly background?: Clock;
}

/** A number in [0, 1), as `Math.random`. */
export type Random = () => number;

// The platform's timers, declared here and nowhere else: the core is compiled without Node's and the DOM's types.
declare const performance: { now(): number };
declare function setTimeout(callback: () => void, ms: number): Timer;
declare function clearTimeout(timer: Timer): void;
declare const setImmediate: ((callback: () => void) => void) | undefined;
/** A number in browsers, which has no `unref` either. */
type Timer = { unref?(): void };

/** setTimeout fires at once beyond 2^31 - 1 ms; so long a wait is for ever, here. */
const LONGEST = 0x7fffffff;

/**
 * After a stall of the process, Node fires timers before it reads sockets: time would run out for answers that have
 * been there all along. An immediate comes after the sockets.
 */
const timer = (ms: number, callback: () => void, background: boolean): (() => void) => {
  if (ms > LONGEST) return () => {};
  let off = false;
  const fire = (): void => {
    if (!off) callback();
  };
  const pending = setTimeout(typeof setImmediate === 'function' ? () => setImmediate(fire) : fire, ms);
  if (background) pending.unref?.();
  return () => {
    off = true;
    clearTimeout(pending);
  };
};

// Kept, for the global is a getter in Node, which takes half as long as reading the clock itself.
const platform = performance;
const now = (): number => platform.now();

/** The platform's clock. */
export const systemClock: Clock = {
  now,
  after: (ms, callback) => timer(ms, callback, false),
  wall: () => Date.now(),
  background: { now, after: (ms, callback) => timer(ms, callback, true) },
};

/** The platform's clock and `Math.random`. */
export const systemEnv: Env = { clock: systemClock, random: Math.random };

/** Checks an environment given as an option. Answers it. */
export function checkEnv(env: Env): Env {
  checkFunction('env.clock.now', env?.clock?.now);
  checkFunction('env.clock.after', env.clock.after);
  if (env.clock.wall !== undefined) checkFunction('env.clock.wall', env.clock.wall);
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
