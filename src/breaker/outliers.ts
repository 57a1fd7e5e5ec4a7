import type { Env } from '../base/env.ts';
import { checkNumber } from '../base/errors.ts';
import { checkOptions, type Settled } from '../base/options.ts';
import type { MakeBreaker, Peers } from '../model/breaker.ts';
import {
  BreakerMachine,
  OPEN_OPTIONS,
  type OpenOptions,
  type OpenSettings,
  openSettings,
} from './machine.ts';

export interface OutlierOptions extends OpenOptions {
  /** So many failures in a row eject a member. Default: 5. `Infinity`: no number does. */
  readonly consecutive?: number | undefined;
  /** This share of failures in an interval ejects, whatever the others do. Default: 0.5. Above 1: none does. */
  readonly failureShare?: number | undefined;
  /**
   * A success rate so many standard deviations below the members' mean ejects. Default: 1.9. Blind once more than
   * 1 / (1 + deviations^2) of the members fail, 22 % at 1.9: `failureShare` is for that. `Infinity`: none does.
   */
  readonly deviations?: number | undefined;
  /** By how much it must be below the mean besides, lest one call in a hundred make an outlier. Default: 0.1. */
  readonly worseBy?: number | undefined;
  /** A mean latency so many times the median of the members' ejects. Default: 3. `Infinity`: none does. */
  readonly slowness?: number | undefined;
  /** By how many ms it must be above it besides. Default: 10. */
  readonly slowerBy?: number | undefined;
  /** How long an interval is, in ms. Default: 10 000. */
  readonly interval?: number | undefined;
  /** With fewer calls in an interval a member is not judged by its rates. Default: 20. */
  readonly minCalls?: number | undefined;
  /** With fewer members that have that many calls nobody is judged by comparison. Default: 3. */
  readonly minMembers?: number | undefined;
  /**
   * The share of the members that may be out at once, 0 to 1; one always may. Who is out for its checks, or by a breaker
   * beside this one, is counted. Default: 0.5.
   */
  readonly maxEjected?: number | undefined;
}

/**
 * Ejects members that stand out among their peers: by failures in a row, by their share of failures, by a success rate
 * or a latency apart from the others' (Envoy's outlier detection, gRFC A50, and what neither has: latency). Comparisons
 * are made at the end of an interval, when a call shows that it is over; an ejection takes effect with the member's next
 * outcome. An ejected member comes back by a probe, which may go as soon as a health check of it passes. Needs no timer.
 *
 * Defaults of `openFor` and `maxOpenFor` here: 30 000 and 300 000 ms, as Envoy has them.
 *
 * @throws RangeError or TypeError for an option out of range
 */
export function outliers(options: OutlierOptions = {}): MakeBreaker {
  checkOptions<OutlierOptions>('outliers', options, {
    ...OPEN_OPTIONS,
    consecutive: 1,
    failureShare: 1,
    deviations: 1,
    worseBy: 1,
    slowness: 1,
    slowerBy: 1,
    interval: 1,
    minCalls: 1,
    minMembers: 1,
    maxEjected: 1,
  });
  const { consecutive = 5, failureShare = 0.5, deviations = 1.9, worseBy = 0.1 } = options;
  const {
    slowness = 3,
    slowerBy = 10,
    interval = 10_000,
    minCalls = 20,
    minMembers = 3,
    maxEjected = 0.5,
  } = options;
  checkNumber('outliers consecutive', consecutive, 1);
  checkNumber('outliers failureShare', failureShare, Number.MIN_VALUE);
  checkNumber('outliers deviations', deviations, 0);
  checkNumber('outliers worseBy', worseBy, 0, 1);
  checkNumber('outliers slowness', slowness, 1);
  checkNumber('outliers slowerBy', slowerBy, 0);
  checkNumber('outliers interval', interval, 1, Number.MAX_SAFE_INTEGER);
  checkNumber('outliers minCalls', minCalls, 1, Number.MAX_SAFE_INTEGER, true);
  checkNumber('outliers minMembers', minMembers, 2, Number.MAX_SAFE_INTEGER, true);
  checkNumber('outliers maxEjected', maxEjected, 0, 1);
  const { openFor = 30_000, maxOpenFor = Math.max(300_000, openFor) } = options;
  const settings: Settings = {
    ...openSettings('outliers', { ...options, openFor, maxOpenFor }),
    ...{ consecutive, failureShare, deviations, worseBy, slowness, slowerBy },
    ...{ interval, minCalls, minMembers, maxEjected },
  };
  const groups = new WeakMap<object, Group>();
  return (env, peers) => {
    const key = peers ?? env;
    const group = groups.get(key) ?? new Group(settings, peers);
    groups.set(key, group);
    return new Outlier(settings, env, group);
  };
}

