import { bad, checkNumber } from '../base/errors.ts';
import { checkOptions, type Settled } from '../base/options.ts';
import type { Outcome } from '../model/outcome.ts';
import type { AdaptiveLimit, MakeAdaptiveLimit } from './adaptive-limit.ts';

export interface GradientOptions {
  /** What the limit is at first. Default: 20, or `min` or `max` if that is beyond it. */
  readonly initial?: number | undefined;
  /** Default: 1; but see `queue`. */
  readonly min?: number | undefined;
  /** Default: 200. */
  readonly max?: number | undefined;
  /** So many times what is usual a latency may be before the limit falls. Default: 1.5. */
  readonly tolerance?: number | undefined;
  /** How many may be waiting at the service: what the limit strives to grow by, and never falls below. Default: 4. */
  readonly queue?: number | undefined;
  /** How much of the way up the limit goes at a time, above 0 to 1; down it goes all of it. Default: 0.2. */
  readonly smoothing?: number | undefined;
  /** Latencies of so many ms, and at least ten, are taken together, and the limit moves once. Default: 100. */
  readonly window?: number | undefined;
  /** Over how many ms it is learned what is usual. Default: 600 000. */
  readonly memory?: number | undefined;
}

type Settings = Settled<GradientOptions>;

/** So few say nothing of how long it takes. */
const ENOUGH = 10;
/** What is usual is at first the mean of so many windows; later no window weighs more, however long it was. */
const WARM_UP = 10;
/** What is left after a second of what was usual, while it takes less than half as long. */
const RELIEF = 0.95;
/** Whoever takes so many times as long as usual says that it is slow, and no more: a heavy tail is no overload. */
const OUTLIER = 4;
/** So many standard errors above what is tolerated is no chance: one window in forty, were latencies normal. */
const SURE = 2;
/** With a larger share of a window's calls failed late, the service works in vain. */
const IN_VAIN = 0.05;
/** At the floor it is learned so many times as fast what is usual: if it is slow now, this client is not why. */
const HASTE = 10;
/** Latencies below this, in ms, are alike. */
const LEAST = 1;

/**
 * A limit that falls when calls take longer than usual, and else grows as long as it is made use of: after Gradient2 of
 * Netflix's concurrency-limits (Gradient2Limit.java), whose formula and constants these are, for what fails fast and for
 * what is usual, too. Its windows count samples, or seconds; these are of the clock, and 100 ms as Envoy's, for at 1 s the
 * limit needs ten times as long to grow. What was changed, and by what measurements, says decision 38:
 *
 * - only successes teach what is usual; whoever takes longer makes it seem slow, whatever the outcome, and failures lower
 *   the limit by their share: where all time out alike, that is neither usual nor a reason to grow;
 * - it takes more than chance to seem slow; then the limit falls at once, and from what was in flight if that was less;
 * - a slow window teaches nothing of what is usual, unless the limit cannot fall any more: so overload becomes usual much
 *   later, by what is tolerated, and what has become slower for good does within a minute.
 *
 * A client that begins amid overload takes that for usual: it is allowed more and more, up to where attempts time out. So give
 * it a `timeout`, and a `max`.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function gradient(options: GradientOptions = {}): MakeAdaptiveLimit {
  checkOptions('gradient', options, {
    min: 1,
    max: 1,
    initial: 1,
    tolerance: 1,
    queue: 1,
    smoothing: 1,
    window: 1,
    memory: 1,
  });
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
  /** What a success takes, in ms, the mean square of that, and how many windows have taught it. */
  #usual = 0;
  #square = 0;
  #taught = 0;
  /** The window's start, and what it has: successes, failures, of these the late ones, and others than successes that took longer than usual. */
  #since: number;
  #successes = 0;
  #failures = 0;
  #late = 0;
  #slow = 0;
  /** How long the successes took, in ms, and the sum of the squares; how long the slow ones took; and the most in flight. */
  #took = 0;
  #squares = 0;
  #slowTook = 0;
  #most = 0;

  constructor(settings: Settings, now: number) {
    this.#settings = settings;
    this.current = settings.initial;
    this.#since = now;
  }

  ended(outcome: Outcome, elapsed: number, inFlight: number, now: number): void {
    if (inFlight > this.#most) this.#most = inFlight;
    const took = this.#taught > 0 ? Math.min(elapsed, OUTLIER * Math.max(LEAST, this.#usual)) : elapsed;
    if (outcome === 'failure') this.#failures++;
    if (outcome === 'success') {
      this.#successes++;
      this.#took += took;
      this.#squares += took * took;
    } else if (this.#taught > 0 && elapsed > this.#usual) {
      // It would have taken longer still.
      if (outcome === 'failure') this.#late++;
      this.#slow++;
      this.#slowTook += took;
    }
    const told = Math.max(this.#successes + this.#failures, this.#successes + this.#slow);
    if (now - this.#since < this.#settings.window || told < ENOUGH) return;
    this.#turn(now - this.#since);
    this.#since = now;
    this.#successes = this.#failures = this.#late = this.#slow = this.#most = 0;
    this.#took = this.#squares = this.#slowTook = 0;
  }

  /** A window of so many ms is over. */
  #turn(ms: number): void {
    const { min, max, queue, smoothing, initial } = this.#settings;
    const fast = this.#fast();
    const good = this.#failures > 0 ? this.#successes / (this.#successes + this.#failures) : 1;
    const floor = Math.max(min, Math.min(max, queue));
    if (fast === 1) this.#learn(ms, 1);
    else if (this.current <= floor) this.#learn(ms, HASTE);
    const used = this.#most >= this.current / 2;
    if (fast < 1 || this.#late > IN_VAIN * (this.#successes + this.#failures)) {
      // From what is in flight (RFC 5681, 3.1): what is allowed beyond that has not made it slow.
      const aim = Math.max(this.current / 2, Math.min(this.current, this.#most) * fast * good);
      this.current = Math.min(this.current, Math.max(floor, aim));
    } else if (used || this.current < initial) {
      const aim = this.current * Math.max(0.5, good) + queue;
      this.current = Math.min(max, Math.max(min, this.current + smoothing * (aim - this.current)));
    }
  }

  /** What is tolerated as a share of what the window's calls took, 1 at most. */
  #fast(): number {
    const timed = this.#successes + this.#slow;
    if (this.#taught === 0 || timed === 0) return 1;
    const usual = Math.max(LEAST, this.#usual);
    const variance = Math.max(0, this.#square - this.#usual * this.#usual);
    const allowed = this.#settings.tolerance * usual * timed + SURE * Math.sqrt(variance * timed);
    return Math.min(1, allowed / (this.#took + this.#slowTook));
  }

  #learn(ms: number, haste: number): void {
    if (this.#successes === 0) return;
    const latency = this.#took / this.#successes;
    const known = ++this.#taught > WARM_UP;
    const weight = known ? Math.min(1 / WARM_UP, (2 * haste * ms) / this.#settings.memory) : 1 / this.#taught;
    this.#usual += (latency - this.#usual) * weight;
    this.#square += (this.#squares / this.#successes - this.#square) * weight;
    if (this.#usual <= 2 * latency) return;
    const left = RELIEF ** Math.min(1, ms / 1000);
    this.#usual *= left;
    this.#square *= left * left;
  }
}
