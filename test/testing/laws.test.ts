import {
  type Balancer,
  type Breaker,
  consecutiveFailures,
  createRing,
  type Endpoint,
  inFlight,
  type Load,
  type MakeBreaker,
  type Picker,
  roundRobin,
  sleep,
  xxh32,
} from 'fairlead';
import {
  balancerLaws,
  breakerLaws,
  type DiscoverySubject,
  discoveryLaws,
  type Law,
  loadLaws,
  ringLaws,
  type TestedRing,
} from 'fairlead/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/** Which of the laws are broken. */
async function broken(laws: readonly Law[]): Promise<string[]> {
  const names: string[] = [];
  for (const { name, run } of laws) {
    try {
      await run();
    } catch {
      names.push(name);
    }
  }
  return names;
}

const fastCheck = { seed: 1, endOnFailure: true, numRuns: 30 };

describe('ringLaws catch', () => {
  const laws = (make: () => TestedRing, weighted = true, tolerance = Number.POSITIVE_INFINITY) =>
    broken(ringLaws(fc, make, { weighted, tolerance, fastCheck }));

  /** A ring that is worked out from the list of ids at each look-up. */
  const listed = (
    place: (ids: readonly string[], key: string) => string | undefined,
    sorted = true,
  ): TestedRing => {
    let list: string[] = [];
    return {
      add(id) {
        list = [...list, id];
        if (sorted) list.sort();
      },
      remove(id) {
        list = list.filter(each => each !== id);
      },
      get: key => place(list, key),
    };
  };

  test('nothing, where a ring without weights and replicas keeps them all', async () => {
    const rendezvous = () =>
      listed((ids, key) => {
        let owner: string | undefined;
        let highest = -1;
        for (const id of ids) {
          const score = xxh32(key + id);
          if (score > highest) [owner, highest] = [id, score];
        }
        return owner;
      });
    expect(await laws(rendezvous, false, 0.2)).toEqual([]);
  });

  test('hashing by remainder, which moves most keys', async () => {
    const names = await laws(() => listed((ids, key) => ids[xxh32(key) % ids.length]), false);
    expect(names).toContain('a member that is added takes keys, and no key moves between the others');
    expect(names).toContain('a member that is removed loses all its keys, and no other key moves');
  });

  test('a list in the order of adding', async () => {
    const names = await laws(() => listed((ids, key) => ids[xxh32(key) % ids.length], false), false);
    expect(names).toContain('the order of adding makes no difference');
    expect(names).toContain('a member that comes back gets back the keys it had');
    expect(names).toContain('however a set came about, its keys have the same owners');
  });

  test('equal points that overwrite each other', async () => {
    const overwriting = (): TestedRing => {
      const points = new Map<number, string>();
      const each = (id: string): number[] => Array.from({ length: 20 }, (_, i) => xxh32(id, i) % 100);
      return {
        add: id => each(id).forEach(point => void points.set(point, id)),
        remove: id => each(id).forEach(point => void points.delete(point)),
        get(key) {
          for (let i = 0; i < 100; i++) {
            const owner = points.get((xxh32(key) + i) % 100);
            if (owner !== undefined) return owner;
          }
          return undefined;
        },
      };
    };
    expect((await laws(overwriting, false)).length).toBeGreaterThan(2);
  });

  test('weights that are not heeded', async () => {
    const names = await laws(
      () => {
        const ring = createRing();
        return { add: id => ring.add(id), remove: ring.remove, get: ring.get };
      },
      true,
      0.5,
    );
    expect(names).toEqual(['shares follow weights, give or take 50 %']);
  });

  test('points that depend on how many members there are', async () => {
    const names = await laws(() => {
      let weights = new Map<string, number>();
      const ring = (): ReturnType<typeof createRing> =>
        createRing([...weights].map(([id, weight]) => ({ id, weight: weight / weights.size })));
      let now = ring();
      const change = (edit: () => void): void => {
        edit();
        now = ring();
      };
      return {
        add: (id, weight = 1) => change(() => void weights.set(id, weight)),
        remove: id => change(() => void (weights = new Map([...weights].filter(([each]) => each !== id)))),
        get: key => now.get(key),
      };
    });
    expect(names).toContain('a member that is added takes keys, and no key moves between the others');
  });

  test('replicas that repeat, that begin elsewhere, or that are not next in line', async () => {
    const replicas = (line: (ring: ReturnType<typeof createRing>, key: string, n: number) => string[]) =>
      laws(() => {
        const ring = createRing([], { points: 20 });
        return { ...ring, getN: (key: string, n: number) => line(ring, key, n) };
      });
    const all = 'getN gives the owner first, then others, all different, until there are no more';
    expect(await replicas((ring, key, n) => Array.from({ length: n }, () => ring.get(key)!))).toContain(all);
    expect(await replicas((ring, key, n) => ring.getN(key, n).reverse())).toContain(all);
    expect(
      await replicas((ring, key, n) => {
        const owner = ring.get(key)!;
        return [owner, ...ring.ids.filter(id => id !== owner)].slice(0, n);
      }),
    ).toContain('when its owner is removed, a key goes to the next in line');
  });
});

