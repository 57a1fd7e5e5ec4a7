import {
  alwaysClosed,
  type Balancer,
  Call,
  consecutiveFailures,
  leastRequest,
  type MakeBreaker,
  p2c,
  random,
  retry,
  ring,
  roundRobin,
  type Task,
} from 'fairlead/core';
import { settled } from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { endpoints, rig, running, watch } from './helpers.ts';
import { atMost } from './in-loops.ts';

const never: Task<never> = () => new Promise(() => {});
const at: Task<string> = async ({ id }) => id;
const bad: Task<never> = () => Promise.reject(new Error('refused'));

const BALANCERS: readonly [string, () => Balancer][] = [
  ['roundRobin', roundRobin],
  ['random', random],
  ['p2c', p2c],
  ['leastRequest', leastRequest],
  ['ring', () => ring({ points: 20 })],
];

describe.each(BALANCERS)('%s', (_, make) => {
  test('no member ever has more in flight than it may, and none is refused while one has room', async () => {
    const step = fc.record({ begin: fc.boolean(), which: fc.nat(50), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(step, { maxLength: 40, size: 'max' }),
        async (size, maxInFlight, steps) => {
          const { client } = rig(size, { balancer: make(), maxInFlight });
          await client.ready();
          const ends: ((fails: boolean) => void)[] = [];
          for (const { begin, which, fails } of steps) {
            const before = running(client);
            if (begin) {
              let began = false;
              const fate = watch(
                client.run(
                  () =>
                    new Promise<void>((resolve, reject) => {
                      began = true;
                      ends.push(failing => (failing ? reject(new Error('refused')) : resolve()));
                    }),
                  { key: `k${which % 3}` },
                ),
              );
              await settled();
              expect(began).toBe(before < size * maxInFlight);
              if (!began) expect(fate.value).toMatchObject({ code: 'OVERLOADED', attempts: [] });
            } else if (ends.length > 0) {
              ends.splice(which % ends.length, 1)[0]!(fails);
              await settled();
              expect(running(client)).toBe(before - 1);
            }
            for (const { inFlight } of client.pool.members()) atMost(inFlight, maxInFlight);
          }
          for (const end of ends) end(false);
          await settled();
          expect(running(client)).toBe(0);
          await client.close();
        },
      ),
      { numRuns: 40 },
    );
  });
});

test('when all have as much as they may, the error says so, and that it is not they who are ill', async () => {
  const { client, lines } = rig(2, { maxInFlight: 3 });
  await client.ready();
  for (let n = 0; n < 6; n++) void client.run(never);
  lines.length = 0;
  const error = await client.run(at).catch(error => error);
  expect(error).toMatchObject({ code: 'OVERLOADED', attempts: [] });
  expect(error.message).toBe('all endpoints that may be called have 3 attempts in flight');
  expect(error.stack).not.toContain('\n');
  expect(lines).toEqual([]);
});

test('that members are busy is no reason to call those that are refused', async () => {
  const { client, lines } = rig(3, {
    maxInFlight: 1,
    balancer: leastRequest(),
    breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
  });
  await client.ready();
  await client.run(bad).catch(() => {});
  void client.run(never);
  void client.run(never);
  lines.length = 0;
  await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
  expect(lines).toEqual([]);
});

test('nor for a call that has tried the busy one already', async () => {
  const { client } = rig(2, {
    maxInFlight: 1,
    breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
  });
  await client.ready();
  await client.run(bad).catch(() => {});
  const call = new Call();
  const busy = client.pool.pick(call);
  call.avoid();
  expect(() => client.pool.pick(call)).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
  busy.end('success');
});

test('unless too few are well: then any is called, busy as the others may be', async () => {
  const { client } = rig(3, {
    maxInFlight: 1,
    panic: { below: 0.5 },
    balancer: leastRequest(),
    breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
  });
  await client.ready();
  const first = client.pool.pick(new Call());
  client.pool.pick(new Call()).end('failure');
  for (let n = 0; n < 20 && client.pool.explain(new Call()).round !== 'panic'; n++)
    client.pool.pick(new Call()).end('failure');
  expect(client.pool.explain(new Call()).round).toBe('panic');
  expect(client.pool.pick(new Call()).endpoint.id).not.toBe(first.endpoint.id);
});

