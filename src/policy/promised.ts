import { rejected } from '../base/rejection.ts';
import type { Call, Run, Task } from '../model/call.ts';

/** Runs, and rejects even where a policy inside throws instead of rejecting. */
export function promised<T>(next: Run, task: Task<T>, call: Call): Promise<T> {
  try {
    return Promise.resolve(next(task, call));
  } catch (error) {
    return rejected(error);
  }
}
