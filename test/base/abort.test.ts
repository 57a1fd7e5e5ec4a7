import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Abort } from '../../src/base/abort.ts';
import type { AbortListener } from '../../src/base/signal.ts';

const noted = (heard: unknown[], name: unknown): AbortListener => ({
  aborted: reason => heard.push([name, reason]),
});

test('whoever listens and has not left is told once, in order, and the signal after them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.nat(6)), { maxLength: 30 }),
      fc.nat(30),
      (steps, lookedAt) => {
        const abort = new Abort();
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

test('one that leaves as another is told may still be told, and one that joins then is not', () => {
  const abort = new Abort();
  const heard: unknown[] = [];
  const late = noted(heard, 'late');
  abort.listen({
    aborted() {
      heard.push('first');
      abort.listen(late);
    },
  });
  abort.listen(noted(heard, 'second'));
  abort.abort('enough');
  expect(heard).toEqual(['first', ['second', 'enough']]);
});
