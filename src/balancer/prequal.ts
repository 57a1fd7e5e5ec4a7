import { inBackground } from '../base/env.ts';
import { checkFunction, checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Picker } from './balancer.ts';
import { acceptedDraw } from './draw.ts';
import { leastRequest } from './least-request.ts';
import { ProbeNews } from './probe-news.ts';
import { ProbePool, STALE } from './probe-pool.ts';
import { type ProbedLoad, probedLoad } from './probed-load.ts';
import { type Probe, Prober } from './prober.ts';

export interface PrequalOptions {
  /** Asks a server how busy it is. It must not go through the client that it is for. */
  readonly probe: Probe;
  /** How many members each call has probed for the calls to come; may be a fraction. Default: 3. */
  readonly probes?: number | undefined;
  /** How many answers are kept at most, one per member. Default: 16. */
  readonly poolSize?: number | undefined;
  /** For how long an answer is fresh, in ms. For lack of two fresh ones it serves ten times as long. Default: 1000. */
  readonly maxAge?: number | undefined;
  /**
   * How long a probe may take, in ms. Default: 100. The paper's 1 to 3 are for threads that do nothing else: an event
   * loop that works on something for a few ms would find all its probes late.
   */
  readonly timeout?: number | undefined;
  /** The share of the members, 0 to 1, that are cold. Default: 2^-0.25 or 0.84; the paper finds 0.6 to 0.9 good. */
  readonly quantile?: number | undefined;
  /** How many probes may be outstanding at once, over all members; one at most per member. Default: 64. */
  readonly outstanding?: number | undefined;
}

/**
 * Prequal (Wydrowski et al., "Load is not what you should balance", NSDI 2024): each call has a few members probed,
 * and goes by the answers that earlier calls' probes brought. A member with more in flight, for its weight, than most
 * is hot. The call goes to a cold member whose latency is within twice the least, and of those to the one with the
 * least in flight; if all are hot, to the one with the least in flight. An answer counts one more in flight for each
 * call it was used for, serves for a few calls only, and the oldest and the worst are removed in turn.
 *
 * Unlike the paper's, it is not drawn to a server that fails fast: a member that fails, by its own word (`failing`) or
 * in this process's experience, is hot, and fuller by as many times as it takes attempts for a success. A probe that
 * fails, is late or is answered by nonsense takes the member's answer away. While fewer than two answers can be used,
 * or fewer than half of the probes are answered, calls go as by `leastRequest()`.
 *
 * O(poolSize). Picks allocate, for the probes they send. No probes and no timers without calls; probes go out right
 * after the call that brings them along. Servers answer by a `createLoadRecorder()`.
 *
 * @throws RangeError or TypeError for a bad option
 */
export function prequal(options: PrequalOptions): Balancer {
  checkOptions('prequal', options, {
    probe: 1,
    probes: 1,
    poolSize: 1,
    maxAge: 1,
    timeout: 1,
    quantile: 1,
    outstanding: 1,
  });
  const { probe, probes = 3, poolSize = 16, maxAge = 1000, timeout = 100 } = options;
  const { quantile = 2 ** -0.25, outstanding = 64 } = options;
  checkFunction('prequal probe', probe);
  checkNumber('prequal probes', probes, Number.MIN_VALUE, 100);
  checkNumber('prequal poolSize', poolSize, 2, 1000, true);
  checkNumber('prequal maxAge', maxAge, Number.MIN_VALUE);
  checkNumber('prequal timeout', timeout, Number.MIN_VALUE);
  checkNumber('prequal quantile', quantile, 0, 1);
  checkNumber('prequal outstanding', outstanding, 1, undefined, true);
  const load = probedLoad();
  const otherwise = leastRequest({ load });
  const prober = new Prober(probe, timeout);
  const news = new ProbeNews(quantile, STALE * maxAge, probes);
  let latest: ProbePool | undefined;
  return {
    load,
    picker(members, env): Picker {
      const { clock } = inBackground(env);
      const pool = new ProbePool(members, env.random, news, { maxAge, poolSize }, latest);
      const byOwnLoad = otherwise.picker(members, env);
      const draw = acceptedDraw(members, env.random);
      latest = pool;
      prober.open();
      const hear = (member: Member, answer: unknown): void => {
        const now = clock.now();
        pool.answer(member, answer, now);
        if (latest !== pool) latest?.answer(member, answer, now);
      };
      /** Probes that calls have a claim to; clients with a fraction per call do not send them in step. */
      let due = env.random();
      const free = (call: Call, now: number, taken: readonly Member[]): Member | undefined => {
        for (let n = 0; n < DRAWS; n++) {
          const member = members[draw(call, now)];
          if (member && !(member.load as ProbedLoad).probing && !taken.includes(member)) return member;
        }
        return undefined;
      };
      const sendProbes = (call: Call, now: number): void => {
        const targets: Member[] = [];
        for (due += probes; due >= 1; due--) {
          if (prober.outstanding + targets.length >= outstanding) continue;
          const member = free(call, now, targets);
          if (member !== undefined) targets.push(member);
        }
        if (targets.length > 0) prober.send(targets, clock, hear);
      };
      const pick = (call: Call, now: number): Member | undefined => {
        const member = pool.choose(call, now) ?? byOwnLoad(call, now);
        if (member === undefined) return undefined;
        pool.used(member, now);
        if (members.length > 1) sendProbes(call, now);
        return member;
      };
      const explain = (call: Call, now: number) => {
        const preferences = pool.explain(call, now);
        return preferences.length > 0 ? preferences : (byOwnLoad.explain?.(call, now) ?? []);
      };
      return Object.assign(pick, { explain });
    },
    close: () => prober.close(),
  };
}

/** How often a member is drawn for a probe, to find one that is not being probed already. */
const DRAWS = 4;
