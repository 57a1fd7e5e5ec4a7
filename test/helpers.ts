import {
  Acceptance,
  alwaysClosed,
  type Balancer,
  type Breaker,
  Call,
  type Client,
  type ClientOptions,
  type Clock,
  createClient,
  type Endpoint,
  type Load,
  Member,
  noLoad,
  type Observer,
  type Outcome,
  type Picker,
  type Random,
  roundRobin,
} from 'fairlead/core';
import {
  type ManualClock,
  manualClock,
  type ScriptedDiscovery,
  scriptedDiscovery,
  seededRandom,
} from 'fairlead/testing';

export const endpoint = (id: string, fields: Partial<Endpoint> = {}): Endpoint => ({
  id,
  host: `${id}.test`,
  port: 80,
  ...fields,
});

/** So many endpoints, whose ids sort in the order of their numbers: m000, m001 and so on. */
export const endpoints = (count: number): Endpoint[] =>
  Array.from({ length: count }, (_, i) => endpoint(`m${String(i).padStart(3, '0')}`));

export interface TestEnv {
  readonly clock: ManualClock;
  readonly random: Random;
}

export const testEnv = (seed = 1): TestEnv => ({ clock: manualClock(), random: seededRandom(seed) });

export interface MemberParts {
  readonly weight?: number;
  readonly load?: Load;
  readonly breaker?: Breaker;
}

export function member(
  id: string,
  { weight = 1, load = noLoad, breaker = alwaysClosed }: MemberParts = {},
): Member {
  const made = new Member(endpoint(id, { weight }), load, breaker);
  made.active = true;
  return made;
}

/** A call that settles for any available member. */
export function anyCall(key?: string): Call {
  const call = new Call({ key });
  call.acceptance = Acceptance.available;
  return call;
}

/** A promise, and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** What has become of a promise so far. */
export interface Fate {
  state: 'pending' | 'resolved' | 'rejected';
  value: unknown;
}

export function watch(promise: PromiseLike<unknown>): Fate {
  const fate: Fate = { state: 'pending', value: undefined };
  promise.then(
    value => Object.assign(fate, { state: 'resolved', value }),
    value => Object.assign(fate, { state: 'rejected', value }),
  );
  return fate;
}

/** A signal that knows how many listeners it has. */
export function countedSignal(): {
  readonly signal: AbortSignal;
  readonly abort: (reason?: unknown) => void;
  readonly listeners: () => number;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const held = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type: string, listener: never, options?: never) => {
    held.add(listener);
    add(type, listener, options);
  };
  signal.removeEventListener = (type: string, listener: never, options?: never) => {
    held.delete(listener);
    remove(type, listener, options);
  };
  return { signal, abort: reason => controller.abort(reason), listeners: () => held.size };
}

/** An observer that writes down what it is told, one short line each. */
export function logbook(): { readonly observer: Observer; readonly lines: string[] } {
  const lines: string[] = [];
  const ids = (all: readonly Endpoint[]): string => all.map(({ id }) => id).join(',');
  const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
  return {
    lines,
    observer: {
      members: ({ added, removed, updated, size }) =>
        lines.push(`members +${ids(added)} -${ids(removed)} ~${ids(updated)} =${size}`),
      discoveryError: error => lines.push(`discoveryError ${text(error)}`),
      attempt: attempt => lines.push(`attempt ${attempt.endpoint.id}`),
      attemptEnd: attempt => lines.push(`attemptEnd ${attempt.endpoint.id} ${attempt.outcome}`),
      retry: ({ attempt, delay, failed }) =>
        lines.push(`retry ${attempt} after ${failed.endpoint}${delay > 0 ? ' later' : ''}`),
      hedge: ({ attempt, delay }) => lines.push(`hedge ${attempt} after ${Math.round(delay)}`),
      giveUp: ({ reason }) => lines.push(`giveUp ${reason}`),
      breaker: ({ member, from, to }) => lines.push(`breaker ${member.endpoint.id} ${from} ${to}`),
      serviceBreaker: ({ from, to }) => lines.push(`serviceBreaker ${from} ${to}`),
      health: ({ member, healthy }) => lines.push(`health ${member.endpoint.id} ${healthy ? 'well' : 'ill'}`),
      panic: ({ endpoint: { id } }) => lines.push(`panic ${id}`),
      fault: ({ source, error }) => lines.push(`fault ${source} ${text(error)}`),
    },
  };
}

/** How a simulated member serves a call. */
export type Serve = (id: string) => { readonly ms: number; readonly outcome: Outcome };

/**
 * Callers that call again as soon as they are answered, in simulated time, straight through a picker. Answers how
 * many calls each member got.
 */
export function traffic(
  picker: Picker,
  serve: Serve,
  { calls, callers }: { readonly calls: number; readonly callers: number },
): Map<string, number> {
  let now = 0;
  const clock: Clock = { now: () => now, after: () => () => {} };
  const site = { clock, observer: undefined };
  const counts = new Map<string, number>();
  const running: { at: number; end: () => void }[] = [];
  const call = anyCall();
  for (let n = 0; n < calls; n++) {
    if (running.length === callers) {
      let first = 0;
      for (let i = 1; i < callers; i++) if (running[i]!.at < running[first]!.at) first = i;
      const [over] = running.splice(first, 1);
      now = over!.at;
      over!.end();
    }
    const chosen = picker(call, now)!;
    const { id } = chosen.endpoint;
    const attempt = chosen.begin(site, now);
    const { ms, outcome } = serve(id);
    running.push({ at: now + ms, end: () => attempt.end(outcome) });
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  for (const { at, end } of running.sort((a, b) => a.at - b.at)) {
    now = at;
    end();
  }
  return counts;
}

/** Members of a balancer's own load, without breakers. */
export const membersFor = (
  balancer: Balancer,
  count: number,
  weight: (i: number) => number = () => 1,
): Member[] =>
  endpoints(count).map(({ id }, i) =>
    member(id, { weight: weight(i), load: balancer.load?.(testEnv()) ?? noLoad }),
  );

/** A client over scripted discovery, which gives a first set or waits to be told, on a manual clock, whose events are written down. */
export function rig(
  members: number | readonly Endpoint[] | undefined,
  options: Partial<ClientOptions> = {},
  seed = 1,
): Rig {
  const env = testEnv(seed);
  const { observer, lines } = logbook();
  const set = typeof members === 'number' ? endpoints(members) : members;
  const source = set === undefined ? scriptedDiscovery() : scriptedDiscovery(set);
  const discovery = source.discovery;
  const client = createClient({ discovery, balancer: roundRobin(), env, observer, ...options });
  return { client, source, lines, ...env };
}

export interface Rig extends TestEnv {
  readonly client: Client;
  readonly source: ScriptedDiscovery;
  readonly lines: string[];
}

/** How many attempts are running, over all members. */
export const running = ({ pool }: Client): number =>
  pool.members().reduce((sum, { inFlight }) => sum + inFlight, 0);
