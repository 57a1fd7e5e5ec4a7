import type { Random } from '../base/env.ts';
import type { Breaker, BreakerState, MakeBreaker } from '../model/breaker.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Arbitrary, FastCheck } from './fast-check.ts';
import { type Law, type LawOptions, law, must } from './law.ts';
import { seededRandom } from './seeded-random.ts';

export interface BreakerLawOptions extends LawOptions {
  /** How many probes it lets through while half-open; all must succeed. Default: 1. */
  readonly probes?: number | undefined;
  /**
   * For how long it opens, if that grows with each probe that fails and shrinks with the time it is closed. Default: nothing
   * is said of it.
   */
  readonly opens?:
    | {
        /** The first time, in ms. */
        readonly first: number;
        /** At most, in ms. */
        readonly most: number;
        /** By what share either way a time is drawn. Default: 0.2. */
        readonly jitter?: number | undefined;
      }
    | undefined;
}

/**
 * What every breaker owes its member, to test your own by:
 *
 * ```ts
 * for (const { name, run } of breakerLaws(fc, myBreaker({ probes: 3 }), { probes: 3 })) test(name, run);
 * ```
 *
 * The clock it is given has no timers: a breaker advances when asked.
 */
export function breakerLaws(
  fc: FastCheck,
  make: MakeBreaker,
  { probes = 1, opens, fastCheck }: BreakerLawOptions = {},
): Law[] {
  const past = history(fc);
  const seed = fc.integer({ min: 0, max: 1e6 });
  const laws = [
    {
      name: 'a new breaker is closed, and lets calls through',
      run() {
        const { breaker } = new Rig(make);
        must(breaker.state === 'closed', () => `it is ${breaker.state}`);
        must(breaker.allows(0), () => 'it refuses a call');
      },
    },
    law(fc, fastCheck, 'nothing but failures opens it', past, steps => {
      const rig = new Rig(make);
      for (const { wait, outcome } of steps) {
        rig.now += wait;
        rig.call(outcome === 'failure' ? 'ignored' : outcome);
        must(rig.breaker.state === 'closed', () => `it is ${rig.breaker.state}`);
      }
    }),
    {
      name: 'enough failures open it, and it refuses calls then',
      run() {
        const rig = new Rig(make).trip();
        must(!rig.breaker.allows(rig.now), () => 'it is open and allows a call');
      },
    },
    law(
      fc,
      fastCheck,
      'it never skips a state, and its epoch changes with its state',
      fc.tuple(past, seed),
      ([steps, chance]) => {
        const rig = new Rig(make, seededRandom(chance));
        rig.live(steps);
      },
    ),
    law(fc, fastCheck, 'asking changes nothing', fc.tuple(past, past, seed), ([steps, more, chance]) => {
      const asked = new Rig(make, seededRandom(chance));
      const alone = new Rig(make, seededRandom(chance));
      asked.live([...steps, ...more], () => {
        for (const ahead of [0, 1, 1000, 1e6, 0]) asked.breaker.allows(asked.now + ahead);
      });
      alone.live([...steps, ...more]);
      must(
        asked.said() === alone.said(),
        () => `having been asked, it is ${asked.said()}, else ${alone.said()}`,
      );
    }),
    law(fc, fastCheck, 'an outcome of an earlier epoch changes nothing', past, steps => {
      const rig = new Rig(make);
      const stale = steps.map(({ outcome }) => ({ outcome, epoch: rig.begin() }));
      rig.trip();
      for (const state of ['open', 'half-open', 'closed'] as const) {
        if (state === 'half-open') {
          rig.now = rig.opensUntil();
          rig.begin();
        } else if (state === 'closed') {
          rig.recover(probes);
        }
        const before = rig.said();
        for (const { outcome, epoch } of stale) rig.end(outcome, epoch);
        must(rig.said() === before, () => `it was ${before}, and is ${rig.said()}`);
      }
    }),
    {
      name: `when its time is up it lets exactly ${probes} through, by the clock alone`,
      run() {
        const rig = new Rig(make).trip();
        rig.now = rig.opensUntil();
        for (let i = 0; i < probes; i++) {
          must(rig.breaker.allows(rig.now), () => `it refuses probe ${i + 1}`);
          rig.begin();
          rig.mustBe('half-open');
        }
        must(!rig.breaker.allows(rig.now), () => `it allows more than ${probes}`);
      },
    },
    {
      name: `it closes when ${probes === 1 ? 'the probe has' : 'all probes have'} succeeded, and not before`,
      run() {
        const rig = new Rig(make).trip();
        rig.now = rig.opensUntil();
        const epochs = Array.from({ length: probes }, () => rig.begin());
        epochs.forEach((epoch, i) => {
          rig.mustBe('half-open');
          rig.end('success', epoch);
          if (i + 1 === probes) rig.mustBe('closed');
        });
        must(rig.breaker.allows(rig.now), () => 'it is closed and refuses a call');
      },
    },
    {
      name: 'a probe that fails opens it again',
      run() {
        const rig = new Rig(make).trip();
        rig.now = rig.opensUntil();
        const epoch = rig.begin();
        rig.end('failure', epoch);
        rig.mustBe('open');
        must(!rig.breaker.allows(rig.now), () => 'it is open and allows a call');
      },
    },
    {
      name: 'a probe that proves nothing gives its place to another',
      run() {
        const rig = new Rig(make).trip();
        rig.now = rig.opensUntil();
        const epochs = Array.from({ length: probes }, () => rig.begin());
        rig.end('ignored', epochs[0]!);
        rig.mustBe('half-open');
        must(rig.breaker.allows(rig.now), () => 'it refuses another probe');
        rig.begin();
        must(!rig.breaker.allows(rig.now), () => `it allows more than ${probes}`);
      },
    },
    {
      name: 'a call that begins although it is refused, as in panic, makes no room for another probe',
      run() {
        const rig = new Rig(make).trip();
        rig.now = rig.opensUntil();
        for (let i = 0; i < probes; i++) rig.begin();
        rig.call('ignored');
        rig.mustBe('half-open');
        must(!rig.breaker.allows(rig.now), () => `it allows more than ${probes}`);
      },
    },
    {
      name: 'probes that never come back do not shut a member out for ever',
      run() {
        const rig = new Rig(make).trip();
        rig.now = rig.opensUntil();
        for (let i = 0; i < probes; i++) rig.begin();
        rig.now = rig.opensUntil();
        const epoch = rig.begin();
        for (let i = 1; i < probes; i++) rig.end('success', rig.begin());
        rig.end('success', epoch);
        rig.mustBe('closed');
      },
    },
    {
      name: 'once closed it is as good as new',
      run() {
        const rig = new Rig(make);
        const first = rig.failuresToTrip();
        rig.recover(probes);
        const second = rig.failuresToTrip();
        must(first === second, () => `it opened after ${first} failures, then after ${second}`);
      },
    },
    law(
      fc,
      fastCheck,
      'what it saves makes one in another process go on like it, if it saves anything',
      fc.tuple(past, fc.constantFrom(0, 1, 100, 900, 5000, 1e6), seed),
      ([steps, age, chance]) => {
        const rig = new Rig(make, seededRandom(chance));
        rig.live(steps);
        const { state } = rig.breaker;
        const other = rig.moved(age);
        if (other === undefined) return;
        if (state === 'closed') return other.mustBe('closed');
        other.mustBe('open'); // what was half-open, too, for its probes are lost; so it is to be probed at once
        const left = state === 'open' ? Math.max(0, rig.opensUntil() - rig.now - age) : 0;
        const leaves = other.breaker.allows(other.now) ? 0 : other.opensUntil() - other.now;
        must(leaves <= left, () => `it stays open for ${leaves} ms, the first for ${left}`);
      },
    ),
    law(
      fc,
      fastCheck,
      'saved while it is open, it stays open for the rest of its time in another process, if it saves anything',
      fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), seed),
      ([waited, age, chance]) => {
        const rig = new Rig(make, seededRandom(chance)).trip();
        rig.now += waited;
        const other = rig.moved(age);
        if (other === undefined) return;
        const left = Math.max(0, rig.opensUntil() - rig.now - age);
        const leaves = other.breaker.allows(other.now) ? 0 : other.opensUntil() - other.now;
        // Part of a ms is lost to whole ones, twice.
        must(Math.abs(leaves - left) <= 2, () => `it stays open for ${leaves} ms, the first for ${left}`);
      },
    ),
  ];
  if (opens === undefined) return laws;
  const { first, most, jitter = 0.2 } = opens;
  // Half a ms or so is lost to whole milliseconds.
  const near = (time: number, due: number): boolean => Math.abs(time - due) <= due * jitter + 1;
  return [
    ...laws,
    law(
      fc,
      fastCheck,
      `it opens for ${first} ms first, for longer after each failed probe, up to ${most} ms`,
      seed,
      chance => {
        const rig = new Rig(make, seededRandom(chance)).trip();
        let before = rig.opensUntil() - rig.now;
        must(near(before, first), () => `it opened for ${before} ms first`);
        for (let round = 0; round < 40; round++) {
          rig.now = rig.opensUntil();
          const epoch = rig.begin();
          rig.now += round % 2 === 0 ? 0 : 2 * before; // a probe may take longer than it was open
          rig.end('failure', epoch);
          const time = rig.opensUntil() - rig.now;
          must(time <= most, () => `it opened for ${time} ms`);
          must(time > before || near(time, most), () => `it opened for ${before} ms, then for ${time} ms`);
          before = time;
        }
        must(near(before, most), () => `after 40 failed probes it opens for ${before} ms`);
      },
    ),
    law(
      fc,
      fastCheck,
      `closed for twice as long as it may be open, it opens for ${first} ms again`,
      seed,
      chance => {
        const rig = new Rig(make, seededRandom(chance)).trip();
        for (let round = 0; round < 5; round++) {
          rig.now = rig.opensUntil();
          rig.end('failure', rig.begin());
        }
        rig.recover(probes);
        rig.now += 2 * most;
        rig.trip();
        const time = rig.opensUntil() - rig.now;
        must(near(time, first), () => `it opened for ${time} ms`);
      },
    ),
  ];
}

