import { consecutiveFailures, failureRate, outliers, systemEnv } from '../../dist/core.js';

/**
 * What a failing call costs the breaker that holds so many: fairlead's by themselves, a step of the clock each so that
 * the window stays as full, and opossum's with a call round it, for it has no other way to be told.
 */
export async function failing(held) {
  const { default: CircuitBreaker } = await import('opossum');
  const window = 10_000.5; // so that no time is a whole number, for those take less
  const operation = make => {
    const breaker = make(systemEnv, () => []);
    let now = 0;
    const fail = () => {
      now += window / held;
      breaker.begin(now);
      breaker.end('failure', 1, breaker.epoch, now);
    };
    for (let i = 0; i < held; i++) fail();
    return fail;
  };
  const error = new Error('failed');
  const peer = new CircuitBreaker(() => Promise.reject(error), {
    timeout: false,
    rollingCountTimeout: 1e6, // all of them stay in one bucket
    rollingCountBuckets: 10,
    volumeThreshold: Number.MAX_SAFE_INTEGER,
  });
  const caught = () => peer.fire().catch(() => {});
  // What it remembers of a failing call, without the call: those would take half an hour.
  for (let i = 0; i < held; i++) peer.status.increment('failures', 1);
  const most = Number.MAX_SAFE_INTEGER;
  return {
    failureRate: operation(failureRate({ window, minCalls: most })),
    consecutiveFailures: operation(consecutiveFailures({ threshold: most, failingFor: Infinity })),
    outliers: operation(outliers({ consecutive: Infinity, minCalls: most, interval: window })),
    opossum: caught,
  };
}
