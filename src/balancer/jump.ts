import { Dice } from '../base/dice.ts';
import { bad, checkFunction } from '../base/errors.ts';
import { avalanche, type HashFunction, signedOf, xxh32 } from '../base/hash.ts';
import { checkOptions } from '../base/options.ts';
import type { Call } from '../model/call.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Member } from '../model/member.ts';
import type { Balancer, Picker, Preference } from './balancer.ts';
import { inFlight } from './in-flight.ts';
import { jump64 } from './jump-hash.ts';
import { leastRequest } from './least-request.ts';
import { sharesOf } from './placement.ts';
import { Scatter } from './scatter.ts';

export interface JumpOptions {
  /** The number of an endpoint's shard, from 0. Default: its metadata's `shard`, in digits. */
  readonly shard?: ((endpoint: Endpoint) => number) | undefined;
  /** Chooses among the members of a shard; made once for each. Default: `leastRequest({ load: inFlight() })`. */
  readonly replicas?: (() => Balancer) | undefined;
  /** Must heed its seed. Default: `xxh32`, so that a key's shard is `jumpHash(key, shards)`. */
  readonly hash?: HashFunction | undefined;
}

/**
 * Jump consistent hash over numbered shards (see `jumpHash`). Members of one number are replicas of a shard; there
 * are as many shards as the highest number says. A key whose shard has no member that the call accepts goes on to the
 * other shards in an order of its own, so that they share what the one leaves; the next in number would get all of it.
 * Weights count among replicas, not among shards. A call without a key goes to a random shard.
 *
 * A set in which a number is missing is refused (the last good one stands), for its keys could not be told from those
 * of the shards above. That the highest is gone cannot be seen: its keys go to the others, and no others move.
 *
 * @throws TypeError for an option that is not a function
 */
export function jump(options: JumpOptions = {}): Balancer {
  checkOptions('jump', options, { shard: 1, replicas: 1, hash: 1 });
  const { shard = fromMetadata, replicas = leastInFlight, hash = xxh32 } = options;
  checkFunction('jump shard', shard);
  checkFunction('jump replicas', replicas);
  checkFunction('jump hash', hash);
  const hashed = signedOf(hash);
  const balancers: Balancer[] = [];
  const first = replicas();
  checkFunction('jump replicas.picker', first?.picker);
  const { load } = first;
  return {
    keyed: true,
    ...(load !== undefined && { load }),
    picker(members, env) {
      const shards = byShard(members, shard);
      while (balancers.length < shards.length) balancers.push(balancers.length === 0 ? first : replicas());
      const pickers = shards.map((each, i) => balancers[i]!.picker(each, env));
      const count = shards.length;
      const others = new Scatter(count);
      const dice = new Dice(env.random);
      const pick: Picker = (call, now) => {
        const { key } = call;
        const low = key === undefined ? dice.word() : hashed(key, 0);
        const own = key === undefined ? dice.below(count) : jump64(hashed(key, 1), low, count);
        const member = pickers[own]!(call, now);
        if (member !== undefined) return member;
        others.begin(own, avalanche(low));
        others.next();
        for (let i = others.next(); i >= 0; i = others.next()) {
          const other = pickers[i]!(call, now);
          if (other !== undefined) return other;
        }
        return undefined;
      };
      const explain = (call: Call, now: number): Preference[] => {
        const { key } = call;
        const order = Array.from(shards, (_, i) => i);
        if (key !== undefined) {
          const low = hashed(key, 0);
          others.begin(jump64(hashed(key, 1), low, count), avalanche(low));
          for (let i = 0; i < count; i++) order[i] = others.next();
        }
        const told = shards.map((of, i) => within(of, pickers[i]!, call, now));
        // What a shard without a member to call leaves is shared by all others.
        const open = told.filter(each => each.some(({ share }) => share !== 0)).length;
        return order.flatMap((number, place) => {
          const name = `shard ${number}${key === undefined || place > 0 ? '' : ', the owner'}`;
          return told[number]!.map(({ member, share, note }) => ({
            member,
            ...(share !== undefined && { share: share === 0 ? 0 : share / open }),
            note: note === undefined ? name : `${name}: ${note}`,
          }));
        });
      };
      return Object.assign(pick, { explain });
    },
    close() {
      for (const balancer of balancers) balancer.close?.();
    },
  };
}

const leastInFlight = (): Balancer => leastRequest({ load: inFlight() });

function fromMetadata({ metadata }: Endpoint): number {
  const digits = metadata?.['shard'] ?? '';
  return /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
}

/** What a shard's picker says of its members, or what their weights do. */
function within(of: readonly Member[], picker: Picker, call: Call, now: number): readonly Preference[] {
  if (picker.explain !== undefined) return picker.explain(call, now);
  const shares = sharesOf(of.map(({ weight }) => weight));
  return of.map((member, i) => ({ member, share: shares[i]! }));
}

/** @throws TypeError for a number that is none; RangeError if one is missing */
function byShard(members: readonly Member[], shard: (endpoint: Endpoint) => number): Member[][] {
  const shards = new Map<number, Member[]>();
  let highest = 0;
  for (const member of members) {
    const { endpoint } = member;
    const number = shard(endpoint);
    if (!Number.isInteger(number) || number < 0)
      throw bad(
        `jump shard of ${JSON.stringify(endpoint.id)}`,
        number,
        'a whole number from 0 (in metadata.shard, or from the `shard` option)',
      );
    highest = Math.max(highest, number);
    const replicas = shards.get(number);
    if (replicas === undefined) shards.set(number, [member]);
    else replicas.push(member);
  }
  for (let number = 0; number <= highest; number++)
    if (!shards.has(number))
      throw new RangeError(`jump needs shards 0 to ${highest} without a gap; ${number} is missing`);
  return Array.from({ length: highest + 1 }, (_, number) => shards.get(number)!);
}
