import type { Picker, Preference } from './balancer/balancer.ts';
import type { BreakerState } from './model/breaker.ts';
import { type Acceptance, type Call, PANIC } from './model/call.ts';
import type { Member } from './model/member.ts';

/** What a pick would do, and why. */
export interface Explanation {
  readonly key: string | undefined;
  /** What a pick has to settle for; `none` if it would find no member. */
  readonly round: 'untried' | 'available' | 'panic' | 'none';
  /** All members: those that might be chosen in the order of preference, then the rest by id. */
  readonly members: readonly MemberExplanation[];
}

/** A member as a pick sees it. */
export interface MemberExplanation {
  readonly id: string;
  readonly address: string;
  readonly weight: number;
  readonly breaker: BreakerState;
  readonly inFlight: number;
  /** As its load has it; only comparison means anything. NaN if that throws. */
  readonly cost: number;
  /** Whether this call may go there, in this round. */
  readonly accepted: boolean;
  /** Its place in the order of preference, from 1; none if the balancer would not ask it, or does not tell. */
  readonly order: number | undefined;
  /** The share of such calls it gets as things stand, 0 to 1, if the balancer tells; where keys decide, of all keys. */
  readonly share: number | undefined;
  readonly why: string;
}

/** Explains a pick over these members, of which the picker was made for the active ones. */
export function explain(
  members: readonly Member[],
  picker: Picker | undefined,
  call: Call,
  now: number,
  lowest: number,
  rounds: number,
): Explanation {
  const before = call.acceptance;
  const active = members.filter(member => member.active);
  let round = Math.max(lowest, call.tried.length === 0 ? lowest + 1 : 0);
  const accepts = (member: Member): boolean => heard(() => call.accepts(member, now), true);
  for (; round < rounds; round++) {
    call.acceptance = round as Acceptance;
    if (active.some(accepts)) break;
  }
  const preferences: readonly Preference[] | undefined =
    round < rounds ? heard(() => picker?.explain?.(call, now), undefined) : [];
  const places = new Map(
    (preferences ?? []).map((preference, i) => [preference.member, { ...preference, order: i + 1 }]),
  );
  const explained = members.map((member): MemberExplanation => {
    const { endpoint, weight, breaker, inFlight } = member;
    const accepted = member.active && round < rounds && accepts(member);
    const place = places.get(member);
    return {
      id: endpoint.id,
      address: `${endpoint.host}:${endpoint.port}`,
      weight,
      breaker: breaker.state,
      inFlight,
      cost: heard(() => member.load.cost(now), Number.NaN),
      accepted,
      order: place?.order,
      share: place?.share ?? (preferences === undefined ? undefined : 0),
      why:
        refusal(member, call, now, accepted) ??
        place?.note ??
        (preferences === undefined ? 'available' : 'not asked'),
    };
  });
  call.acceptance = before;
  const last = members.length + 1;
  return {
    key: call.key,
    round:
      round >= rounds
        ? 'none'
        : round >= PANIC
          ? 'panic'
          : round === 0 || call.tried.length === 0
            ? 'untried'
            : 'available',
    members: explained.sort((a, b) => (a.order ?? last) - (b.order ?? last)),
  };
}

/** What a breaker, a load or a balancer says; if it throws, it is not heard. */
function heard<T>(ask: () => T, otherwise: T): T {
  try {
    return ask();
  } catch {
    return otherwise;
  }
}

function refusal(member: Member, call: Call, now: number, accepted: boolean): string | undefined {
  if (!member.active) return 'drained: its weight is 0';
  if (accepted) return undefined;
  const { state } = member.breaker;
  if (member.isolated) return 'isolated by hand';
  if (member.inFlight >= member.limit) return `it has its ${member.limit} attempts in flight`;
  if (member.unhealthy) return 'its health checks fail';
  if (now < member.coolUntil)
    return `it asked to be left alone for ${Math.ceil(member.coolUntil - now)} ms more`;
  if (state !== 'closed' && !heard(() => member.available(now), true)) return `its breaker is ${state}`;
  return call.tried.includes(member) ? 'tried already by this call' : 'refused';
}