describe('balancerLaws catch', () => {
  const laws = (make: () => Balancer, shares: 'even' | 'weight' | false = 'even') =>
    broken(balancerLaws(fc, make, { shares, fastCheck }));
  const of = (picker: Balancer['picker']) => (): Balancer => ({ picker });
  const first: Balancer['picker'] = members => (call, now) =>
    members.find(member => call.accepts(member, now));

  test('nothing, where a balancer that has favourites says so', async () => {
    expect(await laws(of(first), false)).toEqual([]);
  });

  test('everybody beginning with member 0, who has all calls', async () => {
    expect(await laws(of(first))).toEqual([
      'balancers made afresh do not all begin with the same member',
      'calls are shared out evenly',
      'the calls of refused members are shared out among all others evenly',
      'a set made anew before each call starves nobody',
    ]);
  });

  test('a picker that does not ask the call', async () => {
    const names = await laws(
      of(
        (members, { random }) =>
          () =>
            members[Math.floor(random() * members.length)],
      ),
    );
    expect(names).toContain('a refused member is never picked while another is not');
    expect(names).toContain('when all members are refused, nobody is picked');
  });

  test('a picker that gives up when its first choice is refused', async () => {
    const names = await laws(
      of((members, { random }) => (call, now) => {
        const member = members[Math.floor(random() * members.length)]!;
        return call.accepts(member, now) ? member : undefined;
      }),
    );
    expect(names).toContain('a refused member is never picked while another is not');
    expect(names).not.toContain('when all members are refused, nobody is picked');
  });

  test('a balancer that goes on with the set it saw first', async () => {
    const names = await laws(() => {
      let picker: Picker | undefined;
      const { picker: make } = roundRobin();
      return { picker: (members, env) => (picker ??= make(members, env)) };
    });
    expect(names).toContain('a member that has left is not picked any more');
  });

  test('turns that begin at member 0 with each new set', async () => {
    const names = await laws(
      of(members => {
        let turn = 0;
        return (call, now) => {
          for (let i = 0; i < members.length; i++) {
            const member = members[turn++ % members.length]!;
            if (call.accepts(member, now)) return member;
          }
          return undefined;
        };
      }),
    );
    expect(names).toContain('balancers made afresh do not all begin with the same member');
    expect(names).toContain('a set made anew before each call starves nobody');
  });

  test('a neighbour who has all the calls of a refused member', async () => {
    const names = await laws(
      of((members, { random }) => (call, now) => {
        const start = Math.floor(random() * members.length);
        for (let i = 0; i < members.length; i++) {
          const member = members[(start + i) % members.length]!;
          if (call.accepts(member, now)) return member;
        }
        return undefined;
      }),
    );
    expect(names).toEqual(['the calls of refused members are shared out among all others evenly']);
  });

  test('weights that are not heeded', async () => {
    expect(await laws(() => roundRobin(), 'weight')).toContain('calls are shared out by weight');
  });

  test('chance of its own', async () => {
    let calls = 0;
    const names = await laws(of(members => () => members[xxh32(String(calls++)) % members.length]));
    expect(names).toContain('the order in which discovery names the endpoints makes no difference');
  });

  test('a load that breaks the laws of loads', async () => {
    const load = (): Load => ({ begin() {}, end() {}, cost: now => -now });
    expect(await laws(() => ({ ...roundRobin(), load }))).toEqual(['a cost is a number of at least 0']);
  });
});

