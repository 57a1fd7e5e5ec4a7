import { AsyncLocalStorage } from 'node:async_hooks';
import { type Clock, systemClock } from 'fairlead/core';
import { afterEach, describe, expect, test, vi } from 'vitest';

describe("the platform's timer", () => {
  test('tells when it fired, and calls back only when sockets have been read', async () => {
    const { performance, setImmediate } = globalThis;
    let said = (_at?: number): void => {};
    const at = new Promise<number | undefined>(resolve => {
      said = resolve;
    });
    let fired = Number.NaN;
    let held = Number.NaN;
    Object.assign(globalThis, {
      setImmediate(callback: () => void) {
        fired = performance.now();
        while (performance.now() < fired + 2);
        held = performance.now();
        setImmediate(callback);
      },
    });
    vi.resetModules(); // it takes the platform's timers as it finds them
    try {
      const { systemClock } = await import('../../src/base/env.ts');
      systemClock.timer!(said).set(1);
      expect(await at).toBeLessThanOrEqual(fired);
      expect(fired).toBeLessThan(held);
    } finally {
      Object.assign(globalThis, { setImmediate });
    }
  });

  test('is heard though a test fakes the timers before it has rung', async () => {
    const rung = new Promise<void>(resolve => {
      systemClock.timer!(() => resolve()).set(1);
    });
    const after = new Promise<void>(resolve => {
      systemClock.after(1, resolve);
    });
    vi.useFakeTimers();
    try {
      await Promise.all([rung, after]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('rings once for the last time it was set, and keeps nothing alive once told so', async () => {
    const rung: string[] = [];
    let ring = (): void => {};
    const over = new Promise<void>(resolve => {
      ring = resolve;
    });
    const timer = systemClock.timer!(() => {
      rung.push('rang');
      ring();
    });
    expect(timer.set(60_000)).toBe(true);
    timer.unref();
    timer.ref();
    expect(timer.set(1)).toBe(true);
    await over;
    expect(rung).toEqual(['rang']);
    expect(timer.set(1e12)).toBe(true); // for ever
    timer.unref();
  });

  test('that is set for ever, or told to keep nothing alive, obeys', async () => {
    const rung: string[] = [];
    const timer = systemClock.timer!(() => rung.push('rang'));
    timer.set(60_000);
    timer.unref();
    timer.set(60_000);
    timer.unref();
    timer.set(1);
    timer.set(1e12);
    await undefined;
    const over = new Promise<void>(resolve => systemClock.after(5, resolve));
    timer.set(60_000);
    timer.unref();
    await over;
    expect(rung).toEqual([]);
    const held = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    timer.ref();
    expect(process.getActiveResourcesInfo().filter(name => name === 'Timeout')).toHaveLength(held + 1);
    timer.unref();
    expect(process.getActiveResourcesInfo().filter(name => name === 'Timeout')).toHaveLength(held);
  });

  describe('by timers that tell who set them, and when', () => {
    const store = new AsyncLocalStorage<string>();
    const { setTimeout, clearTimeout, setImmediate } = globalThis;
    interface Set {
      readonly context: string | undefined;
      readonly ms: number;
      readonly callback: () => void;
      over: boolean;
    }
    let all: Set[] = [];
    const pending = (): Set[] => all.filter(({ over }) => !over);
    /** As the platform does: in the context it was set in. */
    const fire = ([set]: Set[]): void => {
      set!.over = true;
      store.run(set!.context!, set!.callback);
    };
    const fresh = async (): Promise<Clock> => {
      all = [];
      Object.assign(globalThis, {
        setTimeout(callback: () => void, ms: number): object {
          const set = { context: store.getStore(), ms, callback, over: false, ref() {}, unref() {} };
          all.push(set);
          return set;
        },
        clearTimeout(set: Set | undefined) {
          if (set !== undefined) set.over = true;
        },
        setImmediate: (callback: () => void) => callback(),
      });
      vi.resetModules();
      return (await import('../../src/base/env.ts')).systemClock;
    };
    afterEach(() => {
      Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate });
    });

    test('it is set at once, and for whole ms that are not too few', async () => {
      const clock = await fresh();
      const timer = clock.timer!(() => {});
      timer.set(1.2);
      expect(all.map(({ ms }) => ms)).toEqual([2]);
      clock.after(4.5, () => {});
      expect(all.at(-1)!.ms).toBe(5);
    });

    test('set again whenever it rings, it follows whoever made it, not the call it was first set in', async () => {
      const clock = await fresh();
      const timer = store.run('client', () =>
        clock.timer!(() => {
          timer.set(40);
          timer.unref();
        }),
      );
      store.run('call', () => timer.set(1));
      expect(pending().map(({ context }) => context)).toEqual(['call']);
      for (let i = 0; i < 3; i++) {
        const until = clock.now() + pending()[0]!.ms;
        while (clock.now() < until);
        fire(pending());
        expect(pending()).toHaveLength(1); // without a moment's delay
        await undefined;
        expect(pending()).toMatchObject([{ context: 'client' }]);
        expect(pending()[0]!.ms).toBeLessThanOrEqual(40);
      }
    });

    test('where its timers go by another time than its clock, it is left as it was set', async () => {
      const clock = await fresh();
      const timer = store.run('client', () => clock.timer!(() => timer.set(60_000)));
      store.run('call', () => timer.set(60_000));
      for (let i = 0; i < 3; i++) {
        fire(pending());
        await undefined;
        expect(pending()).toMatchObject([{ context: 'call', ms: 60_000 }]);
      }
      expect(all).toHaveLength(4);
    });
  });

  test('says so where it could not be told to keep nothing alive, and is not set', async () => {
    const { setTimeout, clearTimeout } = globalThis;
    const cleared: unknown[] = [];
    Object.assign(globalThis, { setTimeout: () => 7, clearTimeout: (id: unknown) => cleared.push(id) });
    try {
      vi.resetModules();
      const { systemClock } = await import('../../src/base/env.ts');
      expect(systemClock.timer!(() => {}).set(100)).toBe(false);
      expect(cleared).toContain(7);
    } finally {
      Object.assign(globalThis, { setTimeout, clearTimeout });
    }
  });

  test('that is set anew between its time-out and the immediate after it does not ring for the time before', async () => {
    const { setTimeout, clearTimeout, setImmediate } = globalThis;
    const due: (() => void)[] = [];
    const soon: (() => void)[] = [];
    Object.assign(globalThis, {
      setTimeout(callback: () => void) {
        due.push(callback);
        return { ref() {}, unref() {} };
      },
      clearTimeout() {},
      setImmediate: (callback: () => void) => soon.push(callback),
    });
    try {
      vi.resetModules();
      const { systemClock } = await import('../../src/base/env.ts');
      let rung = 0;
      const timer = systemClock.timer!(() => rung++);
      timer.set(100);
      due[0]!();
      timer.set(50);
      soon[0]!();
      expect(rung).toBe(0);
      due[1]!();
      soon[1]!();
      expect(rung).toBe(1);
    } finally {
      Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate });
    }
  });
});