interface Step {
  /** In ms, before it. */
  readonly wait: number;
  /** Ends the attempt that is so far down the line; begins one if there is none, or if it says so. */
  readonly ends: number | undefined;
  readonly outcome: Outcome;
}

function history(fc: FastCheck): Arbitrary<Step[]> {
  const outcomes: Outcome[] = ['failure', 'failure', 'failure', 'success', 'ignored'];
  const step = fc
    .tuple(
      fc.constantFrom(0, 0, 0, 1, 10, 500, 1000, 5000, 60_000),
      fc.constantFrom(undefined, 0, 0, 1, 2),
      fc.constantFrom(...outcomes),
    )
    .map(([wait, ends, outcome]) => ({ wait, ends, outcome }));
  return fc.array(step, { maxLength: 120, size: 'max' });
}

/** Where each state leads to. */
const NEXT: Readonly<Record<BreakerState, readonly BreakerState[]>> = {
  closed: ['open'],
  open: ['half-open'],
  'half-open': ['closed', 'open'],
};

/** A breaker and its time, driven as a member does; every step is held against the diagram of states. */
class Rig {
  readonly breaker: Breaker;
  now: number;
  readonly #make: MakeBreaker;
  readonly #random: Random;

  constructor(make: MakeBreaker, random: Random = () => 0.5, now = 0) {
    this.now = now;
    this.#make = make;
    this.#random = random;
    const after = (): never => {
      throw new Error('a breaker must not set timers');
    };
    this.breaker = make({ random, clock: { now: () => this.now, after } });
  }