test('where none is well, panic calls those that have room, and then it is overload', async () => {
  const { client } = rig(2, {
    maxInFlight: 1,
    breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
  });
  await client.ready();
  await client.run(bad).catch(() => {});
  await client.run(bad).catch(() => {});
  void client.run(never);
  void client.run(never);
  expect(client.pool.members().map(({ inFlight }) => inFlight)).toEqual([1, 1]);
  await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
});

test('fail-fast: those who are refused are refused, those who are busy are busy', async () => {
  const { client } = rig(2, {
    panic: false,
    maxInFlight: 1,
    breaker: consecutiveFailures({ threshold: 1, openFor: 1e6 }),
  });
  await client.ready();
  await client.run(bad).catch(() => {});
  const controller = new AbortController();
  void client.run(never, { signal: controller.signal }).catch(() => {});
  await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
  controller.abort();
  await settled();
  await client.run(bad).catch(() => {});
  await expect(client.run(at)).rejects.toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
});

test('a breaker of the user that throws does not get through to the caller', async () => {
  const allows = (): boolean => {
    throw new Error('mine');
  };
  const breaker: MakeBreaker = () => ({ ...alwaysClosed, allows });
  const { client, lines } = rig(1, { maxInFlight: 1, breaker });
  await client.ready();
  void client.run(never);
  await settled();
  lines.length = 0;
  await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
  expect(lines).toContain('fault breaker mine');
});

test('a busy member whose breaker throws counts as well: no reason to call one that is refused', async () => {
  let made = 0;
  const breaker: MakeBreaker = () => {
    if (made++ === 1) return { ...alwaysClosed, state: 'open', allows: () => false };
    const allows = (): boolean => {
      throw new Error('mine');
    };
    return { state: 'closed', epoch: 0, allows, begin() {}, end() {} };
  };
  const { client } = rig(2, { maxInFlight: 1, breaker });
  await client.ready();
  expect(client.pool.pick(new Call()).endpoint.id).toBe('m000');
  expect(() => client.pool.pick(new Call())).toThrow(expect.objectContaining({ code: 'OVERLOADED' }));
});

test('a member taken out by hand is not busy', async () => {
  const { client } = rig(1, { maxInFlight: 1 });
  await client.ready();
  void client.run(never);
  client.pool.isolate('m000');
  await expect(client.run(at)).rejects.toMatchObject({ code: 'NO_AVAILABLE_ENDPOINT' });
});

test('members that join later have the limit, too, and those whose address changes begin afresh', async () => {
  const { client, source } = rig(1, { maxInFlight: 1 });
  await client.ready();
  void client.run(never);
  source.set(endpoints(2));
  await settled();
  await expect(client.run(at)).resolves.toBe('m001');
  void client.run(never);
  await expect(client.run(at)).rejects.toMatchObject({ code: 'OVERLOADED' });
});

test('what no member has room for is not retried; a retry waits while those untried are busy', async () => {
  const { client, lines, clock } = rig(2, {
    maxInFlight: 1,
    policies: [retry({ attempts: 2, backoff: () => 100 })],
  });
  await client.ready();
  void client.run(never);
  const fate = watch(client.run(bad));
  await settled();
  expect(lines.at(-1)).toMatch(/^retry 2 after m00\d later$/);
  void client.run(never);
  await clock.advance(100);
  expect(fate.value).toMatchObject({ code: 'OVERLOADED', attempts: [{ outcome: 'failure' }] });
  expect(clock.pending).toBe(0);
});

test.each([[null], ['5'], [Number.NaN], [0], [-1]])('maxInFlight %o is refused by name', maxInFlight => {
  expect(() => rig(1, { maxInFlight: maxInFlight as number })).toThrow('maxInFlight is ');
});
