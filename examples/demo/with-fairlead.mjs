import { createFetch } from 'fairlead';
import { ATTEMPT_TIMEOUT, SERVICE } from './settings.mjs';

/**
 * fairlead as it comes, and the attempt time-out. All that is shown of it is what the client's events say.
 *
 * @param {import('fairlead').Registry} registry
 * @param {import('./tally.mjs').Tally} tally
 * @param {(line: string) => void} say
 * @returns {import('./run.mjs').Contestant}
 */
export function withFairlead(registry, tally, say) {
  const fetch = createFetch({ discovery: registry.discovery(SERVICE), attemptTimeout: ATTEMPT_TIMEOUT });
  const { client } = fetch;
  /** @type {string[]} */
  const problems = [];

  client.on('attempt', ({ endpoint }) => tally.began(endpoint.id));
  client.on('attemptEnd', ({ endpoint, elapsed, outcome }) => {
    tally.end(endpoint.id, elapsed ?? 0, outcome === 'failure');
    if (outcome === 'ignored') problems.push(`an attempt at ${endpoint.id} was ignored`);
  });
  client.on('breaker', ({ member, from, to }) => say(`breaker of '${member.endpoint.id}': ${from} -> ${to}`));
  client.on('members', ({ added, removed, size }) => {
    const changes = [...added.map(({ id }) => `+${id}`), ...removed.map(({ id }) => `-${id}`)];
    say(`members: ${changes.join(' ')}, now ${size}`);
  });
  client.on('giveUp', ({ reason, call }) => {
    problems.push(
      `gave up (${reason}): ${call.attempts.map(a => `${a.endpoint} ${a.elapsed.toFixed(0)} ms`)}`,
    );
  });
  client.on('discoveryError', error => problems.push(`discovery: ${error}`));
  client.on('fault', ({ source, error }) => problems.push(`fault in ${source}: ${error}`));

  return {
    fetch,
    members: () =>
      client.pool
        .members()
        .map(({ endpoint, breaker, inFlight }) => ({ id: endpoint.id, breaker, inFlight })),
    async close() {
      for (const { endpoint, inFlight } of client.pool.members()) {
        if (inFlight !== 0) problems.push(`${inFlight} attempts at ${endpoint.id} never ended`);
      }
      await fetch.close();
      return problems;
    },
  };
}
