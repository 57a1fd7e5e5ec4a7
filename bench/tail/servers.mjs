import { fork } from 'node:child_process';
import { once } from 'node:events';

/** Servers on loopback, each a process. `tell` says how each fares from now on, in their order. */
export async function startServers(count) {
  const file = new URL('server.mjs', import.meta.url);
  const servers = Array.from({ length: count }, (_, i) => fork(file, [String(i)]));
  const ports = await Promise.all(servers.map(async server => (await once(server, 'message'))[0]));
  return {
    ports,
    tell: states => servers.forEach((server, i) => void server.send(states[i] ?? {})),
    stop: () => servers.forEach(server => void server.disconnect()),
  };
}
