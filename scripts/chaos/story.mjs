import { nameOf } from './cluster.mjs';

/** Tells what is needed to find out why something went wrong: of a call its attempts, and the fault that each met. */
export function storyteller({ attempts, cluster, phases }) {
  const { faulty, addresses } = cluster;
  const byCall = new Map();
  for (const attempt of attempts) {
    if (!byCall.has(attempt.id)) byCall.set(attempt.id, []);
    byCall.get(attempt.id).push(attempt);
  }
  const ms = value => `${value.toFixed(0)} ms`;
  const time = at => `${((at - phases.calm[0]) / 1000).toFixed(2)} s`;
  const faultOf = (server, from, until) =>
    faulty
      .filter(([begun, ended, i]) => i === server && begun < until && ended > from)
      .map(([begun, ended, , kind, share]) => `${kind} (${share}) ${time(begun)} to ${time(ended)}`)
      .join(' and ') || 'well';
  const attempted = ({ due }, { at, end, address, member, outcome, what, retryAfter }) => {
    const server = addresses.indexOf(address);
    const said = [outcome, what, retryAfter && `retry after ${ms(retryAfter)}`].filter(Boolean).join(' ');
    return `\n             +${ms(at - due)}: ${member}, ${ms(end - at)}, ${said}; ${nameOf(server)} was ${faultOf(server, at, end)}`;
  };
  return {
    call: call =>
      `\n         ${call.method} ${call.id} at ${time(call.due)}, ${ms(call.end - call.due)}: ${call.error ?? 'well'}` +
      (byCall.get(call.id) ?? []).map(attempt => attempted(call, attempt)).join(''),
    /** All that was done to the servers. Times are those of all lines, from the beginning of the calm. */
    faults: () =>
      faulty
        .map(
          ([from, until, server, kind, share]) =>
            `${time(from)} to ${time(until)} ${nameOf(server)} ${kind} (${share})`,
        )
        .join('\n'),
  };
}
