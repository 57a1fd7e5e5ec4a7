import { RecentQuantile } from './recent-quantile.ts';

/** From how many answers the quantile is taken. */
const ANSWERS = 128;
/** What one more probe counts for in the share of those answered, and one more call in the answers per call. */
const NEWS = 1 / 32;
/** Below this share of probes answered, the answers say more of the probing than of the members. */
const ENOUGH = 0.5;

/** What the probes of a client say of all members together. */
export class ProbeNews {
  readonly #inFlight: RecentQuantile;
  readonly #memory: number;
  #answered = 1;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #sinceCall = 0;
  /** Answers per call, of late. */
  perCall: number;

  /** @param memory for how many ms without an answer the earlier ones are remembered */
  constructor(quantile: number, memory: number, perCall: number) {
    this.#inFlight = new RecentQuantile(quantile, ANSWERS);
    this.#memory = memory;
    this.perCall = perCall;
  }

  /** A member with more in flight for its weight is hot. */
  get threshold(): number {
    return this.#inFlight.value;
  }

  /** Whether most probes are answered. */
  get trusted(): boolean {
    return this.#answered >= ENOUGH;
  }

  /** `inFlight` for its weight. */
  answer(inFlight: number, now: number): void {
    if (now - this.#answeredAt > this.#memory) this.#inFlight.clear();
    this.#answeredAt = now;
    this.#inFlight.add(inFlight);
    this.#sinceCall++;
    this.#answered += (1 - this.#answered) * NEWS;
  }

  failure(): void {
    this.#answered -= this.#answered * NEWS;
  }

  call(): void {
    this.perCall += (this.#sinceCall - this.perCall) * NEWS;
    this.#sinceCall = 0;
  }
}