describe('loadLaws catch', () => {
  const laws = (make: () => Load) => broken(loadLaws(fc, make, { fastCheck }));

  test('a cost that falls when a member fails fast', async () => {
    const latest = (): Load => {
      let latency = 50;
      return {
        begin() {},
        cost: () => latency,
        end: (flight, _, now) => void (latency = now - flight.startedAt),
      };
    };
    expect(await laws(latest)).toEqual([
      'failing fast never makes a member cheaper than not having been called, then or later',
    ]);
  });

  test('a cost that decays when it is asked for', async () => {
    const decaying = (): Load => {
      const load = inFlight()();
      let extra = 100;
      return {
        ...load,
        begin: f => load.begin(f),
        end: (...all) => load.end(...all),
        cost: now => load.cost(now) + extra--,
      };
    };
    expect(await laws(decaying)).toContain('asking what a member costs changes nothing');
  });

  test('a member that is cheaper the busier it is', async () => {
    let count = 0;
    const load = (): Load => ({
      begin: () => void count++,
      end: () => void count--,
      cost: () => 1e6 - count,
    });
    expect(await laws(load)).toContain('one attempt more in flight never makes a member cheaper');
  });
});

describe('breakerLaws catch', () => {
  const opens = { first: 1000, most: 30_000 };
  const laws = (make: MakeBreaker) => broken(breakerLaws(fc, make, { opens, fastCheck }));

  /** A breaker of ours with something changed. */
  const but =
    (change: (breaker: Breaker) => Partial<Breaker>): MakeBreaker =>
    env => {
      const breaker = consecutiveFailures()(env);
      return {
        get state() {
          return breaker.state;
        },
        get epoch() {
          return breaker.epoch;
        },
        allows: now => breaker.allows(now),
        begin: now => breaker.begin(now),
        end: (...all) => breaker.end(...all),
        ...change(breaker),
      };
    };

  test('nothing, where nothing is changed', async () => {
    expect(await laws(but(() => ({})))).toEqual([]);
  });

  test('asking that takes the probe', async () => {
    const names = await laws(
      but(breaker => ({
        allows(now) {
          const allowed = breaker.allows(now);
          if (allowed) breaker.begin(now);
          return allowed;
        },
      })),
    );
    expect(names).toContain('asking changes nothing');
  });

  test('outcomes of earlier epochs that count', async () => {
    const names = await laws(
      but(breaker => ({
        end: (outcome, elapsed, _, now) => breaker.end(outcome, elapsed, breaker.epoch, now),
      })),
    );
    expect(names).toContain('an outcome of an earlier epoch changes nothing');
  });

  test('more probes than promised', async () => {
    expect(await laws(consecutiveFailures({ probes: 2 }))).toContain(
      'when its time is up it lets exactly 1 through, by the clock alone',
    );
  });

  test('a caller that gives up counted as a failure, and a probe of which that is lost', async () => {
    const names = await laws(
      but(breaker => ({
        end: (outcome, ...rest) => breaker.end(outcome === 'ignored' ? 'failure' : outcome, ...rest),
      })),
    );
    expect(names).toContain('nothing but failures opens it');
    expect(names).toContain('a probe that proves nothing gives its place to another');
  });

  test('an open time that does not grow, grows too far, or starts elsewhere', async () => {
    const name = 'it opens for 1000 ms first, for longer after each failed probe, up to 30000 ms';
    expect(await laws(consecutiveFailures({ maxOpenFor: 1000 }))).toEqual([name]);
    expect(await laws(consecutiveFailures({ maxOpenFor: 60_000 }))).toContain(name);
    expect(await laws(consecutiveFailures({ openFor: 3000 }))).toContain(name);
  });

  test('a breaker that goes from open to closed by itself', async () => {
    const reset: MakeBreaker = () => {
      let openedAt: number | undefined;
      let epoch = 0;
      return {
        get state() {
          return openedAt === undefined ? 'closed' : 'open';
        },
        get epoch() {
          return epoch;
        },
        allows: now => openedAt === undefined || now - openedAt > 1000,
        begin(now) {
          if (openedAt !== undefined && now - openedAt > 1000) {
            openedAt = undefined;
            epoch++;
          }
        },
        end(outcome, _elapsed, of, now) {
          if (of !== epoch || openedAt !== undefined || outcome !== 'failure') return;
          openedAt = now;
          epoch++;
        },
      };
    };
    expect(await laws(reset)).toContain('it never skips a state, and its epoch changes with its state');
  });

  test('a saved breaker that stays open for too long, or not at all', async () => {
    const saving = (change: Partial<Breaker>) =>
      laws(
        but(breaker => ({
          save: now => breaker.save?.(now),
          restore: (saved, age, now) => breaker.restore?.(saved, age, now),
          ...change,
        })),
      );
    const never = 'what it saves makes one in another process go on like it, if it saves anything';
    const rest =
      'saved while it is open, it stays open for the rest of its time in another process, if it saves anything';
    expect(await saving({})).toEqual([]);
    expect(await laws(but(() => ({ save: () => 'all is well' })))).toEqual([never, rest]);
    const forgetful = but(breaker => ({
      save: now => breaker.save?.(now),
      restore: (saved, _, now) => breaker.restore?.(saved, 0, now),
    }));
    expect(await laws(forgetful)).toEqual([never, rest]);
  });

  test('a breaker that sets timers', async () => {
    const timed: MakeBreaker = env => {
      env.clock.after(1000, () => {});
      return consecutiveFailures()(env);
    };
    expect(await laws(timed)).toContain('a new breaker is closed, and lets calls through');
  });
});

