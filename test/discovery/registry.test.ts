import { createRegistry, type Endpoint, type Registry } from 'fairlead/core';
import { settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { endpoint, type TestEnv, testEnv } from '../helpers.ts';

const [a, b] = [endpoint('a'), endpoint('b')];
const ids = (set: readonly Endpoint[]): string => set.map(({ id }) => id).join(' ');

function registry(ttl?: number): { registry: Registry } & TestEnv {
  const env = testEnv();
  return { registry: createRegistry(ttl === undefined ? { env } : { ttl, env }), ...env };
}

/** What a reader of a service is given. */
function reading(
  from: Registry,
  service = 'users',
): { sets: string[]; over: () => boolean; stop: () => void } {
  const controller = new AbortController();
  const sets: string[] = [];
  let over = false;
  void (async () => {
    for await (const set of from.discovery(service)(testEnv(), controller.signal, () => {}))
      sets.push(ids(set));
    over = true;
  })();
  return { sets, over: () => over, stop: () => controller.abort() };
}

describe('registering', () => {
  test('readers hear of every change of their service, and of no other; a late one gets what is there', async () => {
    const { registry: all } = registry();
    const [users, orders] = [reading(all), reading(all, 'orders')];
    await settled();
    all.register('users', b);
    await settled();
    const first = all.register('users', a);
    await settled();
    first.deregister();
    await settled();
    expect(users.sets).toEqual(['', 'b', 'a b', 'b']);
    expect(orders.sets).toEqual(['']);
    const late = reading(all);
    await settled();
    expect(late.sets).toEqual(['b']);
    expect(ids(all.endpoints('users'))).toBe('b');
    expect(all.endpoints('unheard of')).toEqual([]);
  });

  test('what nobody took in time is replaced, not queued', async () => {
    const { registry: all } = registry();
    const { sets } = reading(all);
    await settled();
    for (let i = 0; i < 10; i++) all.register('users', endpoint(`e${i}`));
    await settled();
    expect(sets).toEqual(['', 'e0 e1 e2 e3 e4 e5 e6 e7 e8 e9']);
  });

  test('who registers an id again replaces it, and the handle of the replaced one is void', () => {
    const { registry: all } = registry(1000);
    const first = all.register('users', a);
    const second = all.register('users', { ...a, port: 81 });
    expect(first.heartbeat()).toBe(false);
    first.deregister();
    expect(all.endpoints('users')).toMatchObject([{ id: 'a', port: 81 }]);
    expect(second.heartbeat()).toBe(true);
    second.deregister();
    second.deregister();
    expect(second.heartbeat()).toBe(false);
    expect(all.endpoints('users')).toEqual([]);
  });

  test('the same id in two services is two entries', () => {
    const { registry: all } = registry();
    const user = all.register('users', a);
    all.register('orders', a);
    user.deregister();
    expect([ids(all.endpoints('users')), ids(all.endpoints('orders'))]).toEqual(['', 'a']);
  });

  test('what the caller does to its object afterwards is of no effect', () => {
    const { registry: all } = registry();
    const mine = { ...a };
    all.register('users', mine);
    mine.port = 0;
    expect(all.endpoints('users')).toMatchObject([{ port: 80 }]);
  });

  test.each<[string, unknown, string]>([
    ['no port', { id: 'x', host: 'x' }, 'has port undefined'],
    ['a weight of NaN', { ...a, weight: Number.NaN }, 'has weight NaN'],
    ['nothing', undefined, 'has id undefined'],
  ])('an endpoint with %s is refused, and what was registered stays', (_, bad, message) => {
    const { registry: all } = registry();
    all.register('users', a);
    expect(() => all.register('users', bad as Endpoint)).toThrow(message);
    expect(ids(all.endpoints('users'))).toBe('a');
  });
});

describe('expiry', () => {
  test('an entry without a heartbeat goes after its time, to the millisecond, and readers hear of it', async () => {
    const { registry: all, clock } = registry(1000);
    const { sets } = reading(all);
    all.register('users', a);
    await clock.advance(500);
    all.register('users', b);
    await clock.advance(499);
    expect(ids(all.endpoints('users'))).toBe('a b');
    await clock.advance(1);
    expect(ids(all.endpoints('users'))).toBe('b');
    await clock.advance(500);
    expect(sets.slice(-3)).toEqual(['a b', 'b', '']);
    expect(clock.pending).toBe(0);
  });

  test('heartbeats keep it; once it has expired they say so, and registering again brings it back', async () => {
    const { registry: all, clock } = registry(1000);
    const handle = all.register('users', a);
    for (let i = 0; i < 10; i++) {
      await clock.advance(900);
      expect(handle.heartbeat()).toBe(true);
    }
    await clock.advance(1000);
    expect(handle.heartbeat()).toBe(false);
    expect(all.endpoints('users')).toEqual([]);
    all.register('users', a);
    expect(ids(all.endpoints('users'))).toBe('a');
  });

  test('however many are registered, there is one timer, and none without a ttl', async () => {
    const { registry: all, clock } = registry(1000);
    for (let i = 0; i < 100; i++) {
      all.register(`service${i % 3}`, endpoint(`e${i}`));
      await clock.advance(1);
      expect(clock.pending).toBe(1);
    }
    await clock.advance(1000);
    expect(clock.pending).toBe(0);
    const forever = registry();
    forever.registry.register('users', a);
    expect(forever.clock.pending).toBe(0);
  });
});

describe('closing', () => {
  test('ends all readers, who keep what they were given last, and leaves no timer', async () => {
    const { registry: all, clock } = registry(1000);
    const readers = [reading(all), reading(all, 'orders')];
    const handle = all.register('users', a);
    await settled();
    all.close();
    await settled();
    expect(readers.map(({ over }) => over())).toEqual([true, true]);
    expect(readers[0]!.sets.at(-1)).toBe('a');
    expect(clock.pending).toBe(0);
    expect(handle.heartbeat()).toBe(false);
    handle.deregister();
    expect(() => all.register('users', b)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    const late = reading(all);
    await settled();
    expect([late.over(), late.sets]).toEqual([true, []]);
    all.close();
  });

  test('a reader that leaves does not hold up the others', async () => {
    const { registry: all } = registry();
    const [leaving, staying] = [reading(all), reading(all)];
    await settled();
    leaving.stop();
    await settled();
    expect(leaving.over()).toBe(true);
    all.register('users', a);
    await settled();
    expect([leaving.sets, staying.sets]).toEqual([[''], ['', 'a']]);
  });
});
