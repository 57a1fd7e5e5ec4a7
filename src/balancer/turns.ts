import type { Call } from '../model/call.ts';
import type { Member } from '../model/member.ts';
import type { Picker, Preference } from './balancer.ts';

/** A schedule gone through again and again. */
export interface Turns {
  /** Where in the schedule the next turn is. */
  readonly turn: number;
  /** How far through the schedule that is, 0 to 1. */
  readonly progress: number;
  /** The member whose turn it is; if the call does not accept it, the next that would stand in and is accepted. */
  readonly next: Picker;
}

/**
 * Goes through a schedule of members. Who stands in for a refused member is told by a second pass over the same
 * schedule, so its turns are shared by the others in their proportions; were it the next in line, a neighbour
 * would get all of them.
 */
export function inTurn(schedule: readonly Member[], first: number): Turns {
  const { length } = schedule;
  let turn = first;
  let standIn = (first + (length >>> 1)) % length;
  const next = (call: Call, now: number): Member | undefined => {
    const member = schedule[turn]!;
    turn = turn + 1 === length ? 0 : turn + 1;
    if (call.accepts(member, now)) return member;
    for (let i = 0; i < length; i++) {
      const other = schedule[standIn]!;
      standIn = standIn + 1 === length ? 0 : standIn + 1;
      if (call.accepts(other, now)) return other;
    }
    // Nobody had the turn: were it gone, half of an even number of members would never be picked in panic.
    turn = turn === 0 ? length - 1 : turn - 1;
    return undefined;
  };
  const explain = (call: Call, now: number): Preference[] => {
    const turns = new Map<Member, number>();
    for (let i = 0; i < length; i++) {
      const member = schedule[(turn + i) % length]!;
      if (call.accepts(member, now)) turns.set(member, (turns.get(member) ?? 0) + 1);
    }
    const total = [...turns.values()].reduce((sum, count) => sum + count, 0);
    return [...turns].map(([member, count], i) => ({
      member,
      share: count / total,
      note: i === 0 ? 'its turn is next' : 'has its turn later',
    }));
  };
  return {
    get turn() {
      return turn;
    },
    get progress() {
      return turn / length;
    },
    next: Object.assign(next, { explain }),
  };
}
