import { type Attempt, FairleadError, type Member, type Outcome, type Repeatable } from 'fairlead/core';
import type { Fate } from '../helpers.ts';
import type { Setup } from './pool-setups.ts';
import { holds, same } from './walk.ts';

/** How a task ends. */
export type Deed = 'fine' | 'bad' | 'down' | 'mine' | 'refused' | 'rest' | 'thrown';

/** What a member is told to have done by each. */
const OUTCOMES: Readonly<Record<Deed, Outcome>> = {
  fine: 'success',
  bad: 'failure',
  down: 'failure',
  mine: 'ignored',
  refused: 'failure',
  rest: 'failure',
  thrown: 'failure',
};

/** For how long a member asks to be left alone, in ms. */
export const REST = 50;

/** One attempt, of a call or picked by hand. */
export interface Try {
  readonly attempt: Attempt;
  readonly member: Member;
  readonly call: CallModel | undefined;
  /** What the task was given. */
  signal: AbortSignal | undefined;
  /** How the task ended, or whoever picked it said that it had. */
  ended: Deed | Outcome | undefined;
  endedAt: number;
  /** Whether the signal had aborted by then. */
  late: boolean;
  /** How often the pool has told of its end. */
  told: number;
}

export interface CallModel {
  readonly startedAt: number;
  readonly repeatable: Repeatable;
  readonly tries: Try[];
  /** Whether its signal has been aborted. */
  aborted: () => boolean;
  /** Whether the client was closed when it was made. */
  readonly closed: boolean;
  fate: Fate;
  settledAt: number;
}

/** What all calls and attempts there have been must be like. */
export class CallsModel {
  readonly calls: CallModel[] = [];
  readonly tries: Try[] = [];
  readonly #setup: Setup;
  readonly #readyTimeout: number;
  /** When the client was closed, and when what ran was aborted, by its count of attempts. */
  closedAfter: number | undefined;
  halted = false;

  constructor(setup: Setup, readyTimeout: number) {
    this.#setup = setup;
    this.#readyTimeout = readyTimeout;
  }

  runs({ ended, signal }: Try): boolean {
    return ended === undefined && signal?.aborted !== true && !(this.halted && signal !== undefined);
  }

