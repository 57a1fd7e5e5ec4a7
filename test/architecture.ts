import { dirname, join } from 'node:path/posix';
import ts from 'typescript';

/** The rooms of each floor, from the ground up: a folder's name ends in a slash, others are files. */
const floors = [
  ['base/'],
  ['model/'],
  ['balancer/', 'breaker/', 'health/', 'discovery/', 'policy/'],
  ['pool-options.ts'],
  ['explain.ts', 'membership.ts', 'runner.ts'],
  ['pool.ts'],
  ['client.ts'],
  ['transport/', 'registry/', 'observe/', 'testing/', 'hash/', 'dialect/'],
  ['create-fetch.ts', 'core.ts', 'index.ts'],
];
const CORE = 6;
const TOP = 8;

/** What a room may import from outside the package. The core imports nothing. */
const outside: Readonly<Record<string, RegExp>> = {
  'hash/': /^xxhash-wasm$/,
  'observe/': /^eventemitter3$/,
  'registry/': /^node:/,
  'testing/': /^fast-check$/,
  'transport/': /^node:net$/,
};

/** The one file that may touch time and chance, and declare globals of the platform. */
const ENVIRONMENT = 'base/env.ts';
const TAKEN_FROM_ENVIRONMENT = new Set(['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate']);

interface Import {
  readonly specifier: string;
  /** The path of the imported file, or nothing if it is outside the package. */
  readonly path: string | undefined;
  /** Erased by the compiler, so that nothing is loaded. */
  readonly typeOnly: boolean;
}

interface Reading {
  readonly imports: readonly Import[];
  readonly complaints: readonly string[];
}

/** Where the sources, texts by path, break the rules of the architecture: a line each, none if nowhere. */
export function violations(sources: ReadonlyMap<string, string>): string[] {
  const files = new Map([...sources].map(([path, text]) => [path, read(path, text)]));
  const found: string[] = [];
  for (const [path, { imports, complaints }] of files) {
    for (const complaint of complaints) found.push(`${path} ${complaint}`);
    for (const each of imports) {
      const complaint = judge(path, each, files);
      if (complaint !== undefined) found.push(`${path} imports ${each.specifier}: ${complaint}`);
    }
    if (place(path) === undefined) found.push(`${path} is on no floor`);
  }
  for (const path of reachable('index.ts', files)) {
    const node = files.get(path)?.imports.find(({ specifier }) => specifier.startsWith('node:'));
    if (node)
      found.push(`index.ts reaches ${node.specifier} through ${path}: the root runs outside Node, too`);
  }
  return [...found, ...cycles(files)];
}

/** All that a file loads, itself included. */
function reachable(from: string, files: ReadonlyMap<string, Reading>): Set<string> {
  const seen = new Set([from]);
  for (const path of seen) {
    for (const { path: next } of files.get(path)?.imports ?? []) if (next !== undefined) seen.add(next);
  }
  return seen;
}

function place(path: string): { floor: number; room: string } | undefined {
  for (const [floor, rooms] of floors.entries()) {
    const room = rooms.find(room => (room.endsWith('/') ? path.startsWith(room) : path === room));
    if (room !== undefined) return { floor, room };
  }
  return undefined;
}

function judge(path: string, { specifier, path: target }: Import, files: ReadonlyMap<string, Reading>) {
  const here = place(path);
  if (here === undefined) return undefined;
  if (target === undefined) {
    if (here.floor <= CORE || here.room === 'core.ts') return 'the core imports nothing from outside';
    return outside[here.room]?.test(specifier) ? undefined : `${here.room} may not import that from outside`;
  }
  if (!files.has(target)) return 'no such file';
  const there = place(target);
  if (there === undefined || there.room === here.room) return undefined;
  if (here.room === 'core.ts') return there.floor <= CORE ? undefined : 'it is not of the core';
  if (there.floor < here.floor || here.floor === TOP) return undefined;
  return there.floor > here.floor ? 'it is on a floor above' : 'it is another room of the same floor';
}

/** Files that load each other. Types may refer to each other within a room: nothing of them is loaded. */
function cycles(files: ReadonlyMap<string, Reading>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push(`${[...trail.slice(start), path].join(' -> ')} is a cycle`);
    if (start >= 0 || done.has(path)) return;
    for (const { path: next, typeOnly } of files.get(path)?.imports ?? []) {
      if (next !== undefined && !typeOnly) walk(next, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of files.keys()) walk(path, []);
  return found;
}

function read(path: string, text: string): Reading {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const complaints: string[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier === undefined) return;
    if (!ts.isStringLiteralLike(specifier)) return void complaints.push('imports something computed');
    const relative = specifier.text.startsWith('.');
    const target = relative ? join(dirname(path), specifier.text) : undefined;
    imports.push({ specifier: specifier.text, path: target, typeOnly });
  };
  for (const { fileName } of source.typeReferenceDirectives)
    complaints.push(`refers to the types of ${fileName}`);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly ?? false);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node))
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node, true);
    else if (ts.isExternalModuleReference(node)) add(node.expression, false);
    else if (isImportCall(node)) add(node.arguments[0], false);
    const complaint = complaintAbout(node);
    if (complaint !== undefined && path !== ENVIRONMENT) complaints.push(complaint);
    if (isDefaultExport(node)) complaints.push('has a default export');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { imports, complaints };
}

function isImportCall(node: ts.Node): node is ts.CallExpression {
  if (!ts.isCallExpression(node)) return false;
  const { expression } = node;
  return (
    expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(expression) && expression.text === 'require')
  );
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true;
  if (ts.isExportSpecifier(node)) return node.name.text === 'default';
  return node.kind === ts.SyntaxKind.DefaultKeyword && ts.isStatement(node.parent);
}

/** What a node has no business to do outside `base/env.ts`. */
function complaintAbout(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.DeclareKeyword) return 'declares something of the platform';
  if (!ts.isIdentifier(node)) return undefined;
  const { parent, text } = node;
  const property = ts.isPropertyAccessExpression(parent) && parent.name === node;
  if (property) {
    const owner = parent.expression.getText();
    if (owner === 'Math' && text === 'random') return 'takes Math.random';
    if (owner === 'AbortSignal' && (text === 'any' || text === 'timeout')) return `takes AbortSignal.${text}`;
    if (owner !== 'globalThis') return undefined;
  }
  if (TAKEN_FROM_ENVIRONMENT.has(text)) return `takes ${text}`;
  if (text === 'Math' && !property && !ts.isPropertyAccessExpression(parent)) return 'takes Math as a whole';
  return undefined;
}
