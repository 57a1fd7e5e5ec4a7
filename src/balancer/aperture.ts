/** Which of the clients this one is. */
export interface ClientNumber {
  /** From 0. */
  readonly index: number;
  /** How many there are. */
  readonly of: number;
}

/**
 * Deterministic aperture (Finagle, `DeterministicAperture.scala`): servers lie round a circle, each as long as it weighs;
 * so do the clients, all equally long, and each calls those servers that its arc lies upon. An arc is as many
 * clients long as it takes for `size` servers in the mean; since that is a whole number, each point of the circle lies
 * under equally many arcs, and every server gets its due.
 *
 * @returns what part of each server lies under the arc, 0 to 1, by index
 */
export function aperture(
  weights: readonly number[],
  { index, of }: ClientNumber,
  size: number,
): Float64Array {
  const count = weights.length;
  const parts = new Float64Array(count);
  const long = Math.min(of, Math.ceil((Math.min(size, count) * of) / count));
  if (long === of) return parts.fill(1);
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const total = weights.reduce((sum, weight) => sum + weight / largest, 0);
  const start = (index / of) * total;
  const end = ((index + long) / of) * total;
  let edge = 0;
  for (let i = 0; i < count; i++) {
    const length = weights[i]! / largest;
    // The arc may go round past the beginning of the circle.
    for (const from of [edge, edge + total]) {
      const part = (Math.min(end, from + length) - Math.max(start, from)) / length;
      if (part > ROUNDING) parts[i]! += part > 1 - ROUNDING ? 1 : part;
    }
    parts[i] = Math.min(1, parts[i]!);
    edge += length;
  }
  return parts;
}

/** Parts as small as this come of rounding. */
const ROUNDING = 1e-9;
