import type { Discovery } from '../discovery/discovery.ts';
import type { Endpoint } from '../model/endpoint.ts';

/** A source that says what it is told to say. */
export interface ScriptedDiscovery {
  readonly discovery: Discovery;
  /** Gives a set, or what a broken registry might give instead of one. */
  set(endpoints: readonly Endpoint[] | unknown): void;
  /** Throws, as a registry that went away does. `follow` starts it afresh. */
  fail(error: unknown): void;
  /** Ends, as a source that has no more to say does. */
  end(): void;
  /** How often it was started. */
  readonly starts: number;
  /** How many run. */
  readonly running: number;
}

type Step = { readonly set: unknown } | { readonly fail: unknown } | { readonly end: true };

/**
 * A source for tests. What is said before it is started, or between two starts, is said once it runs. It says
 * each thing once: of several that run, one of them hears it.
 */
export function scriptedDiscovery(...sets: readonly (readonly Endpoint[])[]): ScriptedDiscovery {
  const steps: Step[] = sets.map(set => ({ set }));
  let starts = 0;
  let running = 0;
  const idle = new Set<() => void>();
  const say = (step: Step): void => {
    steps.push(step);
    for (const wake of idle) wake();
  };
  return {
    discovery: async function* (_env, signal) {
      starts++;
      running++;
      let wake = (): void => {};
      const stop = (): void => wake();
      signal.addEventListener('abort', stop);
      try {
        while (!signal.aborted) {
          const step = steps.shift();
          if (step === undefined) {
            await new Promise<void>(resolve => {
              wake = resolve;
              idle.add(wake);
            });
            idle.delete(wake);
          } else if ('set' in step) yield step.set as readonly Endpoint[];
          else if ('fail' in step) throw step.fail;
          else return;
        }
      } finally {
        signal.removeEventListener('abort', stop);
        running--;
      }
    },
    set: endpoints => say({ set: endpoints }),
    fail: error => say({ fail: error }),
    end: () => say({ end: true }),
    get starts() {
      return starts;
    },
    get running() {
      return running;
    },
  };
}