  /** Whether the try may begin. */
  begins({ call, member }: Try, now: number, untried: (among: readonly Member[]) => boolean): void {
    if (call === undefined) return;
    const { tries, repeatable } = call;
    holds(call.fate.state === 'pending', () => 'an attempt begins after its call has been settled');
    holds(!call.aborted(), () => 'an attempt begins after its call has been aborted');
    holds(!call.closed, () => 'an attempt begins of a call made after the client was closed');
    holds(!this.halted, () => 'an attempt begins after all was aborted');
    // Those of which nothing was sent do not count, up to as many again of each `retry`.
    const sent = tries.filter(({ ended }) => ended !== 'refused');
    holds(sent.length < this.#setup.attempts, () => `more than ${this.#setup.attempts} attempts`);
    holds(tries.length < this.#setup.unsent, () => `more than ${this.#setup.unsent} attempts, sent or not`);
    const last = tries.at(-1);
    if (last === undefined) return;
    holds(repeatable !== false, () => 'what may not be run again is run again');
    if (!this.#setup.hedges) {
      holds(!this.runs(last), () => 'an attempt begins while another runs');
      const { ended = 'down' } = last;
      holds(OUTCOMES[ended as Deed] === 'failure' || last.late, () => `an attempt begins after ${ended}`);
      holds(
        repeatable !== 'unsent' || ended === 'refused',
        () => `what was sent is run again after ${ended}`,
      );
    }
    const tried = tries.map(each => each.member);
    if (tried.includes(member))
      holds(!untried(tried), () => `${member.endpoint.id} is tried again before others`);
    holds(now >= last.attempt.startedAt, () => 'time runs backwards');
  }

  /** Whether the outcome the pool tells of is what the attempt's end says. `halting`: attempts are being aborted. */
  tells(told: Try, now: number, halting: boolean): void {
    const { attempt, ended, late, signal, call } = told;
    same('how often an attempt ends', ++told.told, 1);
    const { outcome, elapsed } = attempt;
    same('how long it took', elapsed, now - attempt.startedAt);
    if (call === undefined) {
      same('its outcome', outcome, ended);
      return;
    }
    const aborted = signal?.aborted === true;
    holds(ended !== undefined || aborted || halting, () => 'an attempt ends that should run');
    if (ended !== undefined && !late && !aborted && !halting)
      same('its outcome', outcome, OUTCOMES[ended as Deed]);
    else if (signal?.reason === 'given up' && ended === undefined) same('its outcome', outcome, 'ignored');
  }

  /** Whether a call may settle like that. */
  settles(call: CallModel, state: { empty: boolean; refused: boolean; full: boolean } | undefined): void {
    const { fate, tries } = call;
    const { value } = fate;
    const resolved = fate.state === 'resolved';
    if (value instanceof FairleadError && !resolved) {
      const { code, attempts } = value;
      holds(attempts.length <= tries.length, () => `${attempts.length} attempts are told of`);
      if (code === 'CLOSED') holds(this.closedAfter !== undefined, () => 'CLOSED, and it is not');
      else if (code === 'TIMEOUT') {
        const took = call.settledAt - call.startedAt;
        holds(took >= this.#setup.timeout - 1e-6, () => `TIMEOUT after ${took} ms`);
      } else if (code === 'NO_ENDPOINTS')
        holds(state?.empty !== false, () => 'NO_ENDPOINTS, and there are some');
      else if (code === 'NO_AVAILABLE_ENDPOINT')
        holds(state?.refused !== false, () => 'NO_AVAILABLE_ENDPOINT, and there is one');
      else if (code === 'OVERLOADED')
        holds(this.#setup.limits || state?.full !== false, () => 'OVERLOADED, and nobody is');
      else holds(false, () => `a call fails with ${code}`);
      return;
    }
    if (!resolved && value === 'given up') {
      holds(call.aborted(), () => 'given up, and nobody has');
      return;
    }
    const deed = deedOf(value);
    same('whether it resolves', resolved, deed === 'fine' || deed === 'bad');
    holds(
      tries.some(({ ended }) => ended === deed),
      () => `a call ends with ${deed}, and no task of its did`,
    );
  }

  /** Nothing goes on at the moment. */
  settled(now: number, announced: boolean): void {
    const running = new Map<Member, number>();
    for (const each of this.tries) {
      const runs = this.runs(each);
      running.set(each.member, (running.get(each.member) ?? 0) + (runs ? 1 : 0));
      same('how often the end of an attempt was told', each.told, runs ? 0 : 1);
    }
    for (const [{ inFlight, endpoint }, count] of running)
      same(`how many are in flight at ${endpoint.id}`, inFlight, count);
    for (const call of this.calls) {
      const busy = call.tries.some(each => this.runs(each));
      if (call.fate.state !== 'pending') {
        holds(!busy, () => 'an attempt goes on after its call has been settled');
        continue;
      }
      holds(!call.aborted(), () => 'an aborted call is pending');
      const { bound, idle } = this.#setup;
      const age = now - call.startedAt;
      holds(age <= bound + this.#readyTimeout + 1e-6, () => `a call is pending for ${age} ms`);
      if (busy) continue;
      if (!announced) {
        holds(age < this.#readyTimeout, () => `a call waits for endpoints for ${age} ms`);
        continue;
      }
      const since = Math.max(call.startedAt, this.#readyTimeout, ...call.tries.map(({ endedAt }) => endedAt));
      holds(now - since <= idle + REST + 1e-6, () => `a call has been waiting for ${now - since} ms`);
    }
  }
}

/** What a result of a task is called. */
const deedOf = (value: unknown): Deed =>
  value instanceof Error ? ((value as { deed?: Deed }).deed ?? 'down') : (value as Deed);
