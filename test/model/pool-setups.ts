import {
  type Balancer,
  consecutiveFailures,
  failureRate,
  hedge,
  leastRequest,
  limit,
  type MakeBreaker,
  outliers,
  type Policy,
  p2c,
  peakEwma,
  random,
  retry,
  ring,
  roundRobin,
  timeout,
  weightedRoundRobin,
} from 'fairlead/core';

export const BALANCERS = {
  roundRobin,
  weightedRoundRobin,
  random,
  p2c: () => p2c(),
  leastRequest,
  peakEwma: () => p2c({ load: peakEwma() }),
  ring: () => ring({ points: 4 }),
} satisfies Record<string, () => Balancer>;

export const BREAKERS = {
  none: false,
  quick: consecutiveFailures({ threshold: 1, openFor: 200 }),
  probes: consecutiveFailures({ threshold: 2, openFor: 50, probes: 2 }),
  rate: failureRate({ window: 500, minCalls: 2, openFor: 100, slowerThan: 80 }),
  outliers: outliers({ consecutive: 2, interval: 200, minCalls: 3, minMembers: 2, openFor: 100 }),
} satisfies Record<string, MakeBreaker | false>;

/** Policies, and what they promise of each call. Times in ms. */
export interface Setup {
  readonly make: () => Policy[];
  /** Attempts of one call at most of which something was sent, and all. */
  readonly attempts: number;
  readonly unsent: number;
  /** For how long a call may have no attempt running, its first set of endpoints apart, and members that ask for rest. */
  readonly idle: number;
  /** For how long a call may be pending, given endpoints. */
  readonly bound: number;
  /** The shortest time-out there is. */
  readonly timeout: number;
  readonly hedges: boolean;
  readonly limits: boolean;
}

const bare: Setup = {
  make: () => [],
  attempts: 1,
  unsent: 1,
  idle: 0,
  bound: Infinity,
  timeout: Infinity,
  hedges: false,
  limits: false,
};

export const SETUPS = {
  nothing: bare,
  retries: { ...bare, make: () => [retry()], attempts: 3, unsent: 6, idle: 50 },
  'a time-out': { ...bare, make: () => [timeout(150)], idle: 150, bound: 150, timeout: 150 },
  'a time-out of each try': {
    ...bare,
    make: () => [retry({ attempts: 5, backoff: () => 40, budget: false }), timeout(100)],
    attempts: 5,
    unsent: 10,
    idle: 40,
    bound: 10 * 100 + 4 * (40 + 50),
    timeout: 100,
  },
  'time-outs inside and out': {
    ...bare,
    make: () => [timeout(300), retry({ attempts: 9, budget: false }), timeout(60)],
    attempts: 9,
    unsent: 18,
    idle: 300,
    bound: 300,
    timeout: 60,
  },
  'retries twice': {
    ...bare,
    make: () => [retry({ attempts: 2 }), timeout(200), retry({ attempts: 3, backoff: () => 30 })],
    attempts: 6,
    unsent: 4 * 6,
    idle: 50,
    bound: 4 * 200 + 25 + 50,
    timeout: 200,
  },
  'a hedge': {
    ...bare,
    make: () => [hedge({ delay: 30, ratio: 1, budget: false })],
    attempts: 2,
    unsent: 2,
    hedges: true,
  },
  'all of it': {
    ...bare,
    make: () => [
      retry({ attempts: 3, budget: false }),
      hedge({ delay: 20, attempts: 3, ratio: 100, budget: false }),
      timeout(100),
    ],
    attempts: 9,
    unsent: 6 * 3,
    idle: 50,
    // A hedge begins 20 ms after the one before it.
    bound: 6 * 140 + 25 + 50 + 2 * 50,
    timeout: 100,
    hedges: true,
  },
  'a limit': {
    ...bare,
    make: () => [limit({ concurrency: 2, queue: 2, timeout: 50 }), retry({ budget: false })],
    attempts: 3,
    unsent: 6,
    idle: 50,
    limits: true,
  },
} satisfies Record<string, Setup>;
