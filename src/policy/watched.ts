import type { Call, Run, Task } from '../model/call.ts';

/** Runs, and calls back once it is over, whatever happened, before anybody else hears of it. */
export function watched<T>(next: Run, task: Task<T>, call: Call, over: () => void): Promise<T> {
  let running: Promise<T>;
  try {
    running = Promise.resolve(next(task, call));
  } catch (error) {
    running = Promise.reject(error); // a policy inside that throws instead of rejecting
  }
  return running.then(
    value => {
      over();
      return value;
    },
    error => {
      over();
      throw error;
    },
  );
}
