import { during, type Spell } from './faults.ts';

/** What is wrong with a server at a time, all faults together. */
export interface Condition {
  readonly dead: boolean;
  readonly unreachable: boolean;
  readonly frozen: boolean;
  /** Whether the registry does not tell of it. */
  readonly absent: boolean;
  /** So many times as long as in health its work takes. */
  readonly factor: number;
  readonly failing: readonly Spell[];
  readonly failingSlowly: readonly Spell[];
}

export const HEALTH: Condition = {
  dead: false,
  unreachable: false,
  frozen: false,
  absent: false,
  factor: 1,
  failing: [],
  failingSlowly: [],
};

export function conditionAt(spells: readonly Spell[], time: number): Condition {
  const now = spells.filter(spell => during(spell, time));
  const of = (asked: Spell['kind']): Spell[] => now.filter(({ kind }) => kind === asked);
  const is = (asked: Spell['kind']): boolean => now.some(({ kind }) => kind === asked);
  return {
    dead: is('dead'),
    unreachable: is('unreachable'),
    frozen: is('frozen'),
    absent: is('absent'),
    factor: now.reduce((product, { factor }) => product * factor, 1),
    failing: of('failing'),
    failingSlowly: of('failing-slowly'),
  };
}
