import { type Balancer, leastRequest } from 'fairlead';
import { ProbeNews } from '../../src/balancer/probe-news.ts';
import { ProbePool } from '../../src/balancer/probe-pool.ts';
import { probedLoad } from '../../src/balancer/probed-load.ts';

/** Prequal with probes that are answered within the pick: for laws that wait for nothing. */
export function answered(): Balancer {
  const load = probedLoad();
  const otherwise = leastRequest({ load });
  const news = new ProbeNews(0.84, 10_000, 3);
  let latest: ProbePool | undefined;
  return {
    load,
    picker(members, env) {
      const pool = new ProbePool(members, env.random, news, { maxAge: 1000, poolSize: 16 }, latest);
      const byOwnLoad = otherwise.picker(members, env);
      latest = pool;
      return (call, now) => {
        for (const member of members) pool.answer(member, { inFlight: 0, latency: 0 }, now);
        const member = pool.choose(call, now) ?? byOwnLoad(call, now);
        if (member !== undefined) pool.used(member, now);
        return member;
      };
    },
  };
}
