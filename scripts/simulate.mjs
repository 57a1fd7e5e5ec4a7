// Simulates what issue and README promise, with the package as built: prints the tables, and writes them with plots to
// docs/simulation.md. `npm run simulate -- grey zones` prints these alone and writes nothing;
// with `SIMULATE_SEED=1` before it, from another seed.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

// esbuild comes with tsup: the very one that builds the package.
const { build } = createRequire(createRequire(import.meta.url).resolve('tsup'))('esbuild');
const root = fileURLToPath(new URL('..', import.meta.url));
const docs = join(root, 'docs');
const work = await mkdtemp(join(tmpdir(), 'fairlead-simulate-'));

try {
  await build({
    entryPoints: ['scenarios', 'report', 'worker'].map(name =>
      join(root, 'scripts', 'simulate', `${name}.ts`),
    ),
    outdir: work,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['fast-check'],
    alias: {
      fairlead: join(root, 'dist', 'index.js'),
      'fairlead/testing': join(root, 'dist', 'testing.js'),
    },
  });
  const load = name => import(pathToFileURL(join(work, name)).href);
  const { scenarios } = await load('scenarios.mjs');
  const { document } = await load('report.mjs');
  const asked = process.argv.slice(2);
  const unknown = asked.find(id => !scenarios.some(scenario => scenario.id === id));
  if (unknown !== undefined)
    throw new Error(`no scenario ${unknown}; there are ${scenarios.map(({ id }) => id).join(', ')}`);

  const chosen = [...scenarios.keys()].filter(i => asked.length === 0 || asked.includes(scenarios[i].id));
  const pages = await inThreads(chosen);
  if (asked.length === 0 && process.env.SIMULATE_SEED === undefined) {
    await rm(join(docs, 'simulation'), { recursive: true, force: true });
    await mkdir(join(docs, 'simulation'), { recursive: true });
    for (const [file, svg] of pages.flatMap(({ plots }) => plots))
      await writeFile(join(docs, 'simulation', file), svg);
    await writeFile(join(docs, 'simulation.md'), document(pages));
  }
  const missed = pages.reduce((sum, page) => sum + page.missed, 0);
  console.log(missed === 0 ? 'All bars are met.' : `${missed} bars are missed.`);
  process.exitCode = missed === 0 ? 0 : 1;
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Each scenario's page, as many at a time as there are processors; printed in their order, as soon as may be. */
async function inThreads(numbers) {
  const pages = new Map();
  const waiting = [...numbers];
  let printed = 0;
  const next = async () => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) {
      pages.set(number, await inThread(number));
      for (; pages.has(numbers[printed]); printed++) console.log(`${pages.get(numbers[printed]).text}\n`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, next));
  return numbers.map(number => pages.get(number));
}

function inThread(number) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(work, 'worker.mjs'), { workerData: number });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', code => reject(new Error(`the thread of scenario ${number} ended, ${code}`)));
  });
}
