import { AsyncLocalStorage } from 'node:async_hooks';
import { systemClock } from 'fairlead/core';
import { describe, expect, test, vi } from 'vitest';

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

  test('that is told, before it is so much as set again, to keep nothing alive, or not to ring at the time before, obeys', async () => {
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

  test('that is set over and over does not keep the asynchronous context of a call in which it was', async () => {
    const { setTimeout } = globalThis;
    const store = new AsyncLocalStorage<string>();
    const contexts: (string | undefined)[] = [];
    Object.assign(globalThis, {
      setTimeout(callback: () => void, ms: number) {
        contexts.push(store.getStore());
        return setTimeout(callback, ms);
      },
    });
    vi.resetModules();
    try {
      const { systemClock } = await import('../../src/base/env.ts');
      const timer = store.run('client', () => systemClock.timer!(() => {}));
      for (const call of ['first', 'second', 'third']) {
        store.run(call, () => timer.set(60_000));
        await undefined;
      }
      expect(contexts).toEqual(['first', 'client', 'client']);
      timer.unref();
    } finally {
      Object.assign(globalThis, { setTimeout });
    }
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
      await undefined;
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
