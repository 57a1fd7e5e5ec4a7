export {
  type EndpointsOptions,
  endpoint,
  endpoints,
  ids,
  keys,
  type MembershipChange,
  type MembershipOptions,
  membershipChanges,
} from './arbitraries.ts';
export { type BalancerLawOptions, balancerLaws } from './balancer-laws.ts';
export { type BreakerLawOptions, breakerLaws } from './breaker-laws.ts';
export { type DiscoveryLawOptions, type DiscoverySubject, discoveryLaws } from './discovery-laws.ts';
export { type Evenness, type EvennessOptions, evenness } from './evenness.ts';
export type { Arbitrary, FastCheck, RunParameters, Size } from './fast-check.ts';
export type { Law, LawOptions } from './law.ts';
export { loadLaws } from './load-laws.ts';
export { type ManualClock, manualClock, settled } from './manual-clock.ts';
export { callAvoiding, type EndpointLike, type MembersOptions, members, testEnv } from './members.ts';
export { type RingLawOptions, ringLaws, type TestedRing } from './ring-laws.ts';
export { type ScriptedDiscovery, scriptedDiscovery } from './scripted-discovery.ts';
export { seededRandom } from './seeded-random.ts';
export * from './simulate/index.ts';
