// Packs the package and uses it as others will: installed from its tarball, on every Node and by every compiler
// set-up it is for.
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, demand, report, run } from './checks.mjs';
import { bundle } from './sizes.mjs';

const NODES = [20, 22, 24, 26];
const ENTRIES = [
  'fairlead',
  'fairlead/core',
  'fairlead/dns',
  'fairlead/dialects',
  'fairlead/tcp',
  'fairlead/testing',
];
const DEPENDENCIES = ['eventemitter3', 'xxhash-wasm'];
const IMPORTS = {
  index: DEPENDENCIES,
  core: [],
  dns: ['node:dns/promises', 'node:net'],
  dialects: [],
  tcp: ['node:net'],
  testing: [],
};
const CORE_LIMIT = 9800; // decision 18

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = name => join(root, 'node_modules', '.bin', name);
const work = await mkdtemp(join(tmpdir(), 'fairlead-package-'));
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
let tarball;

/** A project with nothing in it but the package, packages it names, and files of `consumer`. */
async function project(name, { type = 'module', packages = [], files = {} } = {}) {
  const folder = join(work, name);
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, private: true, type }));
  await run('npm', ['install', '--no-audit', '--no-fund', tarball, ...packages], { cwd: folder });
  for (const [to, from] of Object.entries(files)) {
    await copyFile(join(root, 'scripts', 'consumer', from), join(folder, to));
  }
  return folder;
}

async function installedIn(folder) {
  const names = await readdir(join(folder, 'node_modules'));
  return names.filter(name => !name.startsWith('.')).sort();
}

async function nodeOf(major) {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const { stdout } = await run('npx', ['-y', '-p', `node@${major}`, 'node', '-p', 'process.execPath'], {
    cwd: work,
  });
  return stdout.trim();
}

const kilobytes = bytes => `${(bytes / 1000).toFixed(2)} kB`;
const sizes = ({ minified, gzipped }) => `${kilobytes(minified)} min, ${kilobytes(gzipped)} gzip`;

try {
  await check('builds', () => run(bin('tsup'), ['--silent'], { cwd: root }).then(() => {}));

  const packed = await check('packs dist and nothing of src', async () => {
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', work], {
      cwd: root,
    });
    const [{ filename, files, size }] = JSON.parse(stdout);
    const strange = files
      .map(({ path }) => path)
      .filter(path => !/^(dist\/[^/]+\.(js|cjs|d\.ts|d\.cts|map)|package\.json|[A-Z]+(\.md)?)$/.test(path));
    demand(strange.length === 0, `the tarball holds ${strange.join(', ')}`);
    tarball = join(work, filename);
    return `${files.length} files, ${kilobytes(size)}`;
  });
  if (packed) await checkTarball();
} finally {
  await rm(work, { recursive: true, force: true });
}
report();