  /** Answers the attempt's epoch. */
  begin(): number {
    this.#step(() => this.breaker.begin(this.now));
    return this.breaker.epoch;
  }

  end(outcome: Outcome, epoch: number): void {
    this.#step(() => this.breaker.end(outcome, 0, epoch, this.now));
  }

  call(outcome: Outcome): void {
    this.end(outcome, this.begin());
  }

  /** Lets it open by calls that fail. */
  trip(): this {
    this.failuresToTrip();
    return this;
  }

  failuresToTrip(): number {
    for (let n = 1; n <= 10_000; n++) {
      this.call('failure');
      if (this.breaker.state === 'open') return n;
    }
    throw new Error('10 000 failures in a row did not open it');
  }

  /** When it will allow a call, found by asking. */
  opensUntil(): number {
    let later = 1;
    while (!this.breaker.allows(this.now + later)) {
      later *= 2;
      must(later < 2 ** 41, () => `it is ${this.breaker.state}, and allows no call in seventy years`);
    }
    let refused = 0;
    while (later - refused > 1) {
      const middle = Math.floor((refused + later) / 2);
      if (this.breaker.allows(this.now + middle)) later = middle;
      else refused = middle;
    }
    return this.now + later;
  }

  /** Lets it close, by probes that succeed. */
  recover(probes: number): void {
    this.now = this.opensUntil();
    for (let i = 0; i < probes; i++) this.call('success');
    this.mustBe('closed');
  }

  live(steps: readonly Step[], before?: () => void): void {
    const outstanding: number[] = [];
    for (const { wait, ends, outcome } of steps) {
      this.now += wait;
      before?.();
      if (ends === undefined || outstanding.length === 0) outstanding.push(this.begin());
      else this.end(outcome, outstanding.splice(ends % outstanding.length, 1)[0]!);
    }
  }

  /** Another in another process, to which it is restored `age` ms after it was saved; none if it saves nothing. */
  moved(age: number): Rig | undefined {
    const before = this.said();
    const saved = this.breaker.save?.(this.now);
    must(this.said() === before, () => `saving made ${before} into ${this.said()}`);
    if (saved === undefined) return undefined;
    const other = new Rig(this.#make, this.#random, 123_456.5);
    other.breaker.restore?.(JSON.parse(JSON.stringify(saved)), age, other.now);
    return other;
  }

  /** All that it says of itself. */
  said(): string {
    const { state, epoch } = this.breaker;
    const times = [0, 1, 100, 1000, 10_000, 1e6].map(ahead =>
      this.breaker.allows(this.now + ahead) ? 1 : 0,
    );
    return `${state}, epoch ${epoch}, allowing ${times.join('')}`;
  }

  mustBe(state: BreakerState): void {
    must(this.breaker.state === state, () => `it is ${this.breaker.state}, not ${state}`);
  }

  #step(act: () => void): void {
    const { state, epoch } = this.breaker;
    act();
    const { state: now, epoch: then } = this.breaker;
    if (now === state) return;
    must(NEXT[state].includes(now), () => `it went from ${state} to ${now}`);
    must(then !== epoch, () => `it went from ${state} to ${now} in one epoch`);
  }
}
