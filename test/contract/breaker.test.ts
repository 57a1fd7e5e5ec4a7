import { anyOf, consecutiveFailures, failureRate, outliers } from 'fairlead';
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
describeBreaker('failureRate over the last calls', failureRate({ lastCalls: 40 }), { opens });
describeBreaker(
  'failureRate over few calls, with two probes',
  failureRate({ lastCalls: 3, probes: 2, threshold: 1 }),
  { probes: 2, opens },
);
describeBreaker(
  'failureRate with a share of slow calls of its own',
  failureRate({ slowerThan: 100, slowThreshold: 0.5 }),
  { opens },
);
describeBreaker('anyOf one', anyOf(consecutiveFailures()), { opens });
describeBreaker('anyOf two', anyOf(consecutiveFailures(), failureRate({ minCalls: 7 })), { opens });
describeBreaker(
  'anyOf three, all of which open at once, with two probes',
  anyOf(
    consecutiveFailures({ threshold: 4, failingFor: 0, probes: 2 }),
    failureRate({ minCalls: 4, probes: 2, openFor: 500 }),
    outliers({ consecutive: 4, openFor: 1000, probes: 2 }),
  ),
  { probes: 2 },
);
describeBreaker(
  'anyOf within anyOf',
  anyOf(failureRate(), anyOf(outliers({ openFor: 1000, maxOpenFor: 30_000 }), consecutiveFailures())),
  { opens },
);
