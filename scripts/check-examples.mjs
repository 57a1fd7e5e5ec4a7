// Runs every example against dist, compiles what the README shows, and holds what it shows of examples against them.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, demand, report, run } from './checks.mjs';

const MOST_LINES = 40;
const SECONDS = 20;
const MARK = / from 'fairlead/;

const root = fileURLToPath(new URL('..', import.meta.url));

for (const path of [...(await examplesIn('examples')), ...(await examplesIn('examples/resilience'))]) {
  await check(path, async () => {
    const lines = (await readFile(join(root, path), 'utf8')).trimEnd().split('\n').length;
    demand(lines <= MOST_LINES, `it has ${lines} lines, not ${MOST_LINES} at most`);
    const { stderr } = await run(process.execPath, [path], { cwd: root, seconds: SECONDS });
    demand(stderr === '', stderr);
    return `${lines} lines`;
  });
}

const blocks = blocksOf(await readFile(join(root, 'README.md'), 'utf8'));
await check('the code that README.md shows', async () => {
  demand(
    blocks.some(({ text }) => MARK.test(text)),
    'there is none',
  );
  // Inside the package, so that its own name leads to its dist.
  await mkdir(join(root, '.tmp'), { recursive: true });
  const folder = await mkdtemp(join(root, '.tmp', 'readme-'));
  try {
    // Parts of examples are no whole, and those are run.
    await compile(
      folder,
      blocks.filter(({ file }) => file === undefined),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
  return `${blocks.length} blocks`;
});
await check('the examples that README.md shows parts of', async () => {
  const parts = blocks.filter(({ file }) => file !== undefined);
  for (const { text, file, line } of parts) {
    let rest = await readFile(join(root, file), 'utf8');
    for (const paragraph of text.trimEnd().split('\n\n')) {
      const at = `\n${rest}\n`.indexOf(`\n${paragraph}\n`);
      demand(
        at >= 0,
        `README.md, line ${line}: ${file} has no such lines, or not in this order:\n${paragraph}`,
      );
      rest = rest.slice(at + paragraph.length);
    }
  }
  return `${parts.length} blocks`;
});
report();

/** Those of a folder, but for what others import. */
async function examplesIn(folder) {
  const names = (await readdir(join(root, folder))).filter(
    name => name.endsWith('.mjs') && name !== 'servers.mjs',
  );
  return names.sort().map(name => join(folder, name));
}

/**
 * The blocks of JavaScript and TypeScript in a Markdown text, each with the line it begins at, and the file it is from if
 * it names one after the language: then each of its paragraphs is to be found there as it is.
 */
function blocksOf(markdown) {
  return [...markdown.matchAll(/^```(js|ts)(?: (\S+))?\n(.*?)^```$/gms)].map(
    ({ 1: language, 2: file, 3: text, index }) => ({
      language,
      file,
      text,
      line: markdown.slice(0, index).split('\n').length + 1,
    }),
  );
}

/** Those that import the package are checked for types; of the others, which go on from those, only the syntax. */
async function compile(folder, blocks) {
  for (const { language, text, line } of blocks) {
    const unchecked = MARK.test(text) ? '' : '// @ts-nocheck';
    await writeFile(
      join(folder, `line-${line}.m${language}`),
      `${unchecked}${'\n'.repeat(line - 1)}${text}export {};\n`,
    );
  }
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'dom'],
    types: ['node'],
    strict: true,
    noImplicitAny: false,
    allowJs: true,
    checkJs: true,
    noEmit: true,
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  await run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder], { cwd: folder });
}
