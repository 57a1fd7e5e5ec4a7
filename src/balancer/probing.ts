import { type Call, PANIC } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import { isDoubtful, isDue, isWell } from './census.ts';
import type { Group } from './group.ts';
import { narrowed } from './narrowed.ts';

type Ask = (call: Call, now: number) => Member | undefined;

/**
 * Has single calls find out how members are that would not be called, or not soon: those whose breaker waits for a call
 * in groups that get none, and those whose latest call failed. Without the first, a group that was given up as a whole
 * would never be taken up again; without the second, it would long not be known who is ill, for balancers that go by
 * load avoid whoever has failed once.
 */
export class Probing<Name> {
  readonly #groups: readonly Group<Name>[];
  readonly #keyed: boolean;
  /** For each group, asks those members only whose breaker waits for a call. */
  readonly #refused: readonly Ask[];
  /** For each group, asks those members only whose latest call failed. */
  readonly #doubtful: readonly Ask[];
  /** The group that the next call asks for the former, if any. */
  #waiting = -1;
  /** Whether calls ask each group for the latter; and how many groups there are of whom they do. */
  readonly #doubted: Uint8Array;
  #doubts = 0;

  /** @param keyed keys must stay where they are: a group's own calls find out */
  constructor(groups: readonly Group<Name>[], keyed: boolean) {
    this.#groups = groups;
    this.#keyed = keyed;
    this.#refused = groups.map(({ picker }) => narrowed(picker, member => !isWell(member)));
    this.#doubtful = groups.map(({ picker }) =>
      // To find that one failure was no chance costs one more: not those who would have to bear it.
      narrowed(
        picker,
        (member, { repeatable }, now) =>
          isDoubtful(member, now) && (member.failing > 1 || repeatable !== false),
      ),
    );
    this.#doubted = new Uint8Array(groups.length);
  }

  /** Takes in who is to be found well, where groups get these shares of the calls. */
  plan(shares: ArrayLike<number>, now: number): void {
    this.#waiting = this.#groups.findIndex(
      ({ members, weight, well }, i) =>
        shares[i] === 0 && well < weight && members.some(member => isDue(member, now)),
    );
    this.#doubts = 0;
    this.#groups.forEach(({ members }, i) => {
      const doubted = !(this.#keyed && shares[i]! > 0) && members.some(member => isDoubtful(member, now));
      this.#doubted[i] = doubted ? 1 : 0;
      if (doubted) this.#doubts++;
    });
  }

  /** A member to be found well by this call, if there is one. A call that has failed once has given enough. */
  probe(call: Call, now: number): Member | undefined {
    if (this.#waiting < 0 && this.#doubts === 0) return undefined;
    if (call.tried.length > 0 || call.acceptance >= PANIC) return undefined;
    if (this.#waiting >= 0) {
      const ask = this.#refused[this.#waiting]!;
      this.#waiting = -1;
      const member = ask(call, now);
      if (member !== undefined) return member;
    }
    for (let i = 0; this.#doubts > 0; i++) {
      if (this.#doubted[i] === 0) continue;
      const member = this.#doubtful[i]!(call, now);
      if (member !== undefined) return member;
      this.#doubted[i] = 0;
      this.#doubts--;
    }
    return undefined;
  }
}
