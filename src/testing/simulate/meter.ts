import type { ServerNews } from './types.ts';

/** Over so many slots of so many ms a server averages what it tells of itself. */
const SLOTS = 10;
const SLOT = 100;

/** How many latencies are remembered for about the same number in flight. */
const REMEMBERED = 16;

/** What a server knows of itself: how busy it was in the last second, and how long its calls took. */
export class Meter {
  readonly #concurrency: number;
  /** When it began, and until when it has been reckoned. */
  readonly #start: number;
  #at: number;
  /** Workers busy now; worker-ms, calls and failures so far. */
  #busy = 0;
  #work = 0;
  #ended = 0;
  #failed = 0;
  /** The three as they were at the beginning of each of the last slots. */
  readonly #past = new Float64Array(3 * SLOTS);
  #slot: number;
  /** The latest latencies by how many were in flight, on a scale that grows coarser. */
  readonly #latencies: Latencies[] = [];

  constructor(concurrency: number, now: number) {
    this.#concurrency = concurrency;
    this.#start = this.#at = now;
    this.#slot = Math.floor(now / SLOT);
  }

  /** So many workers are busy from now on. */
  busy(workers: number, now: number): void {
    this.#reckon(now);
    this.#busy = workers;
  }

  /** A call has ended that found so many in flight. */
  ended(found: number, latency: number, failed: boolean, now: number): void {
    this.#reckon(now);
    this.#ended++;
    if (failed) this.#failed++;
    else (this.#latencies[level(found)] ??= new Latencies()).push(latency);
  }

  news(inFlight: number, now: number): ServerNews {
    this.#reckon(now);
    const oldest = Math.max(this.#start, (this.#slot - SLOTS + 1) * SLOT);
    const spent = now - oldest;
    const i = 3 * ((this.#slot + 1) % SLOTS);
    const past = this.#past;
    const rate = spent > 0 ? 1000 / spent : 0;
    return {
      inFlight,
      latency: this.#latency(level(inFlight)),
      utilization: spent > 0 ? (this.#work - past[i]!) / (spent * this.#concurrency) : 0,
      rps: (this.#ended - past[i + 1]!) * rate,
      eps: (this.#failed - past[i + 2]!) * rate,
    };
  }

  #reckon(now: number): void {
    const slot = Math.floor(now / SLOT);
    if (slot > this.#slot) {
      // What came before the window need not be told slot by slot.
      for (let each = Math.max(this.#slot + 1, slot - SLOTS + 1); each <= slot; each++) {
        const i = 3 * (each % SLOTS);
        this.#past[i] = this.#work + this.#busy * (each * SLOT - this.#at);
        this.#past[i + 1] = this.#ended;
        this.#past[i + 2] = this.#failed;
      }
      this.#slot = slot;
    }
    this.#work += this.#busy * (now - this.#at);
    this.#at = now;
  }

  /** The median at the nearest level of which anything is known. */
  #latency(asked: number): number {
    const known = this.#latencies;
    for (let step = 0; step < known.length || asked - step >= 0; step++) {
      const near = known[asked - step] ?? known[asked + step];
      if (near !== undefined) return near.median();
    }
    return 0;
  }
}

const level = (inFlight: number): number => Math.round(4 * Math.log2(inFlight + 1));

class Latencies {
  readonly #values = new Float64Array(REMEMBERED);
  readonly #sorted = new Float64Array(REMEMBERED);
  #pushed = 0;
  #median: number | undefined;

  push(value: number): void {
    this.#values[this.#pushed++ % REMEMBERED] = value;
    this.#median = undefined;
  }

  median(): number {
    if (this.#median !== undefined) return this.#median;
    const count = Math.min(this.#pushed, REMEMBERED);
    const sorted = this.#sorted;
    for (let i = 0; i < count; i++) {
      const value = this.#values[i]!;
      let j = i;
      for (; j > 0 && sorted[j - 1]! > value; j--) sorted[j] = sorted[j - 1]!;
      sorted[j] = value;
    }
    return (this.#median = sorted[count >>> 1]!);
  }
}
