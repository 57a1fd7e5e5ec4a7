interface Known {
  /** In the latest set. */
  weight: number;
  largest: number;
  /** When it was last known to be as large. */
  at: number;
}

/**
 * The largest weights that zones have had: whether a zone's servers are ill or have vanished from discovery, those who
 * call from there are as many as before.
 */
export class ZoneMemory<Zone> {
  readonly #zones = new Map<Zone, Known>();
  readonly #memory: number;

  /** @param memory for how long a largest weight is remembered, in ms */
  constructor(memory: number) {
    this.#memory = memory;
  }

  /** Takes in the weights of a new set. */
  update(weights: ReadonlyMap<Zone, number>, now: number): void {
    for (const [zone, known] of this.#zones) {
      if (known.weight >= known.largest) known.at = now;
      known.weight = weights.get(zone) ?? 0;
      known.largest = this.largest(zone, now);
      if (known.largest === 0) this.#zones.delete(zone);
    }
    for (const [zone, weight] of weights) {
      const known = this.#zones.get(zone);
      if (known === undefined) this.#zones.set(zone, { weight, largest: weight, at: now });
      else known.largest = Math.max(known.largest, weight);
    }
  }

  largest(zone: Zone, now: number): number {
    const known = this.#zones.get(zone);
    if (known === undefined) return 0;
    return now - known.at < this.#memory ? Math.max(known.weight, known.largest) : known.weight;
  }

  /** Over all zones. */
  total(now: number): number {
    let sum = 0;
    for (const zone of this.#zones.keys()) sum += this.largest(zone, now);
    return sum;
  }
}