async function checkTarball() {
  await check('publint --strict', () => run(bin('publint'), ['run', tarball, '--strict']).then(() => {}));

  await check('are the types wrong, every entry', () =>
    run(bin('attw'), [tarball, '--profile', 'node16', '--no-definitely-typed', '--no-emoji']).then(() => {}),
  );

  let esm;
  await check('installs in an empty project with its two dependencies and nothing else', async () => {
    const files = { 'esm.mjs': 'esm.mjs', 'calls.mjs': 'calls.mjs' };
    esm = await project('esm', { files });
    const installed = await installedIn(esm);
    demand(
      String(installed) === String([...DEPENDENCIES, 'fairlead'].sort()),
      `there are ${installed.join(', ')}`,
    );
  });
  if (esm === undefined) return;
  const dist = join(esm, 'node_modules', 'fairlead', 'dist');

  await check('holds no code of others', async () => {
    const maps = (await readdir(dist)).filter(name => name.endsWith('.map'));
    demand(maps.length > 0, 'there are no source maps to tell by');
    for (const name of maps) {
      const { sources } = JSON.parse(await readFile(join(dist, name), 'utf8'));
      const foreign = sources.filter(source => !source.startsWith('../src/'));
      demand(foreign.length === 0, `${name} was made of ${foreign.join(', ')}`);
    }
  });

  for (const [entry, allowed] of Object.entries(IMPORTS)) {
    await check(`${entry} imports ${allowed.join(', ') || 'nothing'}`, async () => {
      for (const kind of ['js', 'cjs']) {
        const { packages } = await bundle(`export * from './${entry}.${kind}'`, dist);
        const strange = packages.filter(name => !allowed.includes(name));
        demand(strange.length === 0, `${entry}.${kind} imports ${strange.join(', ')}`);
        const missing = allowed.filter(name => !packages.includes(name));
        demand(missing.length === 0, `${entry}.${kind} does not import ${missing.join(', ')}`);
      }
    });
  }

  for (const entry of ENTRIES) {
    await check(`size of ${entry}`, async () => sizes(await bundle(`export * from '${entry}'`, esm)));
  }
  await check('size of a client, a balancer and a fixed list from the core', async () =>
    sizes(await bundle(`export { createClient, fixed, roundRobin } from 'fairlead/core'`, esm)),
  );
  await check(`size of the core with one balancer, under ${kilobytes(CORE_LIMIT)} gzip`, async () => {
    const text = `export { Call, Pool, roundRobin } from 'fairlead/core'`;
    const size = await bundle(text, esm);
    if (size.gzipped < CORE_LIMIT) return sizes(size);
    const { inputs } = await bundle(text.replace('fairlead/core', './src/core.ts'), root);
    throw new Error(
      [sizes(size), ...inputs.slice(0, 10).map(({ path, bytes }) => `${bytes} B of ${path}`)].join('\n'),
    );
  });

  const files = { 'cjs.cjs': 'cjs.cjs', 'calls.mjs': 'calls.mjs' };
  const cjs = await project('cjs', { type: 'commonjs', files });
  for (const major of NODES) {
    let node;
    if (!(await check(`Node ${major} is to be had`, async () => void (node = await nodeOf(major))))) continue;
    await check(`import and calls on Node ${major}`, () => quietly(node, ['esm.mjs'], esm));
    await check(`require and calls on Node ${major}`, () => quietly(node, ['cjs.cjs'], cjs));
  }

  const types = `@types/node@${manifest.devDependencies['@types/node']}`;
  const typed = await project('types', {
    packages: [types],
    files: {
      'types.mts': 'types.ts',
      'types.cts': 'types.ts',
      'node.mts': 'node.mts',
      'required.cts': 'required.cts',
    },
  });
  for (const [module, moduleResolution] of Object.entries({
    node16: 'node16',
    nodenext: 'nodenext',
    preserve: 'bundler',
  })) {
    await check(`types of ESM and CommonJS, resolved as ${moduleResolution}`, () =>
      compile(typed, ['types.mts', 'types.cts', 'node.mts', 'required.cts'], {
        module,
        moduleResolution,
        types: ['node'],
      }),
    );
  }
  const browser = await project('browser', { files: { 'types.ts': 'types.ts' } });
  await check('types in a browser, without those of Node', () =>
    compile(browser, ['types.ts'], { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'] }),
  );
}

/** Runs a script that must end by itself and write nothing, no warning either. */
async function quietly(node, parameters, cwd) {
  const { stdout, stderr } = await run(node, parameters, { cwd, seconds: 30 });
  demand(stdout + stderr === '', stdout + stderr);
}

async function compile(cwd, files, compilerOptions) {
  const common = {
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  const config = { compilerOptions: { lib: ['es2022'], types: [], ...common, ...compilerOptions }, files };
  await writeFile(join(cwd, 'tsconfig.json'), JSON.stringify(config));
  await run(bin('tsc'), ['-p', cwd]);
}
