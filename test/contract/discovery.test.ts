import { createRegistry, type Endpoint, type Env, fixed, merge, poll } from 'fairlead';
import type { DiscoverySubject } from 'fairlead/testing';
import { describeDiscovery } from './discovery.ts';

/** A service in the embedded registry. */
function registered(endpoints: readonly Endpoint[], env: Env): DiscoverySubject {
  const registry = createRegistry({ env });
  let entries: { deregister(): void }[] = [];
  const set = (wanted: readonly Endpoint[]): void => {
    for (const entry of entries) entry.deregister();
    entries = wanted.map(endpoint => registry.register('users', endpoint));
  };
  set(endpoints);
  return { discovery: registry.discovery('users'), set, close: () => registry.close() };
}

function polled(endpoints: readonly Endpoint[]): DiscoverySubject {
  let now = endpoints;
  return {
    discovery: poll(async () => now),
    set(wanted) {
      now = wanted;
    },
  };
}

describeDiscovery('fixed', endpoints => ({ discovery: fixed(endpoints) }), { changes: false });
describeDiscovery('poll', polled);
describeDiscovery('the registry', (endpoints, env) => registered(endpoints, env));
describeDiscovery('a merge of one', (endpoints, env) => {
  const { discovery, ...rest } = registered(endpoints, env);
  return { ...rest, discovery: merge([discovery]) };
});
describeDiscovery('a merge of polls', endpoints => {
  const { discovery, ...rest } = polled(endpoints);
  return { ...rest, discovery: merge([discovery, discovery]) };
});
describeDiscovery('a merge of the same twice', (endpoints, env) => {
  const { discovery, ...rest } = registered(endpoints, env);
  const copies: Endpoint[] = endpoints.map(endpoint => ({ ...endpoint, zone: 'copy' }));
  const other = registered(copies, env);
  return {
    discovery: merge([discovery, other.discovery]),
    set: async wanted => {
      await rest.set!(wanted);
      await other.set!(wanted);
    },
    close: async () => {
      await rest.close!();
      await other.close!();
    },
  };
});
describeDiscovery('a merge of sources that each know a part', (endpoints, env) => {
  const parts = [0, 1].map(odd =>
    registered(
      endpoints.filter((_, i) => i % 2 === odd),
      env,
    ),
  );
  return {
    // Both parts may be empty for a moment, and must then be believed, or the union would lag behind.
    discovery: merge(
      parts.map(({ discovery }) => discovery),
      { emptyAfter: 0 },
    ),
    set: wanted => {
      parts.forEach((part, odd) => void part.set!(wanted.filter((_, i) => i % 2 === odd)));
    },
    close: () => {
      for (const part of parts) void part.close!();
    },
  };
});