describe('discoveryLaws catch', () => {
  const polling =
    (settings: { deaf?: boolean; twice?: boolean } = {}) =>
    (endpoints: readonly Endpoint[]): DiscoverySubject => {
      let now = endpoints;
      return {
        set: wanted => void (now = wanted),
        discovery: async function* ({ clock }, signal) {
          while (settings.deaf || !signal.aborted) {
            yield settings.twice ? [...now, now[0]!] : now;
            await sleep(clock, 1000, settings.deaf ? undefined : signal);
          }
        },
      };
    };

  test('nothing, where a source keeps them all', async () => {
    expect(await broken(discoveryLaws(polling()))).toEqual([]);
  });

  test('a source that takes no notice of the signal', async () => {
    const names = await broken(discoveryLaws(polling({ deaf: true })));
    expect(names).toContain('when the signal aborts it ends, and leaves no timer behind');
    expect(names).toContain('begun when the signal has aborted already, it ends, and leaves no timer behind');
  });

  test('an id that is given twice', async () => {
    expect(await broken(discoveryLaws(polling({ twice: true })))).toContain(
      'it gives the full set, in which no id is twice',
    );
  });

  test('a timer that is left behind', async () => {
    const names = await broken(
      discoveryLaws(
        endpoints => ({
          discovery: async function* ({ clock }) {
            clock.after(1e9, () => {});
            yield endpoints;
          },
        }),
        { changes: false },
      ),
    );
    expect(names).toEqual([
      'when the signal aborts it ends, and leaves no timer behind',
      'begun when the signal has aborted already, it ends, and leaves no timer behind',
      'when nobody reads on it leaves no timer behind',
    ]);
  });

  test('a source that gives what is new instead of the full set', async () => {
    const names = await broken(
      discoveryLaws(endpoints => {
        let now = endpoints;
        return {
          set: wanted => void (now = wanted),
          discovery: async function* ({ clock }, signal) {
            const told = new Set<string>();
            while (!signal.aborted) {
              yield now.filter(({ id }) => !told.has(id));
              for (const { id } of now) told.add(id);
              await sleep(clock, 1000, signal);
            }
          },
        };
      }),
    );
    expect(names).toEqual(['each change gives the full set anew, to every reader']);
  });

  test('one stream that all readers share', async () => {
    const names = await broken(
      discoveryLaws(
        endpoints => {
          const only = (async function* () {
            yield endpoints;
          })();
          return { discovery: () => only };
        },
        { changes: false },
      ),
    );
    expect(names).toContain('its readers do not disturb each other');
    expect(names).toContain('begun again it gives the full set again');
  });

  test('a subject that cannot be changed, unless that is said', async () => {
    const names = await broken(
      discoveryLaws(endpoints => ({
        discovery: async function* () {
          yield endpoints;
        },
      })),
    );
    expect(names).toEqual([
      'each change gives the full set anew, to every reader',
      'begun after a change it gives the set as it is then',
    ]);
  });
});

test('a law that is broken says by what, and how to see it again', () => {
  const [, adding] = ringLaws(fc, () => {
    let ids: string[] = [];
    return {
      add: id => void (ids = [...ids, id].sort()),
      remove: id => void (ids = ids.filter(each => each !== id)),
      get: key => ids[xxh32(key) % ids.length],
    };
  });
  expect(() => adding!.run()).toThrow(/Property failed after .*seed: .*Counterexample: /s);
  try {
    void adding!.run();
  } catch (error) {
    expect(String((error as Error).cause)).toMatch(/moved from ".*" to ".*"/s);
  }
});
