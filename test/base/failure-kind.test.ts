import { expect, test } from 'vitest';
import { kindOf } from '../../src/base/failure-kind.ts';

const coded = (fields: object, cause?: unknown): Error =>
  Object.assign(new Error('no', cause === undefined ? undefined : { cause }), fields);

test.each([
  ['connect', coded({ code: 'ECONNREFUSED', syscall: 'connect' })],
  ['connect', coded({ code: 'ETIMEDOUT', syscall: 'connect' })],
  ['connect', coded({ code: 'ETIMEDOUT', errors: [coded({ code: 'ETIMEDOUT', syscall: 'connect' })] })],
  ['connect', coded({ code: 'ENOTFOUND', syscall: 'getaddrinfo' })],
  ['connect', coded({ code: 'ETIMEOUT', syscall: 'queryA' })],
  ['connect', new TypeError('fetch failed', { cause: coded({ code: 'UND_ERR_CONNECT_TIMEOUT' }) })],
  ['connect', coded({ code: 'ConnectionRefused' })],
  ['timeout', coded({ code: 'ETIMEDOUT', syscall: 'read' })],
  ['timeout', coded({ code: 'ETIMEDOUT', errors: [] })],
  ['timeout', coded({ code: 'ESOCKETTIMEDOUT' })],
  ['timeout', new TypeError('fetch failed', { cause: coded({ code: 'UND_ERR_HEADERS_TIMEOUT' }) })],
  ['timeout', new DOMException('late', 'TimeoutError')],
  ['timeout', coded({}, new DOMException('late', 'TimeoutError'))],
  ['error', coded({ code: 'ECONNRESET', syscall: 'read' })],
  ['error', coded({ code: 'EHOSTUNREACH', syscall: 'write' })],
  ['error', coded({ code: 14 })],
  ['error', new Error('no')],
  ['error', 'no'],
  ['error', null],
  ['error', undefined],
])('%s: %s', (kind, error) => {
  expect(kindOf(error)).toBe(kind);
});

test('an error that cannot be read, or that goes round in a circle, is an error', () => {
  const unreadable = {
    get code(): string {
      throw new Error('mine');
    },
  };
  expect(kindOf(unreadable)).toBe('error');
  const round: { cause?: unknown } = {};
  round.cause = round;
  expect(kindOf(round)).toBe('error');
});
