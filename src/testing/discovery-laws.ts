import type { Env } from '../base/env.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { type Law, must } from './law.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';
import { seededRandom } from './seeded-random.ts';

/** A source to be tested, and what stands behind it. */
export interface DiscoverySubject {
  readonly discovery: Discovery;
  /** Makes the registry behind it hold another set. Needed unless `changes` is false. */
  readonly set?: ((endpoints: readonly Endpoint[]) => void | PromiseLike<void>) | undefined;
  readonly close?: (() => void | PromiseLike<void>) | undefined;
}

export interface DiscoveryLawOptions {
  /** Whether its sets can change; if not, the laws about that are left out. Default: true. */
  readonly changes?: boolean | undefined;
  /** How long, in ms of the source's clock, it may take to notice a change, or its end. Default: 60 000. */
  readonly within?: number | undefined;
  /**
   * Awaited again and again meanwhile, for sources that do I/O, such as `() => setTimeout(5)` of
   * timers/promises.
   */
  readonly idle?: (() => PromiseLike<unknown>) | undefined;
}

/**
 * What every source of endpoints owes those who follow it, to test your own by:
 *
 * ```ts
 * const laws = discoveryLaws(endpoints => ({ discovery: mySource(fakeRegistry(endpoints)) }));
 * for (const { name, run } of laws) test(name, run);
 * ```
 *
 * Endpoints are compared by host and port. Time stands still but for the laws; let the source have it from
 * its `env`.
 *
 * @param make makes a source whose registry holds this set
 */
export function discoveryLaws(
  make: (endpoints: readonly Endpoint[], env: Env) => DiscoverySubject | PromiseLike<DiscoverySubject>,
  options: DiscoveryLawOptions = {},
): Law[] {
  const on = (work: (trial: Trial) => Promise<void>) => async (): Promise<void> => {
    const clock = manualClock();
    const env = { clock, random: seededRandom(1) };
    const subject = await make(FIRST, env);
    try {
      await work(new Trial(subject, env, options));
    } finally {
      await subject.close?.();
    }
  };
  const laws: Law[] = [
    {
      name: 'it gives the full set, in which no id is twice',
      run: on(async trial => {
        const { reader } = trial.start();
        await trial.until(reader, FIRST);
      }),
    },
    {
      name: 'its readers do not disturb each other',
      run: on(async trial => {
        const one = trial.start();
        const other = trial.start();
        await trial.until(one.reader, FIRST);
        one.stop();
        await trial.over(one.reader);
        await trial.until(other.reader, FIRST);
      }),
    },
    {
      name: 'when the signal aborts it ends, and leaves no timer behind',
      run: on(async trial => {
        const { reader, stop } = trial.start();
        await trial.until(reader, FIRST);
        const next = reader.next();
        next.catch(() => {});
        await trial.clock.advance(1);
        stop();
        await trial.over(reader, next);
        trial.mustBeIdle();
      }),
    },
    {
      name: 'begun when the signal has aborted already, it ends, and leaves no timer behind',
      run: on(async trial => {
        const { reader, stop } = trial.start();
        stop();
        await trial.over(reader);
        trial.mustBeIdle();
      }),
    },
    {
      name: 'when nobody reads on it leaves no timer behind',
      run: on(async trial => {
        const { reader } = trial.start();
        await trial.until(reader, FIRST);
        await trial.settles(Promise.resolve(reader.return?.()), 'it did not let its reader go');
        trial.mustBeIdle();
      }),
    },
    {
      name: 'begun again it gives the full set again',
      run: on(async trial => {
        for (let i = 0; i < 3; i++) {
          const { reader, stop } = trial.start();
          await trial.until(reader, FIRST);
          stop();
          await trial.over(reader);
        }
      }),
    },
  ];
  if (options.changes === false) return laws;
  const changing: Law[] = [
    {
      name: 'each change gives the full set anew, to every reader',
      run: on(async trial => {
        const readers = [trial.start().reader, trial.start().reader];
        for (const set of [FIRST, MORE, OTHERS, FIRST]) {
          await trial.set(set);
          for (const reader of readers) await trial.until(reader, set);
        }
      }),
    },
    {
      name: 'begun after a change it gives the set as it is then',
      run: on(async trial => {
        await trial.set(OTHERS);
        await trial.until(trial.start().reader, OTHERS);
      }),
    },
  ];
  return [...laws, ...changing];
}

const at = (n: number): Endpoint => ({ id: `10.0.0.${n}:${8000 + n}`, host: `10.0.0.${n}`, port: 8000 + n });
const FIRST = [at(1), at(2), at(3)];
const MORE = [...FIRST, at(4)];
const OTHERS = [at(3), at(5)];

type Reader = AsyncIterator<readonly Endpoint[]>;

const STEPS = 120;

class Trial {
  readonly clock: ManualClock;
  readonly #subject: DiscoverySubject;
  readonly #env: Env;
  readonly #options: DiscoveryLawOptions;

  constructor(subject: DiscoverySubject, env: Env & { clock: ManualClock }, options: DiscoveryLawOptions) {
    this.#subject = subject;
    this.#env = env;
    this.clock = env.clock;
    this.#options = options;
  }

  start(): { reader: Reader; stop: () => void } {
    const controller = new AbortController();
    const sets = this.#subject.discovery(this.#env, controller.signal, () => {});
    return { reader: sets[Symbol.asyncIterator](), stop: () => controller.abort(new Error('stopped')) };
  }

  async set(endpoints: readonly Endpoint[]): Promise<void> {
    must(
      this.#subject.set !== undefined,
      () => 'the subject has no `set`; give it one, or the option `changes: false`',
    );
    await this.#subject.set(endpoints);
  }

  /** Reads on until it gives this set. What it gives before may be what the set was, or was in between. */
  async until(reader: Reader, wanted: readonly Endpoint[]): Promise<void> {
    const target = places(wanted);
    let seen = 'nothing';
    for (let i = 0; i < STEPS; i++) {
      const { done, value } = await this.settles(reader.next(), `it gave ${seen}, and then not ${target}`);
      must(done !== true, () => `it gave ${seen}, and ended without ${target}`);
      const ids = value.map((endpoint: Endpoint) => endpoint.id);
      must(new Set(ids).size === ids.length, () => `it gave an id twice: ${ids}`);
      seen = places(value);
      if (seen === target) return;
    }
    throw new Error(`it gave ${seen} again and again, not ${target}`);
  }

  /** It must end, or fail, after one more set at most. */
  async over(reader: Reader, next: Promise<IteratorResult<unknown>> = reader.next()): Promise<void> {
    for (let step = next, i = 0; i < 3; i++, step = reader.next()) {
      const ended = step.then(
        ({ done }) => done === true,
        () => true,
      );
      if (await this.settles(ended, 'it did not end')) return;
    }
    throw new Error('it went on giving sets');
  }

  mustBeIdle(): void {
    must(this.clock.pending === 0, () => `${this.clock.pending} timers are pending`);
  }

  /** Lets time pass until the promise settles. */
  async settles<T>(promise: Promise<T>, otherwise: string): Promise<T> {
    const { within = 60_000, idle } = this.#options;
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    promise.then(settle, settle);
    for (let i = 0; i <= STEPS; i++) {
      await this.clock.advance(i === 0 ? 0 : within / STEPS);
      if (!settled) await idle?.();
      if (settled) return promise;
    }
    throw new Error(otherwise);
  }
}

const places = (set: readonly Endpoint[]): string =>
  set
    .map(({ host, port }) => `${host}:${port}`)
    .sort()
    .join(', ') || 'an empty set';
