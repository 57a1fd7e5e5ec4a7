import type { Outcome, Repeatable } from 'fairlead/core';
import fc from 'fast-check';
import type { Deed } from './calls-model.ts';
import { type Manner, type Place, PoolDriver, type PoolWalk } from './pool-driver.ts';
import { BALANCERS, BREAKERS, SETUPS } from './pool-setups.ts';
import { STEPS } from './steps.ts';
import { walks } from './walk.ts';

const oneOf = <T extends object>(of: T): fc.Arbitrary<keyof T> =>
  fc.constantFrom(...(Object.keys(of) as (keyof T)[]));

const options: fc.Arbitrary<PoolWalk> = fc.record({
  balancer: oneOf(BALANCERS),
  breaker: oneOf(BREAKERS),
  setup: oneOf(SETUPS),
  panic: fc.boolean(),
  maxInFlight: fc.constantFrom(Infinity, Infinity, 1, 2),
  health: fc.boolean(),
  calm: fc.boolean(),
  turns: fc.nat(8),
  seed: fc.nat(1e6),
});

const deed = fc.constantFrom<Deed>('fine', 'fine', 'bad', 'down', 'mine', 'refused', 'rest', 'thrown');
const manner = fc.constantFrom<Manner>('at once', 'later', 'later', 'told', 'heeds');
const signal = fc.constantFrom('none' as const, 'own' as const, 'shared' as const);
const repeatable = fc.constantFrom<Repeatable>(true, true, false, 'unsent');
const outcome = fc.constantFrom<Outcome>('success', 'failure', 'ignored');
const place = fc.tuple(
  fc.nat(5),
  fc.constantFrom(80, 80, 81),
  fc.constantFrom(0, 1, 1, 3),
) as fc.Arbitrary<Place>;
const set = fc.uniqueArray(place, { selector: ([n]) => n, maxLength: 6 });
const n = fc.nat(5);

walks<PoolDriver, PoolWalk>({
  name: 'each attempt ends once, at a member that may be called; each call settles once, as it may and in time; nothing is left',
  Driver: PoolDriver,
  file: 'pool-driver.ts',
  options,
  steps: [
    { do: 'set', weight: 10, args: set },
    {
      do: 'call',
      weight: 24,
      args: fc.tuple(deed, manner, fc.nat(250), signal, repeatable),
    },
    { do: 'end', weight: 16, args: fc.tuple(fc.nat(9), deed), when: ({ tasks }) => tasks > 0 },
    { do: 'abort', weight: 6, args: fc.tuple(fc.nat(20)) },
    { do: 'abortShared' },
    { do: 'pick', weight: 8 },
    { do: 'endPicked', weight: 8, args: fc.tuple(fc.nat(9), outcome), when: ({ picked }) => picked > 0 },
    { do: 'wait', weight: 18, args: fc.tuple(fc.constantFrom(0, 1, 20, 30, 50, 75, 150, 300)) },
    { do: 'fail', weight: 3 },
    { do: 'nonsense', weight: 2 },
    { do: 'isolate', weight: 4, args: fc.tuple(n) },
    { do: 'release', weight: 4, args: fc.tuple(n) },
    { do: 'sicken', weight: 3, args: fc.tuple(n, fc.boolean()) },
    { do: 'close', when: ({ open }) => open },
    { do: 'drain', args: fc.tuple(fc.constantFrom(0, 50, 300)), when: ({ open }) => open },
  ],
  least: STEPS.pool,
  longest: 100,
});
