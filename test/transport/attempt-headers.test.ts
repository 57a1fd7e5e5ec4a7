import type { FetchOptions } from 'fairlead';
import { hedge, retry } from 'fairlead';
import { settled } from 'fairlead/testing';
import { describe, expect, test } from 'vitest';
import { watch } from '../helpers.ts';
import { type Answer, failing, faked, never, ok, type SomeHeaders, unavailable } from './fake.ts';

const NAMES = { attemptHeader: 'x-attempt', deadlineHeader: 'X-Deadline-Ms' } as const;

describe('what the server is told of an attempt', () => {
  test('is nothing by default: headers are the very ones that the caller gave', async () => {
    const { fetch, sent } = faked(failing(2));
    await fetch('/v1', { headers: { a: '1' } });
    expect(sent.map(({ init }) => init.headers)).toEqual([{ a: '1' }, { a: '1' }, { a: '1' }]);
  });

  test('is its number, and the time left of it, to the ms', async () => {
    const seen: unknown[] = [];
    const answer: Answer = ({ init }, n) => {
      const headers = new Headers(init.headers);
      seen.push([headers.get('x-attempt'), headers.get('x-deadline-ms')]);
      return n < 3 ? never({ url: '', init }, n) : ok({ url: '', init }, n);
    };
    const { fetch, clock } = faked(answer, { ...NAMES, timeout: 1000, attemptTimeout: 400.5 });
    const fate = watch(fetch('/v1'));
    await clock.advance(801);
    expect(fate.state).toBe('resolved');
    expect(seen).toEqual([
      ['1', '400'],
      ['2', '400'],
      ['3', '199'], // of the whole call: less than an attempt may take
    ]);
  });

  test('attempts side by side have numbers of their own', async () => {
    const { fetch, sent, clock } = faked(never, {
      ...NAMES,
      policies: [hedge({ delay: 10, ratio: 1, budget: false })],
    });
    watch(fetch('/v1'));
    await clock.advance(10);
    expect(sent.map(({ init }) => new Headers(init.headers).get('x-attempt'))).toEqual(['1', '2']);
  });

  test('is no time where there is no deadline, whatever the caller says', async () => {
    const { fetch, sent } = faked(ok, { ...NAMES, attemptTimeout: Infinity });
    await fetch('/v1', { headers: { 'x-deadline-ms': '5' } });
    expect([...new Headers(sent[0]!.init.headers)]).toEqual([['x-attempt', '1']]);
  });

  test('is never 0 ms, which to some would mean for ever', async () => {
    const { fetch, sent } = faked(ok, { ...NAMES, attemptTimeout: 0.5 });
    await fetch('/v1');
    expect(new Headers(sent[0]!.init.headers).get('x-deadline-ms')).toBe('1');
  });

  test.each<[string, SomeHeaders]>([
    ['a record', { 'X-ATTEMPT': '9', a: '1' }],
    [
      'pairs',
      [
        ['x-attempt', '9'],
        ['a', '1'],
      ],
    ],
    ['Headers', new Headers({ 'x-attempt': '9', a: '1' })],
  ])('replaces what the caller said by that name, in %s, which stays as it is', async (_, headers) => {
    const before = [...new Headers(headers)];
    const { fetch, sent } = faked(unavailable, { ...NAMES, policies: [retry({ attempts: 2 })] });
    await fetch('/v1', { headers });
    expect(sent.map(({ init }) => [...new Headers(init.headers)])).toEqual(
      ['1', '2'].map(n => [
        ['a', '1'],
        ['x-attempt', n],
        ['x-deadline-ms', '10000'],
      ]),
    );
    expect([...new Headers(headers)]).toEqual(before);
  });

  test('either goes without the other', async () => {
    const { fetch, sent } = faked(ok, { attemptHeader: 'x-attempt' });
    await fetch(new Request('http://users/', { headers: { a: '1' } }));
    expect([...new Headers(sent[0]!.init.headers)]).toEqual([
      ['a', '1'],
      ['x-attempt', '1'],
    ]);
    const other = faked(ok, { deadlineHeader: 'x-deadline-ms' });
    await other.fetch('/v1');
    expect([...new Headers(other.sent[0]!.init.headers)]).toEqual([['x-deadline-ms', '10000']]);
  });

  test('a bad header of the caller is still the mistake of the caller, and nobody else is blamed', async () => {
    const { fetch, outcomes } = faked(ok, NAMES);
    await expect(fetch('/v1', { headers: { 'no header': '1' } })).rejects.toBeInstanceOf(TypeError);
    await settled();
    expect(outcomes()).toEqual(['ignored']);
  });

  test.each<[Partial<FetchOptions>, RegExp]>([
    [{ attemptHeader: '' }, /^attemptHeader is ""/],
    [{ attemptHeader: 'x attempt' }, /^attemptHeader is "x attempt"/],
    [{ attemptHeader: 'x:attempt' }, /^attemptHeader is/],
    [{ attemptHeader: 'tätig' }, /^attemptHeader is/],
    [{ deadlineHeader: 5 as unknown as string }, /^deadlineHeader is 5/],
    [{ deadlineHeader: null as unknown as string }, /^deadlineHeader is null/],
    [{ deadlineHeader: 'a\r\nb' }, /^deadlineHeader is/],
  ])('a name that is none is refused (%o)', (options, message) => {
    expect(() => faked(ok, options)).toThrow(message);
  });
});
