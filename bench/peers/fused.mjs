import { Deadlines } from '../../src/base/deadlines.ts';
import { HeldClock } from '../../src/base/held-clock.ts';
import { Histogram } from '../../src/base/histogram.ts';
import { Window } from '../../src/base/window.ts';
import {
  Call,
  consecutiveFailures,
  createClient,
  fixed,
  healthChecks,
  outliers,
  Pool,
  p2c,
  peakEwma,
  retry,
  retryBudget,
  systemEnv,
} from '../../src/core.ts';
import { endpointsOf } from '../members.mjs';

const task = async ({ port }) => port;
const given = () => ({ discovery: fixed(endpointsOf(10)), balancer: p2c({ load: peakEwma() }) });

/** What it is beside: a client without time-outs. */
export async function base() {
  const client = createClient({ ...given(), breaker: consecutiveFailures(), policies: [retry()] });
  await client.ready();
  return () => client.run(task);
}

/** A place in a line of those whose time is bounded. */
class Place {
  older;
  newer;
  until = Number.POSITIVE_INFINITY;
  cancel;
  due() {}
}

/**
 * The least that a call with everything around it can take: what `timeout`, `throttle`, `limit`, `retry`, `hedge` and `timeout`
 * count and remember, in one function, with one promise and one signal, and nothing of what they do when something is the
 * matter. Of the sources as they are, for which Node must be 22.18 or later.
 */
export async function fused() {
  const clock = new HeldClock(systemEnv.clock);
  const env = { clock, random: Math.random };
  const health = healthChecks({ check: async () => true });
  const pool = new Pool({ ...given(), breaker: outliers(), health, maxInFlight: 100, env });
  await pool.ready();
  const whole = new Deadlines(clock);
  const hedges = new Deadlines(clock);
  const attempts = new Deadlines(clock);
  const durations = new Histogram(30_000);
  const latencies = new Histogram(30_000);
  const seen = new Window(2000);
  const budget = retryBudget();
  const hedged = retryBudget({ ratio: 0.02, minPerSecond: 0 });
  let inFlight = 0;
  let since = 0;
  let late = 1000;

  class Running {
    whole = new Place();
    hedge = new Place();
    attempt = new Place();

    constructor(resolve, reject) {
      this.resolve = resolve;
      this.reject = reject;
      this.call = new Call();
    }

    begin(now) {
      whole.join(this.whole, 30_000, now);
      seen.advance(now);
      const requests = seen.first;
      if (requests >= 10 && Math.random() < (requests - 2 * seen.second) / (requests + 1))
        throw new Error('refused');
      if (inFlight++ >= 1000) throw new Error('refused');
      hedged.deposit(now);
      if (since++ === 64) {
        since = 0;
        late = 1000 + latencies.quantile(0.98, now);
      }
      hedges.join(this.hedge, late, now);
      attempts.join(this.attempt, 10_000, now);
      this.startedAt = now;
      this.flight = pool.pick(this.call);
      clock.release();
      task(this.flight.endpoint, new AbortController().signal, this.call).then(
        value => this.end(value),
        error => this.reject(error),
      );
    }

    end(value) {
      const { flight, startedAt } = this;
      flight.end('success');
      const endedAt = flight.startedAt + flight.elapsed;
      this.call.ended('success', endedAt);
      attempts.leave(this.attempt);
      hedges.leave(this.hedge);
      latencies.add(endedAt - startedAt, endedAt);
      budget.deposit(startedAt);
      durations.add(endedAt - startedAt, endedAt);
      inFlight--;
      seen.add(endedAt, 1, 1);
      whole.leave(this.whole);
      this.resolve(value);
    }
  }

  return () =>
    new Promise((resolve, reject) => {
      const running = new Running(resolve, reject);
      clock.hold();
      running.begin(clock.now());
    });
}
