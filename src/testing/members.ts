import type { Balancer } from '../balancer/balancer.ts';
import type { Env } from '../base/env.ts';
import { alwaysClosed, type MakeBreaker } from '../model/breaker.ts';
import { Call, type CallOptions } from '../model/call.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { noLoad } from '../model/load.ts';
import { Member } from '../model/member.ts';
import { manualClock } from './manual-clock.ts';
import { seededRandom } from './seeded-random.ts';

/** An endpoint of which only the id matters. */
export type EndpointLike = string | (Partial<Endpoint> & Pick<Endpoint, 'id'>);

export interface MembersOptions {
  /** Whose loads the members get. Default: none. */
  readonly balancer?: Balancer | undefined;
  /** Default: none. */
  readonly breaker?: MakeBreaker | undefined;
  /** What breakers are given. Default: a clock that stands still, and seeded chance. */
  readonly env?: Env | undefined;
}

/**
 * Members as a pool makes them and hands them to a balancer: sorted by id, without drained ones. With them
 * and `callAvoiding` a picker can be driven without a pool.
 */
export function members(endpoints: readonly EndpointLike[], options: MembersOptions = {}): Member[] {
  const { balancer, breaker = () => alwaysClosed, env = testEnv() } = options;
  return endpoints
    .map(like => {
      const given = typeof like === 'string' ? { id: like } : like;
      const member = new Member(
        { host: '127.0.0.1', port: 80, ...given },
        balancer?.load?.(env) ?? noLoad,
        breaker(env),
      );
      member.active = member.weight > 0;
      return member;
    })
    .filter(member => member.active)
    .sort((a, b) => (a.endpoint.id < b.endpoint.id ? -1 : 1));
}

/** A call that accepts any member but these, as one that has tried them already. */
export function callAvoiding(tried: readonly Member[], options?: CallOptions): Call {
  const call = new Call(options);
  call.tried = tried;
  return call;
}

/** A manual clock and seeded chance. */
export const testEnv = (seed = 1): Env => ({ clock: manualClock(), random: seededRandom(seed) });
