/** How far what has happened reaches: how long promises must be let settle before time goes on. */
export const Reach = {
  /** Inside the simulation only. */
  nobody: 0,
  /** One call, which will in all likelihood settle or try again. */
  call: 1,
  /** Who asked a server about itself. */
  probe: 2,
  /** Who knows. */
  anybody: 3,
} as const;

export type Reach = (typeof Reach)[keyof typeof Reach];

/** Something that happens at a time. It may be in the queue once. */
export interface Occurrence {
  happen(): Reach;
}

const FEW = 1024;

/** What is to happen, in the order of time, then in the order in which it was added: a binary heap. */
export class EventQueue {
  /** Virtual time, in ms. */
  now = 0;
  /** How many times in a row what happened has made something happen at the same time. */
  generation = 0;
  /** What is added from here on belongs to the next generation. */
  #next = 0;
  #size = 0;
  #added = 0;
  /** Side by side, for numbers inside objects would have to be fetched one by one. */
  #times = new Float64Array(FEW);
  #orders = new Float64Array(FEW);
  #items: Occurrence[] = [];

  get size(): number {
    return this.#size;
  }

  add(time: number, item: Occurrence): void {
    if (this.#size === this.#times.length) {
      this.#times = grown(this.#times);
      this.#orders = grown(this.#orders);
    }
    this.#rise(this.#size++, time, this.#added++, item);
  }

  /** Takes the next out and moves time on to it. */
  next(): Occurrence | undefined {
    if (this.#size === 0) return undefined;
    const first = this.#items[0]!;
    if (this.#times[0]! > this.now) {
      this.now = this.#times[0]!;
      this.generation = 0;
      this.#next = this.#added;
    } else if (this.#orders[0]! >= this.#next) {
      this.generation++;
      this.#next = this.#added;
    }
    const last = --this.#size;
    const item = this.#items.pop()!;
    if (last > 0) this.#sink(0, this.#times[last]!, this.#orders[last]!, item);
    return first;
  }

  /** Takes out all that need not happen any more. */
  sweep(stale: (item: Occurrence) => boolean): void {
    const size = this.#size;
    const items = this.#items;
    let kept = 0;
    for (let i = 0; i < size; i++) {
      if (stale(items[i]!)) continue;
      items[kept] = items[i]!;
      this.#times[kept] = this.#times[i]!;
      this.#orders[kept++] = this.#orders[i]!;
    }
    items.length = this.#size = kept;
    for (let i = (kept >>> 1) - 1; i >= 0; i--) this.#sink(i, this.#times[i]!, this.#orders[i]!, items[i]!);
  }

  #rise(place: number, time: number, order: number, item: Occurrence): void {
    const times = this.#times;
    let i = place;
    while (i > 0) {
      const parent = (i - 1) >>> 1;
      // What is added later has the higher order, so times decide.
      if (times[parent]! <= time) break;
      this.#move(parent, i);
      i = parent;
    }
    this.#put(i, time, order, item);
  }

  #sink(place: number, time: number, order: number, item: Occurrence): void {
    const times = this.#times;
    const orders = this.#orders;
    const size = this.#size;
    let i = place;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      const other = child + 1;
      if (
        other < size &&
        (times[other]! < times[child]! || (times[other] === times[child] && orders[other]! < orders[child]!))
      )
        child = other;
      if (times[child]! > time || (times[child] === time && orders[child]! > order)) break;
      this.#move(child, i);
      i = child;
    }
    this.#put(i, time, order, item);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from]!, this.#orders[from]!, this.#items[from]!);
  }

  #put(place: number, time: number, order: number, item: Occurrence): void {
    this.#times[place] = time;
    this.#orders[place] = order;
    this.#items[place] = item;
  }
}

function grown(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const twice = new Float64Array(2 * array.length);
  twice.set(array);
  return twice;
}
