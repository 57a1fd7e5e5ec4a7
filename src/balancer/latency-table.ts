/** Latencies kept of calls that found about the same number in flight. */
const KEPT = 16;
/** As many make a median that is worth something: fewer are eked out by neighbours. */
const ENOUGH = 8;
/** Numbers below this have a row each; above, there are so many rows for each doubling. */
const EXACT = 16;
const PER_DOUBLING = 8;
const DOUBLINGS = 16;
const ROWS = EXACT + PER_DOUBLING * DOUBLINGS;

/** Recent latencies by how many calls were in flight. Bounded: 16 for each of 144 numbers and ranges of numbers. */
export class LatencyTable {
  readonly #memory: number;
  /** Latencies, and behind them when they were known; made when needed. */
  readonly #rows: (Float64Array | undefined)[] = new Array<undefined>(ROWS).fill(undefined);
  readonly #next = new Uint8Array(ROWS);
  /** What a median is taken of, sorted. */
  readonly #some = new Float64Array(KEPT);

  /** @param memory in ms */
  constructor(memory: number) {
    this.#memory = memory;
  }

  add(inFlight: number, latency: number, now: number): void {
    const place = rowOf(inFlight);
    const row = (this.#rows[place] ??= new Float64Array(2 * KEPT).fill(Number.NEGATIVE_INFINITY));
    const at = this.#next[place]!;
    row[at] = latency;
    row[KEPT + at] = now;
    this.#next[place] = (at + 1) % KEPT;
  }

  /** The median of those nearest to so many in flight; 0 if there is none. */
  median(inFlight: number, now: number): number {
    const place = rowOf(inFlight);
    let count = this.#take(place, 0, now);
    for (let away = 1; away < ROWS && count < ENOUGH; away++) {
      if (count > 0 && away > 1) break; // there is something nearer
      count = this.#take(place - away, count, now);
      count = this.#take(place + away, count, now);
    }
    if (count === 0) return 0;
    return (this.#some[(count - 1) >> 1]! + this.#some[count >> 1]!) / 2;
  }

  /** Puts a row's recent latencies among so many that are there. Answers how many there are then. */
  #take(place: number, count: number, now: number): number {
    const row = this.#rows[place];
    if (row === undefined) return count;
    const some = this.#some;
    for (let i = 0; i < KEPT && count < KEPT; i++) {
      if (now - row[KEPT + i]! > this.#memory) continue;
      let at = count++;
      for (; at > 0 && some[at - 1]! > row[i]!; at--) some[at] = some[at - 1]!;
      some[at] = row[i]!;
    }
    return count;
  }
}

function rowOf(inFlight: number): number {
  if (inFlight < EXACT) return inFlight;
  const doubling = 31 - Math.clz32(inFlight);
  const within = Math.floor((inFlight / 2 ** doubling - 1) * PER_DOUBLING);
  return Math.min(ROWS - 1, EXACT + (doubling - 4) * PER_DOUBLING + within);
}
