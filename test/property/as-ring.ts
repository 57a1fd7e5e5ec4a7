import { type Balancer, Call, type RingMember } from 'fairlead';
import { callAvoiding, members, type TestedRing, testEnv } from 'fairlead/testing';

/** A keyed balancer as a ring: a call's owner, and who is next while it has tried those before. */
export function balancerAsRing(balancer: Balancer): TestedRing {
  const env = testEnv();
  const weights = new Map<string, number>();
  const change = (): ReturnType<Balancer['picker']> & {
    all: readonly ReturnType<typeof members>[number][];
  } => {
    const all = members([...weights].map(([id, weight]) => ({ id, weight })));
    const picker = all.length === 0 ? () => undefined : balancer.picker(all, env);
    return Object.assign(picker, { all });
  };
  let picker = change();
  return {
    add(id, weight = 1) {
      weights.set(id, weight);
      picker = change();
    },
    remove(id) {
      weights.delete(id);
      picker = change();
    },
    get: key => picker(new Call({ key }), 0)?.endpoint.id,
    getN(key, n) {
      const line: ReturnType<typeof members> = [];
      while (line.length < n) {
        const next = picker(callAvoiding(line, { key }), 0);
        if (next === undefined) break;
        line.push(next);
      }
      return line.map(({ endpoint }) => endpoint.id);
    },
  };
}

/** What is made of a set at once as a ring, made anew when it is asked after a change. */
export function rebuiltRing(
  make: (members: readonly RingMember[]) => {
    get(key: string): string | undefined;
    getN(key: string, n: number): string[];
  },
): TestedRing {
  const weights = new Map<string, number>();
  let made: ReturnType<typeof make> | undefined;
  const now = (): ReturnType<typeof make> => {
    made ??= make([...weights].map(([id, weight]) => ({ id, weight })));
    return made;
  };
  return {
    add(id, weight = 1) {
      weights.set(id, weight);
      made = undefined;
    },
    remove(id) {
      weights.delete(id);
      made = undefined;
    },
    get: key => now().get(key),
    getN: (key, n) => now().getN(key, n),
  };
}
