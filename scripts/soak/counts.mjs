// What is counted: timers by a clock of their own, controllers, and the heap once nobody waits for anything.
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../dist/index.js';

/** So much the heap may grow, in bytes. */
export const MOST = 1_000_000;

/** The platform's clock, which knows how many of its timers are pending: `getActiveResourcesInfo` leaves out the unref'ed. */
export function countedClock() {
  const pending = { foreground: 0, background: 0 };
  const counted = (clock, kind) => ({
    now: clock.now,
    after(ms, callback) {
      let on = true;
      pending[kind]++;
      const over = () => {
        if (on) pending[kind]--;
        on = false;
      };
      const cancel = clock.after(ms, () => {
        over();
        callback();
      });
      return () => {
        over();
        cancel();
      };
    },
  });
  const background = counted(systemClock.background, 'background');
  return { clock: { ...counted(systemClock, 'foreground'), background }, pending };
}

const Native = globalThis.AbortController;
let made = 0;

/** From here on counts the controllers made. A caller's own are made by `NativeController` and do not count. */
export function countControllers() {
  globalThis.AbortController = class AbortController extends Native {
    constructor() {
      super();
      made++;
    }
  };
}
export const controllersMade = () => made;
export { Native as NativeController };

/** Collects what nobody holds, in turns of its own, for finalizers run between them and free more. Answers the heap in bytes. */
export async function collectedHeap() {
  for (let i = 0; i < 10; i++) {
    await sleep(20);
    globalThis.gc();
  }
  return process.memoryUsage().heapUsed;
}

/** How many resources of a kind keep the process alive. */
export const active = kind => process.getActiveResourcesInfo().filter(each => each === kind).length;

/** Runs `call` so many times, so many at once, and lets timers and sockets have their turn now and then. */
export async function inParallel(count, abreast, call) {
  let begun = 0;
  const caller = async () => {
    while (begun < count) {
      await call(++begun);
      if (begun % 50 === 0) await new Promise(resolve => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: abreast }, caller));
}
