// Uses the built package (`npm run build`) on other runtimes, from their npm packages: a line each.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { connect, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, report, run } from './checks.mjs';

const BUN = '1.4.5';
const DENO = '2.9.6';
const WORKERD = '1.20260426.1';

const folder = fileURLToPath(new URL('runtimes', import.meta.url));
const main = join(folder, 'main.mjs');

const listening = server => new Promise(resolve => server.listen(0, '127.0.0.1', resolve));

/** Says what it was asked; but leaves /hang unanswered, and /drip unfinished. */
const good = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  if (request.url === '/drip') response.write('drip');
  else if (request.url !== '/hang') response.end(`${request.method} ${request.url} ${body}`);
});
await listening(good);

// The port of a connection that goes out is nobody else's, and refuses those that come in.
const other = createSocketServer();
await listening(other);
const holder = connect(other.address().port, '127.0.0.1');
await new Promise(resolve => holder.once('connect', resolve));

const servers = { dead: `127.0.0.1:${holder.localPort}`, good: `127.0.0.1:${good.address().port}` };
const addresses = Object.values(servers);
const work = await mkdtemp(join(tmpdir(), 'fairlead-runtimes-'));

const said = async (program, ...parameters) =>
  (await run(program, parameters, { cwd: folder })).stdout.trim();
const npx = (packageName, ...parameters) => said('npx', '-y', packageName, ...parameters);

try {
  await check(`Node ${process.versions.node}`, () => said(process.execPath, main, ...addresses));
  await check(`Bun ${BUN}`, () => npx(`bun@${BUN}`, main, ...addresses));
  await check(`Deno ${DENO}`, () =>
    npx(`deno@${DENO}`, 'run', '--no-lock', '--allow-net', '--no-prompt', main, ...addresses),
  );
  await check(`workerd ${WORKERD}`, async () => {
    await bundleWorker();
    return npx(`workerd@${WORKERD}`, 'test', join(work, 'config.capnp'));
  });
} finally {
  await rm(work, { recursive: true, force: true });
  holder.destroy();
  other.close();
  good.close().closeAllConnections();
}
report();

/** One module, the WebAssembly it imports, and the file that tells workerd of both. */
async function bundleWorker() {
  const { build } = createRequire(createRequire(import.meta.url).resolve('tsup'))('esbuild');
  await build({
    entryPoints: [join(folder, 'worker.mjs')],
    outfile: join(work, 'worker.mjs'),
    bundle: true,
    format: 'esm',
    conditions: ['workerd'],
    loader: { '.wasm': 'copy' },
    assetNames: '[name]',
  });
  const bindings = Object.entries(servers).map(([name, text]) => `(name = "${name}", text = "${text}")`);
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["private"])),
  ],
);
const main :Workerd.Worker = (
  modules = [
    (name = "worker.mjs", esModule = embed "worker.mjs"),
    (name = "xxhash.wasm", wasm = embed "xxhash.wasm"),
  ],
  bindings = [${bindings}],
  compatibilityDate = "2026-01-01",
);
`;
  await writeFile(join(work, 'config.capnp'), config);
}
