import { prompt, type Run } from '../model/call.ts';
import { guarded } from '../model/observer.ts';
import type { PolicyContext } from './policy.ts';
import { promised } from './promised.ts';

/** A run that rejects as soon as the call is aborted, made of one that may not, such as a policy of the user's. */
export function promptly(next: Run, { classifier, observer }: PolicyContext): Run {
  if (next.prompt) return next;
  return prompt(
    (task, call) =>
      new Promise((resolve, reject) => {
        if (call.aborted) return reject(call.reason);
        const listener = { aborted: reject };
        call.listen(listener);
        promised(next, task, call).then(
          value => {
            call.unlisten(listener);
            if (call.aborted) guarded(observer, 'classifier', () => classifier.discard?.(value)); // nobody will have it
            resolve(value);
          },
          error => {
            call.unlisten(listener);
            reject(error);
          },
        );
      }),
  );
}
