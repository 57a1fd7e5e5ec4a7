import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Abort } from '../../src/base/abort.ts';
import type { AbortListener } from '../../src/base/signal.ts';

const noted = (heard: unknown[], name: unknown): AbortListener => ({
  aborted: reason => heard.push([name, reason]),
});

const nobody = { blame() {} };

test('whoever listens and has not left is told once, in order, and the signal after them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.nat(6)), { maxLength: 30 }),
      fc.nat(30),
      (steps, lookedAt) => {
        const abort = new Abort(nobody);
        const heard: unknown[] = [];
        const all = Array.from({ length: 7 }, (_, i) => noted(heard, i));
        const listening = new Set<number>();
        let signal: AbortSignal | undefined;
        for (const [at, [joins, which]] of steps.entries()) {
          if (at === lookedAt) {
            signal = abort.controller.signal;
            signal.addEventListener('abort', () => heard.push('signal'));
          }
          if (joins && !listening.has(which)) {
            listening.add(which);
            abort.listen(all[which]!);
          } else if (!joins) {
            listening.delete(which);
            abort.unlisten(all[which]!);
          }
        }
        abort.abort('enough');
        abort.abort('again');
        const told = heard.filter(each => each !== 'signal');
        expect([...told].sort()).toEqual([...listening].map(each => [each, 'enough']).sort());
        if (signal !== undefined) expect(heard.at(-1)).toBe('signal');
        expect(abort.controller.signal.reason).toBe('enough'); // as well if nobody asked for it before
        expect([abort.aborted, abort.reason]).toEqual([true, 'enough']);
      },
    ),
  );
});

test('one that leaves as another is told hears nothing, nor does one that joins then', () => {
  const abort = new Abort(nobody);
  const heard: unknown[] = [];
  const [left, stays, late] = ['left', 'stays', 'late'].map(name => noted(heard, name)) as [
    AbortListener,
    AbortListener,
    AbortListener,
  ];
  abort.listen({
    aborted() {
      heard.push('first');
      abort.unlisten(left);
      abort.listen(late);
    },
  });
  abort.listen(left);
  abort.listen(stays);
  abort.abort('enough');
  expect(heard).toEqual(['first', ['stays', 'enough']]);
});

test('what one throws keeps no other, nor the signal, from hearing of it, and is told', () => {
  for (const thrower of [0, 1, 2]) {
    const faults: unknown[] = [];
    const abort = new Abort({ blame: error => faults.push(error) });
    const heard: unknown[] = [];
    const mine = new Error('mine');
    for (const n of [0, 1, 2])
      abort.listen({
        aborted() {
          heard.push(n);
          if (n === thrower) throw mine;
        },
      });
    const { signal } = abort.controller;
    abort.abort('enough');
    expect([heard, signal.aborted, faults]).toEqual([[0, 1, 2], true, [mine]]);
  }
});
