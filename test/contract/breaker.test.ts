import { consecutiveFailures, failureRate, outliers } from 'fairlead';
import { describeBreaker } from './breaker.ts';

const opens = { first: 1000, most: 30_000 };

describeBreaker('consecutiveFailures', consecutiveFailures(), { opens });
describeBreaker('consecutiveFailures that open at once', consecutiveFailures({ threshold: 1, jitter: 0 }), {
  opens: { ...opens, jitter: 0 },
});
describeBreaker(
  'consecutiveFailures with three probes',
  consecutiveFailures({ probes: 3, openFor: 200, maxOpenFor: 5000 }),
  {
    probes: 3,
    opens: { first: 200, most: 5000 },
  },
);
describeBreaker('failureRate', failureRate(), { opens });
describeBreaker(
  'failureRate with two probes',
  failureRate({ probes: 2, jitter: 1, window: 1000, minCalls: 3 }),
  { probes: 2 },
);
describeBreaker('failureRate where slow calls count', failureRate({ slowerThan: 100, threshold: 0.9 }), {
  opens,
});
describeBreaker('outliers', outliers(), { opens: { first: 30_000, most: 300_000 } });
describeBreaker(
  'outliers, by the share of failures',
  outliers({ consecutive: Infinity, minCalls: 4, probes: 2 }),
  {
    probes: 2,
  },
);
