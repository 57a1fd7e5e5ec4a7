import type * as root from 'fairlead';
import {
  type Attempt,
  type BalancedFetch,
  type BreakerState,
  type Call,
  type Classify,
  type ClientEvents,
  createClient,
  createFetch,
  type Discovery,
  type EmittingClient,
  type Endpoint,
  FairleadError,
  type FairleadErrorCode,
  type Fault,
  fixed,
  type GiveUpReason,
  type HashFunction,
  type Member,
  type Outcome,
  type Policy,
  ring,
  xxhash,
} from 'fairlead';
import type * as dialects from 'fairlead/dialects';
import type * as dns from 'fairlead/dns';
import type * as tcp from 'fairlead/tcp';
import type * as testing from 'fairlead/testing';
import { expectTypeOf, test } from 'vitest';

const fetch = createFetch({ discovery: fixed(['a:1']) });

test('a balanced fetch goes wherever a fetch goes', () => {
  expectTypeOf(fetch).toEqualTypeOf<BalancedFetch>();
  expectTypeOf(fetch).toExtend<typeof globalThis.fetch>();

  // The ways in which SDKs declare it.
  interface Whole {
    fetch?: typeof globalThis.fetch;
  }
  interface Signature {
    fetch?: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
  }
  interface Method {
    fetch?(url: string, init?: RequestInit): Promise<Response>;
  }
  interface OnlyRequests {
    fetch?: (input: Request) => Promise<Response>;
  }
  interface Narrow {
    fetch?: (
      url: URL | string,
      init?: { method?: string; headers?: Record<string, string>; signal?: AbortSignal },
    ) => Promise<{
      readonly ok: boolean;
      json(): Promise<unknown>;
    }>;
  }
  const options = { fetch };
  expectTypeOf(options).toExtend<Whole>();
  expectTypeOf(options).toExtend<Signature>();
  expectTypeOf(options).toExtend<Method>();
  expectTypeOf(options).toExtend<OnlyRequests>();
  expectTypeOf(options).toExtend<Narrow>();
});

test('a call takes what the standard takes, and two words more', () => {
  expectTypeOf(fetch).parameter(0).toEqualTypeOf<string | URL | Request>();
  expectTypeOf(
    fetch('/', { method: 'PUT', body: 'x', key: 'ann', repeatable: true }),
  ).resolves.toEqualTypeOf<Response>();
  // @ts-expect-error a key is a string
  void fetch('/', { key: 42 });
  // @ts-expect-error yes or no
  void fetch('/', { repeatable: 'unsent' });
});

test('a balanced fetch is closed by `await using`', () => {
  expectTypeOf(fetch).toExtend<AsyncDisposable>();
  expectTypeOf(fetch.close).returns.resolves.toBeVoid();
  expectTypeOf(fetch.client).toEqualTypeOf<EmittingClient>();
});

test('the options of createFetch', () => {
  createFetch({ discovery: fixed([]), fetch: globalThis.fetch });
  createFetch({ discovery: fixed([]), fetch: async (url: string) => new Response(url) });
  createFetch({ discovery: fixed([]), key: 'x-user', balancer: ring({ hash: xxhash() }) });
  createFetch({ discovery: fixed([]), key: ({ header }) => header('x-user') });
  createFetch({ discovery: fixed([]), repeatable: ({ method }) => method === 'POST' });
  createFetch({ discovery: fixed([]), key: undefined, repeatable: undefined, attemptTimeout: undefined });
  // @ts-expect-error a set of endpoints does not come from nowhere
  createFetch({});
  // @ts-expect-error a promise of a key is no key
  createFetch({ discovery: fixed([]), key: async () => 'ann' });
  // @ts-expect-error there are two protocols
  createFetch({ discovery: fixed([]), protocol: 'ftp' });
  // @ts-expect-error no such outcome
  createFetch({ discovery: fixed([]), classify: () => 'fine' });
  expectTypeOf<Classify>().toEqualTypeOf<
    (response: Response | undefined, error: unknown) => Outcome | undefined
  >();
});

