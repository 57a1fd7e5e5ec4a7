import { consecutiveFailures, createClient, type EmittingClientOptions, roundRobin } from 'fairlead';
import { type SimulationReport, simulate } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';

// All five servers are dead for a minute. Clients with the default breaker: open for 1, 2, 4, 8, 16 and then 30 s.
const SERVERS = 5;
const DOWN_AT = 5000;
const UP_AT = 65_000;
const LONGEST_OPEN = 30_000;

interface Outage {
  readonly report: SimulationReport;
  /** By client, how long after the outage its breakers closed again, in ms, in order. */
  readonly closed: readonly (readonly number[])[];
}

async function outage(
  options: Partial<EmittingClientOptions>,
  { clients = 10, rate = 100, duration = 100_000 } = {},
): Promise<Outage> {
  const closed: number[][] = [];
  const report = await simulate({
    ...{ seed: 7, clients, servers: SERVERS, rate, duration },
    faults: [{ kind: 'dead', servers: [0, 1, 2, 3, 4], from: DOWN_AT, until: UP_AT }],
    client: ({ env, discovery }) => {
      const client = createClient({ env, discovery, balancer: roundRobin(), ...options });
      const own: number[] = [];
      closed.push(own);
      client.on('breaker', ({ to }) => {
        if (to === 'closed' && env.clock.now() >= UP_AT) own.push(env.clock.now() - UP_AT);
      });
      return client;
    },
  });
  return { report, closed };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** What each server had from a second until another. */
const attempts = ({ servers }: SimulationReport, from: number, until: number): number[] =>
  servers.map(({ timeline }) => sum(timeline.slice(from, until)));

const failed = ({ timeline }: SimulationReport, from: number): number =>
  sum(timeline.slice(from).map(({ failures }) => failures));

describe('fail-fast, while all are dead for a minute', () => {
  test.each([1, 3])(
    'a client makes no more than %i calls at a member each time that its breaker is due',
    async probes => {
      const { report, closed } = await outage({
        panic: false,
        policies: [],
        breaker: consecutiveFailures({ probes }),
      });
      // They open for 1, 2, 4, 8, 16 and 30 s, a fifth less at the least: of these, six at the most end from the fifth second
      // of the outage on (0.8 * 31 = 24.8, and 24 more). Probes that were sent together fail together.
      for (const each of attempts(report, 10, 65)) expect(each).toBeLessThanOrEqual(6 * probes * 10);
      // And four at the least, if each were a fifth longer.
      for (const each of attempts(report, 10, 65)) expect(each).toBeGreaterThanOrEqual(2 * 10);
      expect(report.errors['NO_AVAILABLE_ENDPOINT']).toBeGreaterThan(5000);

      // A member is found to be well when the first breaker is due, and then all others are, within a few calls.
      expect(closed.map(({ length }) => length)).toEqual(Array(10).fill(SERVERS));
      for (const [first, , , , last] of closed) {
        expect(first).toBeLessThan(LONGEST_OPEN);
        expect(last! - first!).toBeLessThan(3000); // some 30 calls of the client
      }
      expect(failed(report, (UP_AT + LONGEST_OPEN) / 1000)).toBe(0);
      expect(report.pendingTimers).toBe(0);
    },
  );
});

describe('fail-open, while all are dead for a minute', () => {
  test('attempts are as many as calls, and what the retry budget adds; all is well with the first that succeeds', async () => {
    const clients = 2;
    const { report, closed } = await outage({}, { clients, rate: 200, duration: 75_000 });
    const slots = report.timeline.slice(10, 65);
    // A fifth, and ten a second for each client; and what either had put by.
    const budget = 0.2 * sum(slots.map(({ calls }) => calls)) + 10 * clients * slots.length;
    const made = sum(slots.map(slot => slot.attempts - slot.calls));
    expect(made).toBeLessThanOrEqual(budget + 100 * clients);
    expect(made).toBeGreaterThan(budget / 2);
    expect(report.errors['NO_AVAILABLE_ENDPOINT']).toBeUndefined();

    expect(failed(report, UP_AT / 1000 + 1)).toBe(0);
    expect(closed.map(({ length }) => length)).toEqual(Array(clients).fill(SERVERS));
    for (const [, , , , last] of closed) expect(last).toBeLessThan(1000);
    for (const each of attempts(report, 66, 75)) expect(each).toBeGreaterThan((200 * 9 * 0.8) / SERVERS);
  });
});
