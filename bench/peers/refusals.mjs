import * as core from '../../dist/core.js';

const { consecutiveFailures, createClient, fixed, limit, p2c, peakEwma, retry, throttle } = core;

const task = async () => 1;
const fail = async () => {
  throw new Error('failed');
};
const never = () => new Promise(() => {});
const settled = running =>
  running.then(
    () => false,
    () => true,
  );

/** Clients that refuse calls, each for another reason, and a breaker of opossum's that is open. */
export async function refusals(endpoints) {
  const { default: CircuitBreaker } = await import('opossum');
  const open = async more => {
    const breaker = consecutiveFailures({ openFor: 1e6, maxOpenFor: 1e6 });
    const discovery = fixed(endpoints);
    const client = createClient({ discovery, balancer: p2c({ load: peakEwma() }), breaker, ...more });
    await client.ready();
    return client;
  };
  const limited = await open({ policies: [limit({ concurrency: 1 }), retry()] });
  void limited.run(never);
  const full = await open({ policies: [retry()], maxInFlight: 1 });
  for (const _ of endpoints) void full.run(never);
  const throttled = await open({
    breaker: false,
    policies: [throttle({ maxRefused: 1, window: 1e6 }), retry({ attempts: 1 })],
  });
  for (let i = 0; i < 10_000; i++) await settled(throttled.run(fail));
  const down = await open({ policies: [retry()], panic: false });
  for (let i = 0; i < 20 * endpoints.length; i++) await settled(down.run(fail));
  const breaker = new CircuitBreaker(fail, { timeout: false, resetTimeout: 1e6, volumeThreshold: 1 });
  for (let i = 0; i < 20; i++) await settled(breaker.fire());
  if (!breaker.opened) throw new Error("opossum's breaker is not open");
  return {
    limited: () => settled(limited.run(task)),
    full: () => settled(full.run(task)),
    throttled: () => settled(throttled.run(task)),
    down: () => settled(down.run(task)),
    opossum: () => settled(breaker.fire()),
  };
}
