import {
  type Attempt,
  type Balancer,
  type BreakerState,
  Call,
  type Classifier,
  consecutiveFailures,
  type Endpoint,
  failureRate,
  leastRequest,
  type MakeBreaker,
  type Member,
  type Outcome,
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
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endpoint, type Fate, rig, watch } from '../helpers.ts';

const BALANCERS: readonly (() => Balancer)[] = [
  roundRobin,
  weightedRoundRobin,
  random,
  p2c,
  leastRequest,
  () => p2c({ load: peakEwma() }),
  () => ring({ points: 4 }),
];

const BREAKERS: readonly (MakeBreaker | false)[] = [
  false,
  consecutiveFailures({ threshold: 1, openFor: 200 }),
  consecutiveFailures({ threshold: 2, openFor: 50, probes: 2 }),
  failureRate({ window: 500, minCalls: 2, openFor: 100, slowerThan: 80 }),
];

const POLICIES: readonly (() => Policy[])[] = [
  () => [],
  () => [retry()],
  () => [timeout(150)],
  () => [retry({ attempts: 5, backoff: () => 40 }), timeout(100)],
  () => [timeout(300), retry({ attempts: 9, budget: false }), timeout(60)],
  () => [retry({ attempts: 2 }), timeout(200), retry({ attempts: 3, backoff: () => 30 })],
];

/** What a task does. */
type Deed = 'answers' | 'fails' | 'throws' | 'hangs' | 'heeds its signal';
const deeds: readonly Deed[] = ['answers', 'fails', 'throws', 'hangs', 'heeds its signal'];

const member = fc
  .record({ n: fc.nat(5), port: fc.constantFrom(80, 80, 81), weight: fc.constantFrom(0, 1, 1, 3) })
  .map(({ n, port, weight }) => endpoint(`m${n}`, { port, weight }));

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('call' as const),
      deed: fc.constantFrom(...deeds),
      takes: fc.nat(250),
      abortable: fc.boolean(),
      repeatable: fc.constantFrom(true, false, 'unsent' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pick' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      which: fc.nat(),
      outcome: fc.constantFrom<Outcome>('success', 'failure', 'ignored'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('abort' as const), which: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(300) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('set' as const), set: fc.array(member, { maxLength: 8 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('nonsense' as const) }) },
);

const life = fc.record({
  balancer: fc.constantFrom(...BALANCERS),
  breaker: fc.constantFrom(...BREAKERS),
  policies: fc.constantFrom(...POLICIES),
  panic: fc.boolean(),
  first: fc.option(fc.array(member, { minLength: 1, maxLength: 6 }), { nil: undefined }),
  steps: fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }),
  seed: fc.nat(),
});

const LEGAL = new Set(['closed open', 'open half-open', 'half-open open', 'half-open closed']);

test('whatever happens in whatever order: each attempt begun ends once, at a member of the set; nothing hangs, nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ balancer, breaker, policies, panic, first, steps, seed }) => {
      let current: readonly Endpoint[] = [];
      const begun = new Map<Attempt, number>();
      const states = new Map<Member, BreakerState>();
      const faults: unknown[] = [];
      const classifier: Classifier = {
        value: value => (value === 'bad' ? 'failure' : 'success'),
        error: error => (error === 'mine' ? 'ignored' : 'failure'),
      };
      const { client, source, clock } = rig(
        first,
        {
          balancer: balancer(),
          breaker,
          policies: policies(),
          panic,
          classifier,
          readyTimeout: 400,
          follow: { emptyAfter: 200, restartAfter: 20 },
          observer: {
            members: ({ size }) => {
              current = client.pool.members().map(each => each.endpoint);
              expect(current).toHaveLength(size);
            },
            attempt: attempt => {
              begun.set(attempt, 0);
              expect(attempt.member.active).toBe(true);
              expect(current).toContain(attempt.endpoint);
            },
            attemptEnd: attempt => begun.set(attempt, begun.get(attempt)! + 1),
            breaker: ({ member, from, to }) => {
              expect(states.get(member) ?? 'closed').toBe(from);
              expect(LEGAL).toContain(`${from} ${to}`);
              states.set(member, to);
            },
            fault: ({ error }) => faults.push(error),
          },
        },
        seed,
      );
      const calls: { fate: Fate; controller: AbortController | undefined }[] = [];
      const picked: Attempt[] = [];
      const release: (() => void)[] = [];

      const task = (deed: Deed, takes: number) => (_: Endpoint, signal: AbortSignal | undefined) => {
        if (deed === 'throws') throw 'thrown';
        return new Promise<string>((resolve, reject) => {
          if (deed === 'heeds its signal') signal?.addEventListener('abort', () => reject('mine'));
          release.push(() => resolve('bad'));
          if (deed === 'hangs' || (deed === 'heeds its signal' && signal !== undefined)) return;
          clock.after(takes, () => (deed === 'fails' ? reject('down') : resolve('fine')));
        });
      };

      for (const now of steps) {
        if (now.do === 'call') {
          const controller = now.abortable ? new AbortController() : undefined;
          const options = {
            key: String(calls.length),
            signal: controller?.signal,
            repeatable: now.repeatable,
          };
          calls.push({ fate: watch(client.run(task(now.deed, now.takes), options)), controller });
        } else if (now.do === 'pick') {
          try {
            picked.push(client.pool.pick(new Call({ key: 'k' })));
          } catch (error) {
            expect(error).toHaveProperty('code', expect.stringMatching(/^NO_/));
          }
        } else if (now.do === 'end') {
          picked[now.which % Math.max(1, picked.length)]?.end(now.outcome);
        } else if (now.do === 'abort') {
          const chosen = calls[now.which % Math.max(1, calls.length)];
          chosen?.controller?.abort('given up');
        } else if (now.do === 'wait') await clock.advance(now.ms);
        else if (now.do === 'set') source.set(now.set);
        else if (now.do === 'fail') source.fail('registry down');
        else source.set('nonsense');
        if (seed % 2 === 0) await settled(); // or let several things happen at once
      }

      await client.close();
      await settled();
      for (const { controller, fate } of calls) {
        const { state } = fate;
        controller?.abort('given up');
        await settled();
        if (controller !== undefined && state === 'pending') expect(fate.value).toBe('given up');
      }
      // Tasks that hang and have neither signal nor time-out are the caller's; they answer at last.
      for (let i = 0; i < 20; i++) {
        for (const each of release.splice(0)) each();
        await clock.advance(500);
      }
      for (const attempt of picked) attempt.end('ignored');

      expect(calls.map(({ fate }) => fate.state)).not.toContain('pending');
      expect([...begun.values()].filter(ends => ends !== 1)).toEqual([]);
      for (const { member } of begun.keys()) expect(member.inFlight).toBe(0);
      expect([clock.pending, source.running]).toEqual([0, 0]);
      expect(faults).toEqual([]);
    }),
    { numRuns: 300 },
  );
}, 30_000);
