/**
 * As much of vitest as the tests here use, with its own `expect`: a test is a function in a list, which can be run
 * again and again without a process, a thread or a module loaded anew.
 */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect';
import fc from 'fast-check';

// A mutant is dead when a property fails, however small its counterexample.
fc.configureGlobal({ endOnFailure: true });

const registry = globalThis.fairleadTests;

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);
export const expect = (value, message) => chai.expect(value, message);
Object.assign(expect, chai.expect, globalThis[ASYMMETRIC_MATCHERS_OBJECT]);
setState({}, expect);
globalThis[GLOBAL_EXPECT] = expect;

const path = [];

export function describe(name, body) {
  path.push(name);
  body();
  path.pop();
}

export function test(name, body) {
  if (typeof body !== 'function') throw new Error(`${name}: only test(name, function) is known here`);
  const id = [registry.file, ...path, name].join(' > ');
  const again = registry.seen.get(id) ?? 0;
  registry.seen.set(id, again + 1);
  registry.tests.push({ id: again === 0 ? id : `${id} (${again})`, file: registry.file, body });
}

const each = one => rows => (name, body) => {
  for (const row of rows) {
    const given = Array.isArray(row) ? row : [row];
    const title = given.reduce((text, value) => text.replace('%s', () => String(value).slice(0, 80)), name);
    one(title, () => body(...given));
  }
};
describe.each = each(describe);
test.each = each(test);
export const it = test;
