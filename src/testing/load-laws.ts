import type { Flight, Load } from '../model/load.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Arbitrary, FastCheck } from './fast-check.ts';
import { type Law, type LawOptions, law, must } from './law.ts';

/**
 * What every load owes the balancer that compares by it. `balancerLaws` has these in, if the balancer has a
 * load.
 */
export function loadLaws(fc: FastCheck, make: () => Load, { fastCheck }: LawOptions = {}): Law[] {
  const past = history(fc);
  const later = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 5, size: 'max' });
  return [
    law(
      fc,
      fastCheck,
      'asking what a member costs changes nothing',
      fc.tuple(past, later),
      ([steps, waits]) => {
        const asked = make();
        let { now } = live(asked, steps, at => {
          asked.cost(at);
          asked.cost(at + 500);
        });
        const alone = make();
        live(alone, steps);
        for (const wait of waits) {
          now += wait;
          const costs = [asked.cost(now), alone.cost(now)];
          must(costs[0] === costs[1], () => `having been asked, it costs ${costs[0]}, else ${costs[1]}`);
        }
      },
    ),
    law(fc, fastCheck, 'a cost is a number of at least 0', fc.tuple(past, later), ([steps, waits]) => {
      const load = make();
      let { now } = live(load, steps);
      for (const wait of waits) {
        now += wait;
        const cost = load.cost(now);
        must(cost >= 0 && cost < Number.POSITIVE_INFINITY, () => `it costs ${cost}`);
        const costs = new Float64Array(2);
        load.costInto?.(costs, 1, now);
        if (load.costInto) must(costs[1] === cost, () => `it costs ${cost}, but puts down ${costs[1]}`);
      }
    }),
    law(fc, fastCheck, 'one attempt more in flight never makes a member cheaper', past, steps => {
      const load = make();
      const { now } = live(load, steps);
      const before = load.cost(now);
      load.begin(flight(now));
      must(load.cost(now) >= before, () => `it cost ${before}, and with one more ${load.cost(now)}`);
    }),
    law(
      fc,
      fastCheck,
      'failing fast never makes a member cheaper than not having been called, then or later',
      fc.tuple(past, fc.integer({ min: 0, max: 50 }), later),
      ([steps, elapsed, waits]) => {
        const called = make();
        const past = live(called, steps);
        const spared = make();
        const same = live(spared, steps);
        for (const each of past.outstanding) called.end(each, 'success', past.now);
        for (const each of same.outstanding) spared.end(each, 'success', same.now);
        const failing = flight(past.now);
        called.begin(failing);
        let now = past.now + elapsed;
        called.end(failing, 'failure', now);
        for (const wait of [0, ...waits, 100_000]) {
          now += wait;
          const costs = [called.cost(now), spared.cost(now)] as const;
          must(
            costs[0] >= costs[1],
            () => `having failed within ${elapsed} ms it costs ${costs[0]}, else ${costs[1]}`,
          );
        }
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
  const outcomes: Outcome[] = ['success', 'success', 'failure', 'ignored'];
  return fc.array(
    fc
      .tuple(
        fc.integer({ min: 0, max: 3000 }),
        fc.constantFrom(undefined, undefined, 0, 1, 2),
        fc.constantFrom(...outcomes),
      )
      .map(([wait, ends, outcome]) => ({ wait, ends, outcome })),
    { maxLength: 30, size: 'max' },
  );
}

const flight = (startedAt: number): Flight => ({ startedAt, older: undefined, newer: undefined });

/** Lives through a history, from time 0. Answers when it is over and what is still in flight. */
function live(
  load: Load,
  steps: readonly Step[],
  before?: (now: number) => void,
): { now: number; outstanding: Flight[] } {
  const outstanding: Flight[] = [];
  let now = 0;
  for (const { wait, ends, outcome } of steps) {
    now += wait;
    before?.(now);
    if (ends === undefined || outstanding.length === 0) {
      const begun = flight(now);
      outstanding.push(begun);
      load.begin(begun);
    } else {
      const [ended] = outstanding.splice(ends % outstanding.length, 1);
      load.end(ended!, outcome, now);
    }
  }
  return { now, outstanding };
}
