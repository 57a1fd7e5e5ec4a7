import { Acceptance, Call, consecutiveFailures, Member, noLoad, systemEnv } from '../dist/core.js';

export const endpointsOf = n =>
  Array.from({ length: n }, (_, i) => ({
    id: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:8080`,
    host: '10.0.0.1',
    port: 8080,
  }));

/** The members of a pool with this balancer and the default breaker, each with a latency of some ms. */
export const membersOf = (endpoints, balancer) => {
  const makeBreaker = consecutiveFailures();
  return endpoints.map((endpoint, i) => {
    const member = new Member(endpoint, balancer.load?.(systemEnv) ?? noLoad, makeBreaker(systemEnv));
    const flight = { startedAt: 0, older: undefined, newer: undefined };
    member.load.begin(flight);
    member.load.end(flight, 'success', 1 + (i % 7));
    return member;
  });
};

/** Calls with different keys, each before its first attempt. */
export const callsOf = n =>
  Array.from({ length: n }, (_, i) => {
    const call = new Call({ key: `user:${i * 7919}` });
    call.acceptance = Acceptance.available;
    return call;
  });

/**
 * Moments in ms, one after another, a call every ms. As a clock gives them, they are on the heap already, so that handing
 * them on allocates nothing.
 */
export const moments = (() => {
  const all = Array.from({ length: 4096 }, (_, i) => 10.5 + i);
  all.push(''); // an array of anything keeps its numbers on the heap
  all.pop();
  return all;
})();
