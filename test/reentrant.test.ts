import { createClient, fixed } from 'fairlead';
import {
  type Balancer,
  type Fault,
  hedge,
  limit,
  noLoad,
  type Observer,
  type Policy,
  Pool,
  type RetryBudget,
  retry,
  roundRobin,
  timeout,
} from 'fairlead/core';
import { describe, expect, test } from 'vitest';
import { countedSignal, rig, running, testEnv, watch } from './helpers.ts';

const never = (): Promise<never> => new Promise(() => {});

/** A task that never ends, and how often it was run. */
function counted() {
  let runs = 0;
  const task = (): Promise<never> => {
    runs++;
    return never();
  };
  return { task, ran: () => runs };
}

const POLICIES: Readonly<Record<string, readonly Policy[]>> = {
  'nothing round it': [],
  'a time-out': [timeout(500)],
  'a retry': [retry()],
  'a limit': [limit({ concurrency: 1, queue: 1 })],
  'a hedge': [hedge({ delay: 50, ratio: 1, budget: false })],
  'all of them': [timeout(900), limit({ concurrency: 1 }), retry(), hedge({ delay: 50 }), timeout(500)],
};

describe.each(Object.entries(POLICIES))('a call with %s', (_, policies) => {
  /** A client within whose hooks something is done once: while an attempt is picked, and as it begins. */
  const hooked = (act: () => void, where: string) => {
    let acted = false;
    const at = (here: string): void => {
      if (here !== where || acted) return;
      acted = true;
      act();
    };
    const balancer: Balancer = {
      load: () => ({ ...noLoad, begin: () => at('a load') }),
      picker(members, env) {
        const pick = roundRobin().picker(members, env);
        return (call, now) => {
          at('a picker');
          return pick(call, now);
        };
      },
    };
    const observer: Observer = { attempt: () => at('an observer') };
    return rig(3, { policies, balancer, observer });
  };

  test.each(['a picker', 'a load', 'an observer'])(
    'that %s gives up ends at once, at no member',
    async where => {
      const { signal, abort, listeners } = countedSignal();
      const { client, clock } = hooked(() => abort('gone'), where);
      await client.ready();
      const { task, ran } = counted();
      const fate = watch(client.run(task, { signal }));
      await clock.advance(0);
      expect([fate.value, ran(), running(client), clock.pending, listeners()]).toEqual(['gone', 0, 0, 0, 0]);
    },
  );

  test.each(['a picker', 'a load', 'an observer'])(
    'during which %s closes the client is not left behind',
    async where => {
      let closed = watch(Promise.resolve());
      const { client, clock } = hooked(() => {
        closed = watch(client.close({ drain: 0 }));
      }, where);
      await client.ready();
      const { signal } = countedSignal();
      const fate = watch(client.run(never, { signal }));
      await clock.advance(0);
      expect([fate.value, closed.state]).toEqual([expect.objectContaining({ code: 'CLOSED' }), 'resolved']);
      expect([running(client), clock.pending]).toEqual([0, 0]);
    },
  );
});

describe('a hedge', () => {
  const hedging = { delay: 50, ratio: 1 } as const;

  test.each(['the observer', 'the budget'])(
    'that is about to begin when %s gives the call up does not',
    async who => {
      const { signal, abort, listeners } = countedSignal();
      const budget: RetryBudget = {
        deposit() {},
        withdraw() {
          if (who === 'the budget') abort('gone');
          return true;
        },
      };
      const { client, clock } = rig(3, {
        policies: [timeout(500), hedge({ ...hedging, budget })],
        observer: { hedge: () => abort('gone') },
      });
      await client.ready();
      const { task, ran } = counted();
      const fate = watch(client.run(task, { signal }));
      await clock.advance(100);
      expect([fate.value, ran(), running(client), clock.pending, listeners()]).toEqual(['gone', 1, 0, 0, 0]);
    },
  );

  /** A policy whose listener throws, inside the hedge. */
  const mine = new Error('mine');
  const careless: Policy = next => (task, call) => {
    call.listen({
      aborted() {
        throw mine;
      },
    });
    return next(task, call);
  };
  const carelessly = (
    answers: (attempt: number) => Promise<string>,
    policies: readonly Policy[] = [timeout(500), hedge({ ...hedging, budget: false })],
  ) => {
    const faults: Fault[] = [];
    const observer: Observer = { fault: fault => faults.push(fault) };
    const made = rig(3, { policies: [...policies, careless], observer });
    const { signal, abort } = countedSignal();
    const fate = watch(made.client.run((_, __, call) => answers(call.attempt), { signal }));
    return { ...made, faults, fate, abort };
  };
  const blamed = (times: number) => Array.from({ length: times }, () => ({ source: 'policy', error: mine }));

  test.each([1, 2])(
    'whose loser has a listener that throws hands on the answer of attempt %d',
    async winner => {
      const { client, clock, fate, faults } = carelessly(async attempt => {
        if (attempt !== winner) return never();
        return new Promise(resolve => clock.after(100, () => resolve('answer')));
      });
      await clock.advance(300);
      expect([fate.value, running(client), clock.pending]).toEqual(['answer', 0, 0]);
      expect(faults).toEqual(blamed(1));
    },
  );

  test('or a time-out alone: what a listener of what it ends throws is a fault', async () => {
    const { clock, fate, faults } = carelessly(never, [timeout(500)]);
    await clock.advance(500);
    expect([fate.value, faults]).toEqual([expect.objectContaining({ code: 'TIMEOUT' }), blamed(1)]);
  });

  test.each(['the caller', 'the time-out'])('that %s ends is over, though listeners throw', async who => {
    const { client, clock, fate, faults, abort } = carelessly(never);
    await clock.advance(100);
    expect(running(client)).toBe(2);
    if (who === 'the caller') abort('gone');
    await clock.advance(500);
    expect(fate.value).toEqual(who === 'the caller' ? 'gone' : expect.objectContaining({ code: 'TIMEOUT' }));
    expect([running(client), clock.pending]).toEqual([0, 0]);
    expect(faults).toEqual(blamed(2));
  });
});

test('a pool takes options that are inherited', async () => {
  const members: number[] = [];
  const options = Object.create({
    discovery: fixed(['10.0.0.1:80', '10.0.0.2:80']),
    balancer: roundRobin(),
    env: testEnv(),
    observer: { members: ({ size }) => members.push(size) } satisfies Observer,
  });
  const pool = new Pool(options);
  await pool.ready();
  expect([pool.size, members]).toEqual([2, [2]]);
  pool.close();
});

test("the root's client may be closed by a callback, too", async () => {
  const client = createClient({ discovery: fixed(['10.0.0.1:80']) });
  const { close } = client;
  await close();
  expect(client.pool.closed).toBe(true);
});
