// Compiled in projects of every kind, with nothing skipped.
import {
  type BalancedFetch,
  type Balancer,
  Call,
  consecutiveFailures,
  createClient,
  createFetch,
  type Discovery,
  type Endpoint,
  FairleadError,
  fixed,
  leastRequest,
  type Policy,
  Pool,
  p2c,
  peakEwma,
  retry,
  ring,
  timeout,
  xxhash,
} from 'fairlead';
import { createClient as createCoreClient, createRing, type Run } from 'fairlead/core';
import { manualClock, seededRandom } from 'fairlead/testing';

const endpoint: Endpoint = { id: 'a', host: '10.0.0.1', port: 80 };

const first: Balancer = {
  picker: members => (call, now) => members.find(member => call.accepts(member, now)),
};

const source: Discovery = async function* (_env, signal) {
  if (!signal.aborted) yield [endpoint];
};

const counted: Policy = next => {
  const run: Run = (task, call) => next(task, call);
  return run;
};

export const balanced: BalancedFetch = createFetch({
  discovery: source,
  balancer: p2c({ load: peakEwma() }),
  breaker: consecutiveFailures({ threshold: 5 }),
  policies: [retry({ attempts: 2 }), timeout(500), counted],
});
export const asFetch: typeof globalThis.fetch = balanced;

export async function use(): Promise<number> {
  await using client = createClient({ discovery: fixed(['10.0.0.1:80', endpoint]), balancer: first });
  client.on('breaker', ({ member, from, to }) => console.log(member.endpoint.id, from, to));
  client.on('retry', ({ attempt, delay }) => console.log(attempt + delay));
  // @ts-expect-error there is no such event
  client.on('nothing', () => {});
  try {
    return await client.run(async ({ port }, signal) => (signal?.aborted ? 0 : port), { key: 'user-42' });
  } catch (error) {
    if (error instanceof FairleadError) return error.attempts.length;
    throw error;
  }
}

const core = createCoreClient({
  discovery: fixed([endpoint]),
  balancer: ring({ hash: xxhash() }),
  env: { clock: manualClock(), random: seededRandom(1) },
});
export const text: Promise<string> = core.run(async ({ host }) => host);

const pool = new Pool({ discovery: fixed([endpoint]), balancer: leastRequest() });
pool.pick(new Call({ key: 'x' })).end('success');

export const owner: string | undefined = createRing(['a', 'b']).get('user-42');
