// Runs every example against dist, and compiles what the README shows.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, demand, report, run } from './checks.mjs';

const MOST_LINES = 40;
const SECONDS = 20;
const MARK = / from 'fairlead/;

const root = fileURLToPath(new URL('..', import.meta.url));

for (const name of (await readdir(join(root, 'examples'))).filter(name => name.endsWith('.mjs')).sort()) {
  const path = join('examples', name);
  await check(path, async () => {
    const lines = (await readFile(join(root, path), 'utf8')).trimEnd().split('\n').length;
    demand(lines <= MOST_LINES, `it has ${lines} lines, not ${MOST_LINES} at most`);
    const { stderr } = await run(process.execPath, [path], { cwd: root, seconds: SECONDS });
    demand(stderr === '', stderr);
    return `${lines} lines`;
  });
}

await check('the code that README.md shows', async () => {
  const blocks = blocksOf(await readFile(join(root, 'README.md'), 'utf8'));
  demand(
    blocks.some(({ text }) => MARK.test(text)),
    'there is none',
  );
  // Inside the package, so that its own name leads to its dist.
  await mkdir(join(root, '.tmp'), { recursive: true });
  const folder = await mkdtemp(join(root, '.tmp', 'readme-'));
  try {
    await compile(folder, blocks);
  } finally {
    await rm(folder, { recursive: true });
  }
  return `${blocks.length} blocks`;
});
report();

/** The blocks of JavaScript and TypeScript in a Markdown text, each with the line it begins at. */
function blocksOf(markdown) {
  return [...markdown.matchAll(/^```(js|ts)\n(.*?)^```$/gms)].map(({ 1: language, 2: text, index }) => ({
    language,
    text,
    line: markdown.slice(0, index).split('\n').length + 1,
  }));
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
