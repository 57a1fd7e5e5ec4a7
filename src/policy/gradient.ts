import { bad, checkNumber } from '../base/errors.ts';
import type { Outcome } from '../model/outcome.ts';
import type { AdaptiveLimit, MakeAdaptiveLimit } from './adaptive-limit.ts';

export interface GradientOptions {
  /** What the limit is at first. Default: 20, or `min` or `max` if that is beyond it. */
  readonly initial?: number;
  /** Default: 1; but see `queue`. */
  readonly min?: number;
  /** Default: 200. */
  readonly max?: number;
  /** So many times what is usual a latency may be before the limit falls. Default: 1.5. */
  readonly tolerance?: number;
  /** How many may be waiting at the service: what the limit strives to grow by. It never falls below twice that. Default: 4. */
  readonly queue?: number;
  /** How much of the way to where it strives to the limit goes at a time, above 0 to 1. Default: 0.2. */
  readonly smoothing?: number;
  /** Latencies of so many ms, and at least ten, are taken together, and the limit moves once. Default: 100. */
  readonly window?: number;
  /** Over how many ms it is learned what is usual. Default: 600 000. */
  readonly memory?: number;
}

type Settings = Required<GradientOptions>;

/** So few say nothing of how long it takes. */
const ENOUGH = 10;
/** What is usual is at first the mean of so many windows; later no window weighs more, however long it was. */
const WARM_UP = 10;
/** What is left after a second of what was usual, while it takes less than half as long. */
const RELIEF = 0.95;

/**
 * A limit that falls when calls take longer than usual, and else grows as long as it is made use of: Gradient2 of Netflix's
 * concurrency-limits (Gradient2Limit.java), whose constants these are. Its windows count samples, or seconds; these are of
 * the clock, and 100 ms as Envoy's, for at 1 s the limit needs ten times as long to grow. Three things are added. Only
 * successes teach what is usual, whatever else took longer makes it seem slow, and the share of failures lowers the limit:
 * where all time out alike, that is neither usual nor a reason to grow, and who fails fast does not seem fast.
 *
 * It cannot tell a service that has too much to do from one that has become slower for good. The latter is held back until
 * it is usual, which takes some minutes; the former, after as many minutes, or from the start if that was in the middle of
 * it, is allowed more and more, up to where attempts time out. So give it a `timeout` inside, and a `max`.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function gradient(options: GradientOptions = {}): MakeAdaptiveLimit {
  const { min = 1, max = 200, tolerance = 1.5, queue = 4 } = options;
  const { smoothing = 0.2, window = 100, memory = 600_000 } = options;
  checkNumber('gradient min', min, 1, Number.MAX_SAFE_INTEGER);
  checkNumber('gradient max', max, 1, Number.MAX_SAFE_INTEGER);
  if (max < min) throw bad('gradient max', max, `at least min, ${min}`, RangeError);
  const { initial = Math.min(max, Math.max(min, 20)) } = options;
  checkNumber('gradient initial', initial, min, max);
  checkNumber('gradient tolerance', tolerance, 1, 1000);
  checkNumber('gradient queue', queue, 0, Number.MAX_SAFE_INTEGER);
  checkNumber('gradient smoothing', smoothing, Number.MIN_VALUE, 1);
  checkNumber('gradient window', window, 1, Number.MAX_SAFE_INTEGER);
  checkNumber('gradient memory', memory, 1, Number.MAX_SAFE_INTEGER);
  const settings = { initial, min, max, tolerance, queue, smoothing, window, memory };
  return ({ clock }) => new Gradient(settings, clock.now());
}

class Gradient implements AdaptiveLimit {
  current: number;
  readonly #settings: Settings;
  /** What a success takes, in ms, and how many windows have taught that. */
  #usual = 0;
  #taught = 0;
  /** The window's start, and what it has: successes, failures, and others that took longer than usual. */
  #since: number;
  #successes = 0;
  #failures = 0;
  #slow = 0;
  /** How long the successes took, and the slow ones, in ms; and the most in flight. */
  #took = 0;
  #slowTook = 0;
  #most = 0;

  constructor(settings: Settings, now: number) {
    this.#settings = settings;
    this.current = settings.initial;
    this.#since = now;
  }

  ended(outcome: Outcome, elapsed: number, inFlight: number, now: number): void {
    if (inFlight > this.#most) this.#most = inFlight;
    if (outcome === 'failure') this.#failures++;
    if (outcome === 'success') {
      this.#successes++;
      this.#took += elapsed;
    } else if (this.#taught > 0 && elapsed > this.#usual) {
      // It would have taken longer still.
      this.#slow++;
      this.#slowTook += elapsed;
    }
    const told = Math.max(this.#successes + this.#failures, this.#successes + this.#slow);
    if (now - this.#since < this.#settings.window || told < ENOUGH) return;
    if (this.#successes > 0) this.#learn(this.#took / this.#successes, now - this.#since);
    if (this.#most >= this.current / 2) this.#move();
    this.#since = now;
    this.#successes = this.#failures = this.#slow = this.#took = this.#slowTook = this.#most = 0;
  }

  #learn(latency: number, ms: number): void {
    const known = ++this.#taught > WARM_UP;
    const weight = known ? Math.min(1 / WARM_UP, (2 * ms) / this.#settings.memory) : 1 / this.#taught;
    this.#usual += (latency - this.#usual) * weight;
    if (this.#usual > 2 * latency) this.#usual *= RELIEF ** Math.min(1, ms / 1000);
  }

  #move(): void {
    const { min, max, tolerance, queue, smoothing } = this.#settings;
    const timed = this.#successes + this.#slow;
    const took = this.#took + this.#slowTook;
    const allowed = tolerance * this.#usual * timed;
    const fast = took > allowed ? allowed / took : 1;
    const good = this.#failures > 0 ? this.#successes / (this.#successes + this.#failures) : 1;
    const slope = Math.max(0.5, fast * good);
    const aim = this.current * slope + queue;
    this.current = Math.min(max, Math.max(min, this.current + smoothing * (aim - this.current)));
  }
}
