import { rejection } from '../base/rejection.ts';
import type { Call, Run, Task } from '../model/call.ts';
import { promised } from './promised.ts';

/** Runs, and calls back once it is over, whatever happened, before anybody else hears of it. */
export function watched<T>(next: Run, task: Task<T>, call: Call, over: () => void): Promise<T> {
  return promised(next, task, call).then(
    value => {
      over();
      return value;
    },
    error => {
      over();
      return rejection(error);
    },
  );
}
