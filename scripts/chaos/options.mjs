import { consecutiveFailures, inFlight, leastRequest, retry } from 'fairlead';
import { ATTEMPT_TIMEOUT, MOST_FAULTY } from './settings.mjs';

/** What the caller is made with: the defaults, but for what a service asks for of which half may fail at once. */
export const options = {
  attemptTimeout: ATTEMPT_TIMEOUT,
  // With as many attempts as members may fail and one more, one of them meets a member that is well.
  policies: [retry({ attempts: MOST_FAULTY + 1 })],
  // Bodies are small here: with them the answer is there, or the attempt has failed.
  buffer: 65_536,
  // By default a member that flaps may be left alone for 30 s, and a registry for as long.
  breaker: consecutiveFailures({ maxOpenFor: 3000 }),
  follow: { maxRestartAfter: 1000 },
  // The default goes by latency, and where nothing but chance tells the servers apart, chance makes the shares.
  balancer: leastRequest({ load: inFlight() }),
};
