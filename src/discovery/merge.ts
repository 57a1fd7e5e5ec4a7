import { bad, checkFunction } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Discovery } from './discovery.ts';
import { checkFollow, FOLLOW_OPTIONS, type FollowOptions, follow } from './follow.ts';
import { Latest } from './latest.ts';

/**
 * Several sources as one: the union of their latest sets. Of endpoints with the same id, the earlier source's
 * counts. Each source is followed by itself, so while one fails, its last good set stands and the others move on.
 * Speaks as soon as one of them has spoken.
 *
 * @throws TypeError for a source that is none; RangeError for an option out of range
 */
export function merge(sources: readonly Discovery[], options?: FollowOptions): Discovery {
  if (!Array.isArray(sources)) throw bad('merge sources', sources, 'an array');
  for (const [i, source] of sources.entries()) checkFunction(`merge source ${i}`, source);
  if (options !== undefined) checkOptions('merge', options, FOLLOW_OPTIONS);
  const checked = checkFollow(options);
  return async function* (env, signal, report) {
    const sets: (readonly Endpoint[] | undefined)[] = sources.map(() => undefined);
    const union = new Latest<readonly Endpoint[]>();
    // A stop of its own: whoever stops iterating stops the sources, signal or not.
    const stop = new AbortController();
    const abort = (): void => stop.abort(signal.reason);
    signal.addEventListener('abort', abort);
    const all = sources.map((source, i) =>
      follow(
        source,
        env,
        stop.signal,
        {
          error: report,
          set(endpoints) {
            sets[i] = endpoints;
            const byId = new Map<string, Endpoint>();
            for (const set of sets)
              for (const each of set ?? []) if (!byId.has(each.id)) byId.set(each.id, each);
            union.set([...byId.values()]);
          },
        },
        checked,
      ),
    );
    void Promise.all(all).then(() => union.end());
    try {
      yield* union.read(signal);
    } finally {
      signal.removeEventListener('abort', abort);
      stop.abort();
    }
  };
}
