import { type EventQueue, type Occurrence, Reach } from './event-queue.ts';
import type { Server } from './server.ts';
import type { ServerNews } from './types.ts';

/** Where an attempt is. */
const Stage = {
  /** On its way to the server. */
  sent: 0,
  /** At the server, which has said when it will be done. */
  held: 1,
  /** On its way back. */
  answered: 2,
  /** Done, or nobody will ever hear of it. */
  over: 3,
} as const;

/** What went wrong with an attempt, by the code of the error that its caller gets. */
export type Trouble = 'ECONNREFUSED' | 'ECONNRESET' | 'FAILED' | 'OVERLOADED';

/** What is sent to whom. */
export type Sent = Pick<Flight, 'server' | 'generation' | 'call' | 'attempt' | 'way' | 'counted'>;

/** An attempt, or a probe, on its way to a server and back. Its caller may give it up; the server will not know. */
export class Flight implements Occurrence {
  readonly server: Server;
  /** Which of the server's lives it is for. */
  readonly generation: number;
  /** The call's number and the attempt's, from 1; 0 for a probe. */
  readonly call: number;
  readonly attempt: number;
  /** Time on the network, one way. */
  readonly way: number;
  /** Whether results count it. */
  readonly counted: boolean;
  /** For the server's use. */
  next: Flight | undefined;
  slot = -1;
  receivedAt = 0;
  found = 0;
  /** How long its server had stood still in all when it said when it would be done; what was left when it froze. */
  stood = 0;
  left = 0;
  working = false;
  /** Its server broke off, or its answer will not get through. */
  broken = false;
  lost = false;
  trouble: Trouble | undefined;
  news: ServerNews | undefined;
  readonly #queue: EventQueue;
  #stage: number = Stage.sent;
  #resolve: ((news: ServerNews) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(
    queue: EventQueue,
    { server, generation, call, attempt, way, counted }: Sent,
    resolve: (news: ServerNews) => void,
    reject: (error: unknown) => void,
  ) {
    this.#queue = queue;
    this.server = server;
    this.generation = generation;
    this.call = call;
    this.attempt = attempt;
    this.way = way;
    this.counted = counted;
    this.#resolve = resolve;
    this.#reject = reject;
    queue.add(queue.now + way, this);
  }

  get isProbe(): boolean {
    return this.attempt === 0;
  }

  /** The server will be done with it in so many ms, if nothing happens. */
  hold(ms: number): void {
    this.#stage = Stage.held;
    this.#queue.add(this.#queue.now + ms, this);
  }

  /** The server's answer sets out. */
  answer(): void {
    this.#stage = Stage.answered;
    this.#queue.add(this.#queue.now + this.way, this);
  }

  /** The server breaks off what it may be holding. */
  breakOff(): void {
    this.broken = true;
    this.#queue.add(this.#queue.now + this.way, { happen: () => this.#deliver() });
  }

  /** Nobody will hear of it. */
  vanish(): void {
    this.#stage = Stage.over;
    this.release();
  }

  /** The caller has turned away. */
  release(): void {
    this.#resolve = this.#reject = undefined;
  }

  happen(): Reach {
    if (this.#stage === Stage.answered) return this.#deliver();
    if (this.#stage === Stage.sent) this.server.receive(this);
    else if (this.#stage === Stage.held && !this.broken) this.server.done(this);
    return Reach.nobody;
  }

  #deliver(): Reach {
    const resolve = this.#resolve;
    const reject = this.#reject;
    this.vanish();
    if (resolve === undefined) return Reach.nobody;
    if (this.trouble === undefined) resolve(this.news!);
    else reject!(new SimulatedError(this.trouble, this.server.endpoint.id));
    return this.isProbe ? Reach.probe : Reach.call;
  }
}

/** What a simulated attempt fails with. */
export class SimulatedError extends Error {
  /** `ECONNREFUSED`, `ECONNRESET`, `FAILED`, `OVERLOADED`, or `ENOTFOUND` for an endpoint that never was. */
  readonly code: Trouble | 'ENOTFOUND';

  constructor(code: SimulatedError['code'], endpoint: string) {
    super(`${code} at ${endpoint}`);
    this.name = 'SimulatedError';
    this.code = code;
  }
}
