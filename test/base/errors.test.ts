import { FairleadError } from 'fairlead/core';
import { expect, test } from 'vitest';
import { bad, checkFunction, checkNumber } from '../../src/base/errors.ts';

test.each([
  [0, 1, 5],
  [6, 1, 5],
  [Number.NaN, 1, 5],
  [Number.POSITIVE_INFINITY, 1, 5],
  [2.5, 1, 5],
])(
  'a whole number from 1 to 5 is not %d: a RangeError names the option, the value and the bounds',
  (value, least, most) => {
    const check = (): number => checkNumber('retry attempts', value, least, most, true);
    expect(check).toThrow(RangeError);
    expect(check).toThrow(
      `retry attempts is ${value}; it must be a whole number of at least 1 and at most 5`,
    );
  },
);

test.each([['5'], [null], [undefined], [5n], [{}], [Symbol('five')]])(
  '%o is no number: a TypeError',
  value => {
    const check = (): number => checkNumber('timeout', value as never, 1);
    expect(check).toThrow(TypeError);
    expect(check).toThrow('timeout is ');
  },
);

test('the bounds are part of the range, and the value comes back', () => {
  expect([checkNumber('n', 1, 1, 5), checkNumber('n', 5, 1, 5), checkNumber('n', Infinity, 1)]).toEqual([
    1,
    5,
    Infinity,
  ]);
});

test('what is not a function is named, and a function comes back', () => {
  expect(() => checkFunction('poll list', 'GET /')).toThrow(
    new TypeError('poll list is "GET /"; it must be a function'),
  );
  expect(checkFunction('f', test)).toBe(test);
});

test('a value that cannot be shown, or is very long, still makes an error', () => {
  const hostile = {
    toString() {
      throw new Error('no');
    },
  };
  expect(bad('key', hostile, 'a string').message).toContain('key is object');
  expect(bad('key', Object.create(null), 'a string').message).toContain('key is object');
  expect(bad('port', 'x'.repeat(1e6), 'a number').message.length).toBeLessThan(200);
});

test('an error of ours has a code, the attempts made, and its cause', () => {
  const attempts = [{ endpoint: 'a', outcome: 'failure', elapsed: 3 }] as const;
  const error = new FairleadError('TIMEOUT', 'too late', { attempts, cause: 'why' });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'FairleadError',
    code: 'TIMEOUT',
    message: 'too late',
    attempts,
    cause: 'why',
  });
  expect(new FairleadError('CLOSED', 'closed')).toMatchObject({ attempts: [] });
  expect('cause' in new FairleadError('CLOSED', 'closed')).toBe(false);
});
