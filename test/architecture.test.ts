import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { violations } from './architecture.ts';

const src = fileURLToPath(new URL('../src', import.meta.url));

const sources = new Map(
  readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => [path.split(sep).join('/'), readFileSync(join(src, path), 'utf8')]),
);

const house = `base/env.ts model/member.ts model/call.ts balancer/p2c.ts pool.ts
  transport/fetch.ts observe/emitter.ts`.split(/\s+/);

/** What is found in a house without fault when one file of it is written anew, or a file is added. */
function planted(path: string, text: string): string[] {
  const without = house.map(file => [file, ''] as const);
  return violations(new Map([...without, [path, text]]));
}

test('the sources keep to their floors, import nothing they may not, and take time and chance as given', () => {
  expect([...sources.keys()]).toEqual(
    expect.arrayContaining(['base/env.ts', 'pool.ts', 'core.ts', 'index.ts']),
  );
  expect(violations(sources)).toEqual([]);
});

describe('a breach is found', () => {
  test.each([
    ['base/x.ts', `import type { Call } from '../model/call.ts';`, 'on a floor above'],
    ['balancer/x.ts', `import { Pool } from '../pool.ts';`, 'on a floor above'],
    ['model/x.ts', `type P = import('../pool.ts').Pool;`, 'on a floor above'],
    ['policy/x.ts', `export * from '../balancer/p2c.ts';`, 'another room'],
    ['transport/x.ts', `await import('../observe/emitter.ts');`, 'another room'],
    ['core.ts', `export * from './transport/fetch.ts';`, 'not of the core'],
    ['model/x.ts', `import '../base/nowhere.ts';`, 'no such file'],
    ['cellar/x.ts', '', 'on no floor'],
    ['pool2.ts', '', 'on no floor'],

    ['core.ts', `export { EventEmitter } from 'eventemitter3';`, 'nothing from outside'],
    ['breaker/x.ts', `import { EventEmitter } from 'eventemitter3';`, 'nothing from outside'],
    ['base/x.ts', `import type { Socket } from 'node:net';`, 'nothing from outside'],
    ['pool.ts', `const { lookup } = require('dns');`, 'nothing from outside'],
    ['client.ts', 'await import(name);', 'something computed'],
    ['model/x.ts', '/// <reference types="node" />', 'types of node'],
    ['transport/x.ts', `import fc from 'fast-check';`, 'may not import that'],

    ['policy/x.ts', 'export const at = Date.now();', 'takes Date'],
    ['policy/x.ts', 'export const { now } = performance;', 'takes performance'],
    ['pool.ts', 'setTimeout(() => {}, 1);', 'takes setTimeout'],
    ['pool.ts', 'globalThis.setInterval(() => {}, 1);', 'takes setInterval'],
    ['balancer/x.ts', 'export const pick = () => Math.random();', 'takes Math.random'],
    ['balancer/x.ts', 'const { random } = Math;', 'takes Math as a whole'],
    ['policy/x.ts', 'export const f = (s: AbortSignal) => AbortSignal.any([s]);', 'takes AbortSignal.any'],
    ['policy/x.ts', 'export const late = () => AbortSignal.timeout(5);', 'takes AbortSignal.timeout'],
    ['model/x.ts', 'declare const process: { pid: number };', 'declares something'],

    ['model/x.ts', 'export default function x() {}', 'default export'],
    ['model/x.ts', 'export default 1;', 'default export'],
    ['model/x.ts', 'const x = 1;\nexport { x as default };', 'default export'],
  ])('%s: %s', (path, text, complaint) => {
    expect(planted(path, text)).toEqual([expect.stringContaining(complaint)]);
  });

  test('of the root reaching a module of Node through a registry', () => {
    const withNode = new Map([
      ['index.ts', `export { dns } from './registry/dns.ts';`],
      ['registry/dns.ts', `import { promises } from 'node:dns';`],
    ]);
    expect(violations(withNode)).toEqual([expect.stringContaining('index.ts reaches node:dns')]);
  });

  test('of files that load each other, however long the way round', () => {
    const round = new Map([
      ['base/a.ts', `import { b } from './b.ts';`],
      ['base/b.ts', `import { type C, c } from './c.ts';`],
      ['base/c.ts', `export { a } from './a.ts';`],
    ]);
    expect(violations(round)).toEqual(['base/a.ts -> base/b.ts -> base/c.ts -> base/a.ts is a cycle']);
  });
});

test.each([
  ['what is said in a comment', 'pool.ts', '// setTimeout, Date.now, export default\n/* AbortSignal.any( */'],
  ['what is said in a string', 'model/x.ts', `export const text = "import 'node:fs'; Math.random()";`],
  [
    'a method that happens to be called like a timer',
    'model/x.ts',
    'export const f = (s: S) => s.setTimeout(1);',
  ],
  ['arithmetic', 'model/x.ts', 'export const two = Math.max(1, 2);'],
  ['an import from below', 'breaker/x.ts', `import type { Member } from '../model/member.ts';`],
])('%s is no breach', (_, path, text) => {
  expect(planted(path, text)).toEqual([]);
});

test('types may refer to each other within a room', () => {
  const round = new Map([
    ['model/a.ts', `import { b } from './b.ts';`],
    ['model/b.ts', `import type { A } from './a.ts';`],
  ]);
  expect(violations(round)).toEqual([]);
});