type Settings = OpenSettings & Settled<Omit<OutlierOptions, keyof OpenOptions>>;

/** What the members of one pool are measured by. */
class Group {
  readonly #settings: Settings;
  readonly #peers: Peers | undefined;
  #interval = Number.NEGATIVE_INFINITY;

  constructor(settings: Settings, peers: Peers | undefined) {
    this.#settings = settings;
    this.#peers = peers;
  }

  /** Once in each interval: compares what the members did in the one before. */
  compare(now: number): void {
    const { interval, minCalls, minMembers, deviations, worseBy, slowness, slowerBy } = this.#settings;
    const current = Math.floor(now / interval);
    if (current <= this.#interval) return;
    this.#interval = current;
    const judged: Outlier[] = [];
    for (const { breaker } of this.#peers?.() ?? []) {
      if (!(breaker instanceof Outlier)) continue;
      breaker.turn(current);
      breaker.stands = false; // found an interval ago or long since, and not been heeded
      if (breaker.state === 'closed' && breaker.past.calls >= minCalls) judged.push(breaker);
    }
    if (judged.length < minMembers) return;
    const rates = judged.map(({ past }) => 1 - past.failures / past.calls);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const spread = Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length);
    const latencies = judged.map(({ past }) =>
      past.successes === 0 ? Number.NaN : past.time / past.successes,
    );
    const sorted = latencies.filter(latency => latency >= 0).sort((a, b) => a - b);
    const median = sorted[sorted.length >> 1] ?? Number.NaN;
    judged.forEach((breaker, i) => {
      const failing = rates[i]! < mean - Math.max(worseBy, deviations * spread);
      const slow = latencies[i]! > median * slowness && latencies[i]! > median + slowerBy;
      breaker.stands = failing || slow;
    });
  }

  /** Whether a member may not go, for too many others have. */
  spares(member: Outlier): boolean {
    let all = 0;
    let out = 0;
    for (const { breaker, refused } of this.#peers?.() ?? []) {
      all++;
      if (refused && breaker !== member) out++;
    }
    return out > 0 && out + 1 > all * this.#settings.maxEjected;
  }
}

interface Tally {
  calls: number;
  failures: number;
  successes: number;
  /** That the successes took, in ms. */
  time: number;
}

class Outlier extends BreakerMachine<Settings> {
  readonly #group: Group;
  /** The interval before the present one. */
  past: Tally = { calls: 0, failures: 0, successes: 0, time: 0 };
  #present: Tally = { calls: 0, failures: 0, successes: 0, time: 0 };
  #interval = 0;
  #row = 0;
  /** Whether it was found to stand out when the members were last compared. */
  stands = false;

  constructor(settings: Settings, env: Env, group: Group) {
    super(settings, env);
    this.#group = group;
  }

  /** Goes on to an interval. */
  turn(interval: number): void {
    if (interval <= this.#interval) return;
    const spare = this.past;
    this.past = this.#present;
    this.#present = spare;
    clear(spare);
    if (interval > this.#interval + 1) clear(this.past); // nothing came in the one before
    this.#interval = interval;
  }

  protected override trips(failed: boolean, elapsed: number, now: number): boolean {
    const { interval, consecutive, failureShare, minCalls } = this.settings;
    this.#group.compare(now);
    this.turn(Math.floor(now / interval));
    const present = this.#present;
    present.calls++;
    if (failed) present.failures++;
    else {
      present.successes++;
      present.time += elapsed;
    }
    this.#row = failed ? this.#row + 1 : 0;
    const out =
      this.stands ||
      this.#row >= consecutive ||
      (failed && present.calls >= minCalls && present.failures / present.calls >= failureShare);
    return out && !this.#group.spares(this);
  }

  protected override reset(): void {
    this.#row = 0;
    this.stands = false;
    clear(this.past);
    clear(this.#present);
  }
}

function clear(tally: Tally): void {
  tally.calls = tally.failures = tally.successes = tally.time = 0;
}
