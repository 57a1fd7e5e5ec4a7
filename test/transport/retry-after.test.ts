import { Call, httpClassifier, type Load } from 'fairlead';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { giveUpReasonOf } from '../../src/policy/give-up.ts';
import { pushbackOf, retryAfterOf } from '../../src/transport/retry-after.ts';
import { faked, ok } from './fake.ts';

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';
const given = (retryAfter: string, date: string | undefined = DATE): number | undefined =>
  retryAfterOf(new Headers({ 'retry-after': retryAfter, ...(date !== undefined && { date }) }));

describe('retry-after', () => {
  test.each([
    ['0', 0],
    ['7', 7000],
    ['300', 300_000],
    ['301', 300_000],
    ['99999999999999999999999', 300_000],
    ['Sun, 06 Nov 1994 08:49:47 GMT', 10_000],
    ['Sun, 06 Nov 1994 08:51:07 GMT', 90_000],
    ['Sun Nov  6 08:49:47 1994', 10_000],
    ['Mon, 07 Nov 1994 08:49:37 GMT', 300_000],
    [DATE, 0],
    ['Sat, 05 Nov 1994 08:49:37 GMT', 0],
  ])('of %s is %s ms', (text, expected) => {
    expect(given(text)).toBe(expected);
  });

  test('in the form of old, with a year of two digits, is compared with a date of that form or another', () => {
    expect(given('Friday, 06-Nov-26 08:49:47 GMT', 'Fri, 06 Nov 2026 08:49:37 GMT')).toBe(10_000);
    expect(given('Sunday, 06-Nov-94 08:49:47 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT')).toBe(10_000);
  });

  test.each([
    '',
    '-1',
    '1.5',
    '7s',
    'soon',
    'Sun, 06 Nov 1994',
    'Sun, 06 Foo 1994 08:49:47 GMT',
    'Sun, 06 Nov 1994 8:49:47 GMT',
  ])('of %j says nothing', text => {
    expect(given(text)).toBeUndefined();
  });

  test('as a date says nothing where the response has none of its own', () => {
    expect(retryAfterOf(new Headers({ 'retry-after': DATE }))).toBeUndefined();
    expect(given(DATE, 'yesterday')).toBeUndefined();
  });

  test('counts days as calendars do, whatever the year', () => {
    const dates = fc.integer({ min: Date.UTC(1970, 0, 1) / 1000, max: Date.UTC(2400, 0, 1) / 1000 });
    fc.assert(
      fc.property(dates, fc.integer({ min: 0, max: 300 }), (second, wait) => {
        const from = new Date(second * 1000).toUTCString();
        const until = new Date((second + wait) * 1000).toUTCString();
        expect(given(until, from)).toBe(wait * 1000);
      }),
    );
  });
});

describe('what says no', () => {
  test.each<[Record<string, string>, number | undefined]>([
    [{ 'x-should-retry': 'false', 'retry-after': '7' }, -1],
    [{ 'X-Should-Retry': ' False ' }, -1],
    [{ 'x-should-retry': 'true', 'retry-after': '7' }, 7000],
    [{ 'x-should-retry': 'no' }, undefined],
    [{ 'grpc-retry-pushback-ms': '-1', 'retry-after': '7' }, -1],
    [{ 'grpc-retry-pushback-ms': 'soon' }, -1],
    [{ 'grpc-retry-pushback-ms': '' }, -1],
    [{ 'grpc-retry-pushback-ms': '1.5' }, -1],
    [{ 'grpc-retry-pushback-ms': '0' }, 0],
    [{ 'grpc-retry-pushback-ms': '250', 'retry-after': '7' }, 250],
    [{ 'grpc-retry-pushback-ms': '9999999' }, 300_000],
    [{ 'retry-after': '-7' }, undefined],
    [{}, undefined],
  ])('%o means %s', (headers, expected) => {
    expect(pushbackOf(new Headers(headers))).toBe(expected);
  });

  test.each([
    ['x-should-retry', 'false'],
    ['grpc-retry-pushback-ms', '-1'],
  ])(
    'a 503 with %s: %s is the answer: it is not tried again, and its member not left alone',
    async (name, value) => {
      const { fetch, sent, lines } = faked(
        () => new Response('', { status: 503, headers: { [name]: value } }),
      );
      const response = await fetch('/v1');
      expect(response.status).toBe(503);
      expect(sent).toHaveLength(1);
      expect(lines.at(-1)).toBe('giveUp pushback');
      expect(giveUpReasonOf(response)).toBe('pushback');
      expect(fetch.client.pool.explain(new Call()).members.every(({ accepted }) => accepted)).toBe(true);
    },
  );
});

describe('createFetch', () => {
  /** What loads are told of the attempts that a network answers. */
  async function told(answer: () => Response | Promise<Response>): Promise<unknown[]> {
    const waits: unknown[] = [];
    const load: Load = { begin() {}, end: flight => waits.push(flight.retryAfter), cost: () => 0 };
    const { fetch } = faked(answer, {
      policies: [],
      balancer: {
        load: () => load,
        picker:
          ([member]) =>
          () =>
            member,
      },
    });
    await fetch('/v1').catch(() => {});
    return waits;
  }
  const answering = (status: number) => () => new Response('', { status, headers: { 'retry-after': '7' } });

  test.each([429, 503, 500, 408])(
    'tells the load how long a member that answered %i is to be left alone',
    async status => {
      expect(await told(answering(status))).toEqual([7000]);
    },
  );

  test.each([200, 301, 404, 501])('does not where it answered %i, for that is no failure', async status => {
    expect(await told(answering(status))).toEqual([undefined]);
  });

  test('reads it from an error that has headers, and from no other', async () => {
    const refused = Object.assign(new Error('503'), { headers: new Headers({ 'retry-after': '3' }) });
    expect(await told(() => Promise.reject(refused))).toEqual([3000]);
    for (const error of [new Error('reset'), undefined, null, 'no', { headers: { 'retry-after': '3' } }])
      expect(await told(() => Promise.reject(error))).toEqual([undefined]);
  });

  test('does so for whoever calls with a client of their own', () => {
    expect(httpClassifier.retryAfter!(answering(503)())).toBe(7000);
    expect(httpClassifier.retryAfter!(ok({ url: '', init: {} }, 1))).toBeUndefined();
  });
});