test('every event has its arguments', () => {
  const client = createClient({ discovery: fixed(['a:1']) });
  client.on('members', ({ added, removed, updated, size }) => {
    expectTypeOf(added).toEqualTypeOf<readonly Endpoint[]>();
    expectTypeOf(removed).toEqualTypeOf<readonly Endpoint[]>();
    expectTypeOf(updated).toEqualTypeOf<readonly Endpoint[]>();
    expectTypeOf(size).toBeNumber();
  });
  client.on('discoveryError', error => expectTypeOf(error).toBeUnknown());
  client.on('attempt', (attempt, call) => {
    expectTypeOf(attempt).toEqualTypeOf<Attempt>();
    expectTypeOf(attempt.endpoint).toEqualTypeOf<Endpoint>();
    expectTypeOf(call).toEqualTypeOf<Call>();
  });
  client.on('attemptEnd', ({ outcome, elapsed, error }) => {
    expectTypeOf(outcome).toEqualTypeOf<Outcome | undefined>();
    expectTypeOf(elapsed).toEqualTypeOf<number | undefined>();
    expectTypeOf(error).toBeUnknown();
  });
  client.on('retry', ({ call, attempt, delay, failed }) => {
    expectTypeOf(call).toEqualTypeOf<Call>();
    expectTypeOf(attempt).toBeNumber();
    expectTypeOf(delay).toBeNumber();
    expectTypeOf(failed.endpoint).toBeString();
  });
  client.on('giveUp', ({ reason, failed }) => {
    expectTypeOf(reason).toEqualTypeOf<GiveUpReason>();
    expectTypeOf(failed.outcome).toEqualTypeOf<Outcome>();
  });
  client.on('breaker', ({ member, from, to }) => {
    expectTypeOf(member).toEqualTypeOf<Member>();
    expectTypeOf(from).toEqualTypeOf<BreakerState>();
    expectTypeOf(to).toEqualTypeOf<BreakerState>();
  });
  client.on('panic', (member, call) => {
    expectTypeOf(member).toEqualTypeOf<Member>();
    expectTypeOf(call).toEqualTypeOf<Call>();
  });
  client.on('fault', fault => expectTypeOf(fault).toEqualTypeOf<Fault>());

  expectTypeOf<keyof ClientEvents>().toEqualTypeOf<
    | 'members'
    | 'discoveryError'
    | 'attempt'
    | 'attemptEnd'
    | 'retry'
    | 'hedge'
    | 'giveUp'
    | 'breaker'
    | 'serviceBreaker'
    | 'health'
    | 'panic'
    | 'fault'
  >();
  // @ts-expect-error no such event
  client.on('attempts', () => {});
  // @ts-expect-error it has no such argument
  client.on('panic', (_member, _call, _third) => {});
  // @ts-expect-error nor such a field
  client.on('breaker', ({ state }) => state);
});

test('a run answers what its task answers', () => {
  const client = createClient({ discovery: fixed(['a:1']) });
  expectTypeOf(client.run(async ({ port }) => port)).resolves.toBeNumber();
  expectTypeOf(client.run(({ host }) => Promise.resolve(host))).resolves.toBeString();
  // @ts-expect-error a task is asynchronous
  void client.run(() => 42);
});

test('what users write is checked', () => {
  const source: Discovery = async function* (_env, signal) {
    while (!signal.aborted) yield [{ id: 'a', host: 'a', port: 1 }];
  };
  const policy: Policy = next => (task, call) => next(task, call);
  createClient({ discovery: source, policies: [policy] });
  // @ts-expect-error an endpoint has a port
  const portless: Discovery = async function* () {
    yield [{ id: 'a', host: 'a' }];
  };
  void portless;
  expectTypeOf(xxhash()).toEqualTypeOf<HashFunction>();
  expectTypeOf(new FairleadError('CLOSED', 'x').code).toEqualTypeOf<FairleadErrorCode>();
});

/** The options that may be absent, but not undefined: `exactOptionalPropertyTypes` tells the two apart. */
type NotUndefined<Options> = {
  [Name in keyof Options]-?: Partial<Record<Name, never>> extends Pick<Options, Name>
    ? undefined extends Required<Options>[Name]
      ? never
      : Name
    : never;
}[keyof Options];

test('an option that may be absent may be undefined', () => {
  type All =
    | root.CallOptions
    | root.ClientOptions
    | root.CloseOptions
    | root.ConsecutiveFailuresOptions
    | root.DrainOptions
    | root.EmittingClientOptions
    | root.FailureRateOptions
    | root.FetchOptions
    | root.FollowOptions
    | root.GradientOptions
    | root.HashRingOptions
    | root.HealthCheckOptions
    | root.HedgeOptions
    | root.HttpCheckOptions
    | root.JumpOptions
    | root.LeastRequestOptions
    | root.LimitOptions
    | root.LoadOptions
    | root.LoadRecorderOptions
    | root.MaglevBalancerOptions
    | root.OutlierOptions
    | root.PanicOptions
    | root.PeakEwmaOptions
    | root.PollOptions
    | root.PreferZoneOptions
    | root.PrequalOptions
    | root.PriorityOptions
    | root.RegistryOptions
    | root.RendezvousBalancerOptions
    | root.RetryBudgetOptions
    | root.RetryOptions
    | root.RingOptions
    | root.SlowStartOptions
    | root.SmoothWeightedOptions
    | root.SubsetOptions
    | root.ThrottleOptions
    | root.TransportOptions
    | root.UtilizationRoundRobinOptions
    | dialects.EnvoyMaglevOptions
    | dialects.EnvoyRingOptions
    | dialects.HaproxyRingOptions
    | dialects.LibmemcachedRingOptions
    | dialects.MemcachedRingOptions
    | dialects.NginxRingOptions
    | dns.DnsAddressOptions
    | dns.DnsSrvOptions
    | tcp.TcpCheckOptions
    | testing.BalancerLawOptions
    | testing.BreakerLawOptions
    | testing.DiscoveryLawOptions
    | testing.EndpointsOptions
    | testing.EvennessOptions
    | testing.MembersOptions
    | testing.MembershipOptions
    | testing.RingLawOptions
    | testing.SimulateOptions;
  type Found<Options> = Options extends unknown ? NotUndefined<Options> : never;
  expectTypeOf<Found<{ a?: 1; b?: 2 | undefined; c: 3 }>>().toEqualTypeOf<'a'>();
  expectTypeOf<Found<All>>().toBeNever();
});
