import { ATTEMPT_TIMEOUT, SERVICE } from './settings.mjs';

/**
 * Round robin as people write it: the instances that the registry lists at this moment, each in its turn, with a
 * time-out, lest a call hang for ever.
 *
 * @param {import('fairlead').Registry} registry
 * @param {import('./tally.mjs').Tally} tally
 * @returns {import('./run.mjs').Contestant}
 */
export function byHand(registry, tally) {
  let turn = 0;

  return {
    async fetch(path) {
      const instances = registry.endpoints(SERVICE);
      const { id, host, port } = instances[turn++ % instances.length];
      const start = performance.now();
      let ok = false;
      tally.began(id);
      try {
        const response = await fetch(`http://${host}:${port}${path}`, {
          signal: AbortSignal.timeout(ATTEMPT_TIMEOUT),
        });
        ok = response.ok;
        return response;
      } finally {
        tally.end(id, performance.now() - start, !ok);
      }
    },
    members: () => registry.endpoints(SERVICE).map(({ id }) => ({ id, breaker: 'none' })),
    close: async () => [],
  };
}
