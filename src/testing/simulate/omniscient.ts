import type { Chance } from './chance.ts';
import { during, type Schedule, type Spell } from './faults.ts';
import type { Plan, ServerPlan } from './plan.ts';
import { hits, workOf } from './server.ts';

/**
 * One picker for all clients that knows everything: every server's line, how long each call will take there, and all
 * faults, those to come as well. It sends each call, once, to where its answer will be back first, and never to
 * a server that would fail it. It is greedy: it spares no fast server for a call yet to come and changes no decision,
 * so now and then a luckier choice was possible, but no picker can count on one.
 */
export class Omniscient {
  readonly #chance: Chance;
  readonly #lines: readonly Line[];
  /** The servers' kinds of work, and how long the call at hand takes by each; NaN if not yet known. */
  readonly #kinds: readonly ServerPlan[];
  readonly #kindOf: readonly number[];
  readonly #works: Float64Array;
  /** Where it last sent a call: where there was room, there may be more. */
  #last = 0;
  /** The least that a fault makes of any work. */
  readonly #quickest: number;

  constructor(plan: Plan, chance: Chance, { spells }: Schedule) {
    this.#chance = chance;
    this.#lines = plan.servers.map((server, i) => new Line(server, spells[i]!, chance));
    const kinds = [...new Set(plan.servers.map(({ service }) => service))];
    this.#kinds = kinds.map(kind => plan.servers.find(({ service }) => service === kind)!);
    this.#kindOf = plan.servers.map(({ service }) => kinds.indexOf(service));
    this.#works = new Float64Array(kinds.length);
    this.#quickest = Math.min(...this.#lines.map(({ quickest }) => quickest));
  }

  /**
   * The latency of a call that arrives now; infinite if it cannot but fail. `ways`: one way to each server, in ms;
   * `nearest`: the least of them.
   */
  send(call: number, now: number, ways: Float64Array, nearest: number): number {
    const lines = this.#lines;
    const works = this.#works;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < works.length; i++) {
      works[i] = workOf(this.#kinds[i]!, this.#chance, call, 1);
      if (works[i]! < least) least = works[i]!;
    }
    const ideal = now + nearest + least * this.#quickest + nearest;
    let best = Number.POSITIVE_INFINITY;
    let choice = -1;
    let done = 0;
    for (let k = 0; k < lines.length && best > ideal; k++) {
      const i = (this.#last + k) % lines.length;
      const line = lines[i]!;
      const way = ways[i]!;
      const work = works[this.#kindOf[i]!]!;
      const at = now + way;
      // Sooner than this it cannot be.
      if (Math.max(at, line.free) + work * line.quickest + way >= best) continue;
      const end = line.end(call, at, work);
      if (end + way >= best) continue;
      best = end + way;
      choice = i;
      done = end;
    }
    if (choice < 0) return Number.POSITIVE_INFINITY;
    this.#last = choice;
    lines[choice]!.take(now + ways[choice]!, done);
    return best - now;
  }
}

/** What one server has been given to do. */
class Line {
  /** The least that a fault makes of its work. */
  readonly quickest: number;
  readonly #spells: readonly Spell[];
  readonly #chance: Chance;
  /** When each worker is free, the first at the top of a heap. */
  readonly #free: Float64Array;
  /** When each call that waits will begin, if no more than so many may wait. */
  readonly #most: number;
  #starts: number[] = [];
  #start = 0;

  constructor({ concurrency, queue }: ServerPlan, spells: readonly Spell[], chance: Chance) {
    this.#spells = [...spells].sort((a, b) => a.from - b.from);
    this.#chance = chance;
    this.#free = new Float64Array(concurrency);
    this.#most = queue;
    this.quickest = spells.reduce((product, { factor }) => product * Math.min(1, factor), 1);
  }

  /** When the next worker is free. */
  get free(): number {
    return this.#free[0]!;
  }

  /** When a call that gets here at `at` would be done; infinite if it would fail. */
  end(call: number, at: number, work: number): number {
    const begun = Math.max(at, this.#free[0]!);
    if (begun > at && this.#full(at)) return Number.POSITIVE_INFINITY;
    this.#start = begun;
    if (this.#spells.length === 0) return begun + work;
    return this.#endAmid(call, at, work);
  }

  take(at: number, end: number): void {
    if (this.#most < Number.POSITIVE_INFINITY && this.#start > at) this.#starts.push(this.#start);
    const free = this.#free;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= free.length) break;
      if (child + 1 < free.length && free[child + 1]! < free[child]!) child++;
      if (free[child]! >= end) break;
      free[i] = free[child]!;
      i = child;
    }
    free[i] = end;
  }
  #full(at: number): boolean {
    while (this.#starts.length > 0 && this.#starts[0]! <= at) this.#starts.shift();
    return this.#starts.length >= this.#most;
  }

  /** The same among faults: as `Server` has it, told beforehand. */
  #endAmid(call: number, at: number, work: number): number {
    const spells = this.#spells;
    const admitted = this.#thawed(at);
    const begun = Math.max(admitted, this.#free[0]!); // no worker becomes free while the server stands still
    let factor = 1;
    for (const spell of spells) {
      if (spell.from > begun) break;
      if (during(spell, begun)) factor *= spell.factor;
      if (spell.kind === 'failing' && during(spell, admitted) && hits(spell, this.#chance, call, 1))
        return Number.POSITIVE_INFINITY;
    }
    const end = this.#through(begun, work * factor);
    for (const spell of spells) {
      if (spell.from > end) break;
      if (spell.until <= at) continue;
      const { kind } = spell;
      if (kind === 'dead' || kind === 'unreachable') return Number.POSITIVE_INFINITY;
      if (kind === 'failing-slowly' && during(spell, end) && hits(spell, this.#chance, call, 1))
        return Number.POSITIVE_INFINITY;
    }
    this.#start = begun;
    return end;
  }

  /** The first time from `time` on at which the server does not stand still. */
  #thawed(time: number): number {
    let thawed = time;
    for (const spell of this.#spells) {
      if (spell.from > thawed) break;
      if (spell.kind === 'frozen' && thawed < spell.until) thawed = spell.until;
    }
    return thawed;
  }

  /** When so many ms of work are done. */
  #through(begun: number, ms: number): number {
    let end = begun + ms;
    let since = begun;
    for (const { kind, from, until } of this.#spells) {
      if (from > end) break;
      if (kind !== 'frozen' || until <= since) continue;
      end += until - Math.max(from, since);
      since = until;
    }
    return end;
  }
}
