import type { Endpoint } from 'fairlead/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readSet, sameEndpoint, sameSet } from '../../src/discovery/endpoints.ts';
import { endpoint } from '../helpers.ts';

const good = endpoint('good');

/** What is said of one endpoint among two good ones, and who is left. */
function reading(suspect: unknown): { said: string[]; ids: string[] } {
  const said: string[] = [];
  const set = readSet([good, suspect, endpoint('z')], error => said.push(error.message));
  return { said, ids: set.map(({ id }) => id) };
}

test.each<[string, unknown]>([
  ['has id undefined', {}],
  ['has id undefined', null],
  ['has id undefined', undefined],
  ['has id undefined', 'a:80'],
  ['has id undefined', 7],
  ['has id ""', endpoint('')],
  ['has id 7', { ...good, id: 7 }],
  ['has id [object Object]', { ...good, id: {} }],
  ['has host undefined', { id: 'x', port: 80 }],
  ['has host ""', { ...good, id: 'x', host: '' }],
  ['has host 10', { ...good, id: 'x', host: 10 }],
  ['has port undefined', { id: 'x', host: 'x' }],
  ['has port 0', { ...good, id: 'x', port: 0 }],
  ['has port -1', { ...good, id: 'x', port: -1 }],
  ['has port 65536', { ...good, id: 'x', port: 65_536 }],
  ['has port 80.5', { ...good, id: 'x', port: 80.5 }],
  ['has port NaN', { ...good, id: 'x', port: Number.NaN }],
  ['has port "80"', { ...good, id: 'x', port: '80' }],
  ['has weight NaN', { ...good, id: 'x', weight: Number.NaN }],
  ['has weight Infinity', { ...good, id: 'x', weight: Infinity }],
  ['has weight -1', { ...good, id: 'x', weight: -1 }],
  ['has weight "1"', { ...good, id: 'x', weight: '1' }],
  ['has weight null', { ...good, id: 'x', weight: null }],
  ['has zone 1', { ...good, id: 'x', zone: 1 }],
  ['has priority -1', { ...good, id: 'x', priority: -1 }],
  ['has priority 0.5', { ...good, id: 'x', priority: 0.5 }],
  ['has host "a.test/x?"', { ...good, id: 'x', host: 'a.test/x?' }],
  ['has host "ann@a.test"', { ...good, id: 'x', host: 'ann@a.test' }],
  ['repeats an id', { ...good, host: 'elsewhere' }],
])('an endpoint that %s is left out and named', (flaw, suspect) => {
  const { said, ids } = reading(suspect);
  expect(ids).toEqual(['good', 'z']);
  expect(said).toHaveLength(1);
  expect(said[0]).toContain('1 of 3 endpoints are unusable: endpoint 1 (id ');
  expect(said[0]).toContain(flaw);
});

test.each<[string, Partial<Endpoint>]>([
  ['weight 0', { weight: 0 }],
  ['a tiny weight', { weight: Number.MIN_VALUE }],
  ['a huge weight', { weight: Number.MAX_VALUE }],
  ['the lowest port', { port: 1 }],
  ['the highest port', { port: 65_535 }],
  ['an id like a built-in name', { id: '__proto__' }],
  ['everything', { weight: 2, zone: 'eu', priority: 1, metadata: { version: '2' } }],
])('an endpoint with %s is a good one', (_, fields) => {
  const { said, ids } = reading({ ...good, id: 'x', ...fields });
  expect(said).toEqual([]);
  expect(ids).toHaveLength(3);
});

test('half of a set may be unusable, more may not', () => {
  const bad = {};
  expect(readSet([good, bad], () => {})).toHaveLength(1);
  expect(() => readSet([good, bad, bad], () => {})).toThrow('2 of 3 endpoints are unusable');
  expect(readSet([], () => {})).toEqual([]);
});

test('a message names some of the culprits, not all of 100 000, and cuts what is long', () => {
  const id = 'x'.repeat(10_000);
  const set = Array.from({ length: 100_000 }, () => ({ id }));
  expect(() => readSet(set, () => {})).toThrow(/^100000 of 100000 endpoints are unusable: .{1,2000}$/);
});

test('what comes out is sorted, has each id once, and does not depend on the order of what came in', () => {
  const ids = fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 20 });
  fc.assert(
    fc.property(ids, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (all, chance) => {
      const set = all.map(id => ({ ...endpoint('x'), id }));
      const shuffled = set
        .map(each => ({ each, at: chance.next().value as number }))
        .sort((x, y) => x.at - y.at)
        .map(({ each }) => each);
      const read = readSet(set, () => {});
      expect(readSet(shuffled, () => {})).toEqual(read);
      expect(read.map(({ id }) => id)).toEqual([...all].sort());
    }),
  );
});

test('two sets are the same if nothing said of any endpoint differs', () => {
  const full: Endpoint = { ...good, weight: 2, zone: 'eu', priority: 1, metadata: { a: '1', b: '2' } };
  expect(sameEndpoint(full, { ...full, metadata: { b: '2', a: '1' } })).toBe(true);
  for (const other of [
    { id: 'x' },
    { host: 'x' },
    { port: 81 },
    { weight: 3 },
    { zone: 'us' },
    { priority: 2 },
    { metadata: { a: '1' } },
    { metadata: { a: '1', b: '3' } },
    { metadata: { a: '1', c: '2' } },
  ]) {
    expect(sameEndpoint(full, { ...full, ...other })).toBe(false);
  }
  expect(sameEndpoint(good, { ...good, weight: 1, priority: 0, metadata: {} })).toBe(true);
  expect(sameSet([good], [good, full])).toBe(false);
});
