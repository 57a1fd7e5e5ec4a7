import { EventEmitter } from 'eventemitter3';
import type { Balancer } from '../balancer/balancer.ts';
import { leastRequest } from '../balancer/least-request.ts';
import { bad, checkNumber } from '../base/errors.ts';
import type { Names } from '../base/options.ts';
import { consecutiveFailures } from '../breaker/consecutive-failures.ts';
import {
  CLIENT_OPTIONS,
  type Client,
  type ClientOptions,
  type CloseOptions,
  checkClientOptions,
  clientOf,
} from '../client.ts';
import type { MakeBreaker } from '../model/breaker.ts';
import { type CallOptions, prompt, type Task } from '../model/call.ts';
import { type Fault, type Observer, tell } from '../model/observer.ts';
import { restoreFrom, type SavedPool } from '../model/saved.ts';
import type { Policy } from '../policy/policy.ts';
import { compose } from '../policy/policy.ts';
import { retry } from '../policy/retry.ts';
import { timeout } from '../policy/timeout.ts';
import type { Pool } from '../pool.ts';

/** What a client is made of. Everything but `discovery` has a default. */
export interface EmittingClientOptions extends Omit<ClientOptions, 'balancer' | 'restore'> {
  /** Default: `leastRequest()`. */
  readonly balancer?: Balancer | undefined;
  /** Default: `consecutiveFailures()`. `false`: none. */
  readonly breaker?: MakeBreaker | false | undefined;
  /**
   * What `pool.save()` answered, in another process perhaps: breakers go on as if there had been no interruption. What is wrong
   * with a part of it is a `fault`, and that part new.
   */
  readonly restore?: SavedPool | undefined;
  /**
   * What happens around an attempt, outermost first. Default: `[retry()]`. `timeout` goes round all of them and
   * `attemptTimeout` inside, so no order of these can be wrong.
   */
  readonly policies?: readonly Policy[] | undefined;
  /** How long a call may take over all its attempts and waits, in ms. Default: `Infinity`. */
  readonly timeout?: number | undefined;
  /** How long each attempt may take, in ms. Default: `Infinity`. */
  readonly attemptTimeout?: number | undefined;
}

/** What they are called. */
export const EMITTING_OPTIONS: Names<EmittingClientOptions> = {
  ...CLIENT_OPTIONS,
  ...{ timeout: 1, attemptTimeout: 1 },
};

/** The events of a client: what an `Observer` is told, under the same names. */
export type ClientEvents = { [K in keyof Observer]-?: Parameters<NonNullable<Observer[K]>> };

const EVENTS: readonly (keyof ClientEvents)[] = [
  'members',
  'discoveryError',
  'attempt',
  'attemptEnd',
  'retry',
  'hedge',
  'giveUp',
  'breaker',
  'serviceBreaker',
  'health',
  'panic',
  'fault',
];

/**
 * A client that emits what happens. Listeners are called synchronously; what one throws goes to `fault`, and those
 * after it do not hear of that event.
 */
export class EmittingClient extends EventEmitter<ClientEvents> implements Client {
  readonly #client: Client;
  /** What the pool tells. An event comes in when somebody first listens to it: until then it costs nothing. */
  readonly #observer: Record<string, Tell> = {};

  /** @throws RangeError or TypeError that names the bad option */
  constructor(options: EmittingClientOptions) {
    super();
    const { balancer = leastRequest(), breaker = consecutiveFailures(), policies = [retry()] } = options;
    if (!Array.isArray(policies)) throw bad('policies', policies, 'an array');
    const bounded = [
      bound('timeout', options.timeout),
      ...policies,
      this.#whenReady,
      bound('attemptTimeout', options.attemptTimeout),
    ];
    for (const event of EVENTS)
      if (options.observer?.[event] !== undefined) this.#hear(event, options.observer);
    for (const name of ['on', 'addListener', 'once'] as const) {
      const listen = this[name] as (...args: unknown[]) => this;
      this[name] = (...args: [event: keyof ClientEvents, ...unknown[]]) => {
        this.#hear(args[0], options.observer);
        return listen.apply(this, args);
      };
    }
    this.#client = clientOf({
      ...options,
      balancer,
      breaker,
      policies: bounded,
      restore: options.restore === undefined ? undefined : restoreFrom(options.restore),
      observer: this.#observer,
    });
  }

  /** Makes a fault known, as those inside the client are. */
  report(fault: Fault): void {
    tell(this.#observer, 'fault', fault);
  }

  get pool(): Pool {
    return this.#client.pool;
  }

  run<T>(task: Task<T>, options?: CallOptions): Promise<T> {
    return this.#client.run(task, options);
  }

  ready(signal?: AbortSignal): Promise<void> {
    return this.#client.ready(signal);
  }

  /** Not of the prototype, as it may be called back. */
  readonly close = (options?: CloseOptions): Promise<void> => this.#client.close(options);

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }

  /** Lest the wait for the first set count as an attempt's. */
  readonly #whenReady: Policy = next =>
    prompt(
      (task, call) =>
        this.pool.size > 0 ? next(task, call) : this.pool.ready(call.signal).then(() => next(task, call)),
      next,
    );

  /** From now on an event reaches the listeners, and the user's observer before them. */
  #hear(event: keyof ClientEvents, observer: Observer | undefined): void {
    this.#observer[event] ??= (first, second) => {
      try {
        const told: unknown = (observer?.[event] as Tell | undefined)?.call(observer, first, second);
        if (told instanceof Promise)
          told.catch(error => event !== 'fault' && this.report({ source: 'observer', error }));
      } finally {
        (this.emit as (...args: unknown[]) => boolean)(event, first, second);
      }
    };
  }
}

type Tell = (first: unknown, second: unknown) => void;

/**
 * A client of one service, which emits what happens. Everything but `discovery` has a default.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export const createClient = (options: EmittingClientOptions): EmittingClient =>
  new EmittingClient(checkClientOptions('createClient', options, EMITTING_OPTIONS));

/** An optional time-out. */
const bound = (name: string, ms = Number.POSITIVE_INFINITY): Policy =>
  checkNumber(name, ms, Number.MIN_VALUE) === Number.POSITIVE_INFINITY ? compose() : timeout(ms);
