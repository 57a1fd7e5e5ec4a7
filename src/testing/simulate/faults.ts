import type { Plan } from './plan.ts';

/** A time during which something is wrong with a server: from `from` on, and before `until`. */
export interface Spell {
  readonly kind: 'dead' | 'unreachable' | 'frozen' | 'slow' | 'failing' | 'failing-slowly' | 'absent';
  readonly from: number;
  readonly until: number;
  /** Which fault it belongs to, by number. */
  readonly fault: number;
  /** By how much it slows a server down; 1 if it does not. */
  readonly factor: number;
  /** The share of calls that it lets fail. */
  readonly share: number;
  /** After how long they fail, in ms. */
  readonly after: number;
}

/** The same for the registry. */
export interface RegistrySpell {
  readonly kind: 'outage' | 'lag' | 'split';
  readonly from: number;
  readonly until: number;
  readonly fault: number;
  readonly lag: number;
  readonly share: number;
  readonly servers: readonly number[];
}

/** All that will go wrong. */
export interface Schedule {
  /** By server. */
  readonly spells: readonly (readonly Spell[])[];
  /** When each server comes back as another one, in order. */
  readonly rebirths: readonly (readonly number[])[];
  readonly registry: readonly RegistrySpell[];
  /** What changes, by time, in order. */
  readonly turns: ReadonlyMap<number, Turn>;
}

export interface Turn {
  /** Whose condition changes. */
  readonly servers: Set<number>;
  /** Whether the registry's does. */
  registry: boolean;
}

/** Whether a time is within a spell. */
export const during = (
  { from, until }: { readonly from: number; readonly until: number },
  time: number,
): boolean => from <= time && time < until;

/** Lays out in time what the faults do to each server and to the registry. */
export function scheduled({ faults, servers, duration }: Plan): Schedule {
  const spells: Spell[][] = servers.map(() => []);
  const rebirths: number[][] = servers.map(() => []);
  const registry: RegistrySpell[] = [];
  for (const [number, fault] of faults.entries()) {
    const { from = 0, until = Number.POSITIVE_INFINITY } = fault;
    const add = (server: number, spell: Partial<Spell> & Pick<Spell, 'kind'>): void => {
      const whole = { from, until, fault: number, factor: 1, share: 0, after: 0, ...spell };
      if (whole.from < whole.until) spells[server]!.push(whole);
    };
    const tell = (spell: Partial<RegistrySpell> & Pick<RegistrySpell, 'kind'>): void => {
      registry.push({ from, until, fault: number, lag: 0, share: 0, servers: [], ...spell });
    };
    switch (fault.kind) {
      case 'slow':
        for (const server of fault.servers) add(server, { kind: 'slow', factor: fault.factor });
        break;
      case 'failing':
        for (const server of fault.servers)
          add(server, { kind: 'failing', share: fault.share ?? 1, after: fault.after ?? 1 });
        break;
      case 'failing-slowly':
        for (const server of fault.servers) add(server, { kind: 'failing-slowly', share: fault.share ?? 1 });
        break;
      case 'frozen':
      case 'dead':
      case 'unreachable':
        for (const server of fault.servers) add(server, { kind: fault.kind });
        break;
      case 'flapping': {
        const end = Math.min(until, duration);
        for (const server of fault.servers)
          for (let at = from; at < end; at += 2 * fault.every)
            add(server, { kind: 'dead', from: at, until: Math.min(end, at + fault.every) });
        break;
      }
      case 'zone-loss':
        for (const { number, zone } of servers) if (zone === fault.zone) add(number, { kind: 'dead' });
        break;
      case 'rolling-deploy': {
        const { every, drain = 1000, down = 1000 } = fault;
        let at = from;
        for (const server of fault.servers ?? servers.keys()) {
          if (at >= until) break;
          const back = at + drain + down;
          add(server, { kind: 'absent', from: at, until: back });
          add(server, { kind: 'dead', from: at + drain, until: back });
          rebirths[server]!.push(back);
          at += every;
        }
        break;
      }
      case 'scale-out':
        for (const server of fault.servers) {
          for (const kind of ['absent', 'dead'] as const) {
            add(server, { kind, from: 0, until: from });
            add(server, { kind, from: until, until: Number.POSITIVE_INFINITY });
          }
        }
        break;
      case 'registry-outage':
        tell({ kind: 'outage' });
        break;
      case 'registry-lag':
        tell({ kind: 'lag', lag: fault.lag });
        break;
      case 'registry-split':
        tell({ kind: 'split', share: fault.share, servers: fault.servers });
        break;
    }
  }
  for (const times of rebirths) times.sort((a, b) => a - b);
  return { spells, rebirths, registry, turns: turnsOf(spells, rebirths, registry) };
}

function turnsOf(
  spells: Schedule['spells'],
  rebirths: Schedule['rebirths'],
  registry: Schedule['registry'],
): Map<number, Turn> {
  const turns = new Map<number, Turn>();
  const at = (time: number): Turn => {
    let turn = turns.get(time);
    if (turn === undefined) turns.set(time, (turn = { servers: new Set(), registry: false }));
    return turn;
  };
  for (const [server, own] of spells.entries()) {
    for (const { from, until } of own) for (const time of [from, until]) at(time).servers.add(server);
    for (const time of rebirths[server]!) at(time).servers.add(server);
  }
  for (const { from, until } of registry) for (const time of [from, until]) at(time).registry = true;
  turns.delete(Number.POSITIVE_INFINITY);
  return new Map([...turns].sort(([a], [b]) => a - b));
}
