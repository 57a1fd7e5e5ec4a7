export type { ClientNumber } from './balancer/aperture.ts';
export type { Balancer, Picker, Preference } from './balancer/balancer.ts';
export type { BoundedLoadOptions } from './balancer/bounded-load.ts';
export { type DrainOptions, drain } from './balancer/drain.ts';
export { createRing, type HashRingOptions, type Ring, type RingMember } from './balancer/hash-ring.ts';
export { inFlight } from './balancer/in-flight.ts';
export type { Inner } from './balancer/inner.ts';
export { type JumpOptions, jump } from './balancer/jump.ts';
export { jumpHash } from './balancer/jump-hash.ts';
export { type LeastRequestOptions, leastRequest } from './balancer/least-request.ts';
export { createLoadRecorder, type LoadRecorder, type LoadRecorderOptions } from './balancer/load-recorder.ts';
export { type MaglevBalancerOptions, maglev } from './balancer/maglev.ts';
export { createMaglev, type MaglevOptions } from './balancer/maglev-table.ts';
export { type LoadOptions, p2c } from './balancer/p2c.ts';
export { type PeakEwmaOptions, peakEwma } from './balancer/peak-ewma.ts';
export type { Placement } from './balancer/placement.ts';
export { type PreferZoneOptions, preferZone } from './balancer/prefer-zone.ts';
export { type PrequalOptions, prequal } from './balancer/prequal.ts';
export { type PriorityOptions, priority } from './balancer/priority.ts';
export type { ProbeAnswer } from './balancer/probed-load.ts';
export type { Probe } from './balancer/prober.ts';
export { random } from './balancer/random.ts';
export {
  createRendezvous,
  type RendezvousBalancerOptions,
  type RendezvousOptions,
  rendezvous,
} from './balancer/rendezvous.ts';
export { type RingOptions, ring } from './balancer/ring.ts';
export { roundRobin } from './balancer/round-robin.ts';
export { type SlowStartOptions, slowStart } from './balancer/slow-start.ts';
export { type SmoothWeightedOptions, smoothWeighted } from './balancer/smooth-weighted.ts';
export { staticStride } from './balancer/static-stride.ts';
export { type SubsetOptions, subset } from './balancer/subset.ts';
export {
  type UtilizationRoundRobinOptions,
  utilizationRoundRobin,
} from './balancer/utilization-round-robin.ts';
export { weightedRoundRobin } from './balancer/weighted-round-robin.ts';
export { type Clock, type Env, type Random, systemClock, systemEnv, type Timer } from './base/env.ts';
export { type AttemptRecord, FairleadError, type FairleadErrorCode } from './base/errors.ts';
export type { FailureKind } from './base/failure-kind.ts';
export { type HashFunction, xxh32 } from './base/hash.ts';
export { type AbortListener, sleep } from './base/signal.ts';
export { anyOf } from './breaker/any-of.ts';
export { type ConsecutiveFailuresOptions, consecutiveFailures } from './breaker/consecutive-failures.ts';
export { type FailureRateOptions, failureRate } from './breaker/failure-rate.ts';
export type { OpenOptions } from './breaker/machine.ts';
export { type OutlierOptions, outliers } from './breaker/outliers.ts';
export { type Client, type ClientOptions, type CloseOptions, createClient } from './client.ts';
export { type Discovery, fixed, type PollOptions, poll } from './discovery/discovery.ts';
export { type Follower, type FollowOptions, follow } from './discovery/follow.ts';
export { merge } from './discovery/merge.ts';
export {
  createRegistry,
  type Registration,
  type Registry,
  type RegistryOptions,
} from './discovery/registry.ts';
export type { Explanation, MemberExplanation } from './explain.ts';
export { type HealthCheckOptions, healthChecks } from './health/health-checks.ts';
export type { MemberState } from './membership.ts';
export {
  alwaysClosed,
  type Breaker,
  type BreakerState,
  type MakeBreaker,
  type Peer,
  type Peers,
} from './model/breaker.ts';
export {
  Acceptance,
  Call,
  type CallOptions,
  type Filter,
  type Judge,
  partOf,
  type Repeatable,
  type Run,
  type Task,
} from './model/call.ts';
export type { Endpoint } from './model/endpoint.ts';
export type { HealthCheck, HealthMonitor, MakeHealth } from './model/health.ts';
export { type Flight, type Load, type LoadReport, noLoad } from './model/load.ts';
export { Attempt, Member, type Site } from './model/member.ts';
export type {
  BreakerMove,
  Fault,
  GiveUpEvent,
  GiveUpReason,
  HealthChange,
  HedgeEvent,
  MembersChange,
  Observer,
  RetryEvent,
  ServiceBreakerMove,
} from './model/observer.ts';
export { anyError, type Classifier, type Outcome } from './model/outcome.ts';
export { type Restore, restoreFrom, type SavedMember, type SavedPool } from './model/saved.ts';
export { Vitals } from './model/vitals.ts';
export type { AdaptiveLimit, MakeAdaptiveLimit } from './policy/adaptive-limit.ts';
export { giveUpReasonOf } from './policy/give-up.ts';
export { type GradientOptions, gradient } from './policy/gradient.ts';
export { type HedgeOptions, hedge } from './policy/hedge.ts';
export { type LimitOptions, limit } from './policy/limit.ts';
export { compose, type Policy, type PolicyContext } from './policy/policy.ts';
export { type RetryOptions, retry } from './policy/retry.ts';
export { type RetryBudget, type RetryBudgetOptions, retryBudget } from './policy/retry-budget.ts';
export { serviceBreaker } from './policy/service-breaker.ts';
export { type ThrottleOptions, throttle } from './policy/throttle.ts';
export { timeout } from './policy/timeout.ts';
export { Pool } from './pool.ts';
export type { PanicOptions, PoolOptions } from './pool-options.ts';
