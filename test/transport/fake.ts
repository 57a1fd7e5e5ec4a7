import { type BalancedFetch, createFetch, type FetchOptions, fixed, roundRobin } from 'fairlead';
import { type ManualClock, manualClock, seededRandom } from 'fairlead/testing';
import { logbook } from '../helpers.ts';

/** What a network was sent. */
export interface Sent {
  readonly url: string;
  readonly init: RequestInit;
}

export interface Fake {
  readonly fetch: BalancedFetch;
  readonly sent: Sent[];
  readonly clock: ManualClock;
  /** What an observer was told. */
  readonly lines: string[];
  /** How the attempts ended, in order. */
  readonly outcomes: () => string[];
}

/** Says what a network does with the request so-and-so, counted from 1. */
export type Answer = (sent: Sent, n: number) => Response | PromiseLike<Response>;

export const ok: Answer = () => new Response('ok');
export const unavailable: Answer = () => new Response('no', { status: 503 });
export const never: Answer = () => new Promise(() => {});

/** 503 so many times, then 200. */
export const failing =
  (times: number): Answer =>
  (sent, n) =>
    n <= times ? unavailable(sent, n) : ok(sent, n);

/** A balanced fetch over three endpoints taken in turn, a network that does as told, and time that stands still. */
export function faked(answer: Answer = ok, options: Partial<FetchOptions> = {}): Fake {
  const clock = manualClock();
  const { observer, lines } = logbook();
  const sent: Sent[] = [];
  const fetch = createFetch({
    discovery: fixed(['a.test:80', 'b.test:80', 'c.test:80']),
    balancer: roundRobin(),
    env: { clock, random: seededRandom(1) },
    observer,
    fetch: async (url, init) => {
      const request = { url, init };
      sent.push(request);
      return answer(request, sent.length);
    },
    ...options,
  });
  const outcomes = (): string[] => lines.flatMap(line => /^attemptEnd \S+ (.*)/.exec(line)?.[1] ?? []);
  return { fetch, sent, clock, lines, outcomes };
}

/** An error as Node's `fetch` makes it of what happened to the socket. */
export const socketError = (code: string): TypeError =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(`connect ${code}`), { code }) });

/** What of a URL comes after the authority. */
export const restOf = (url: string): string => url.replace(/^https?:\/\/[^/?#\\]*/, '');

/** The bytes of a body as it was sent. */
export const bytesOf = async (body: RequestInit['body']): Promise<Uint8Array> =>
  new Uint8Array(await new Response(body).arrayBuffer());

export const textOf = async (body: RequestInit['body']): Promise<string> => new Response(body).text();

export type SomeBody = NonNullable<RequestInit['body']>;
export type SomeHeaders = NonNullable<RequestInit['headers']>;
