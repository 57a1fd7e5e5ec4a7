import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Running, serve } from './servers.ts';

/** The bundler that tsup brings. */
interface Bundler {
  build(options: object): Promise<unknown>;
}
const require = createRequire(import.meta.url);
const { build } = createRequire(require.resolve('tsup'))('esbuild') as Bundler;

let folder: string;
let server: Running;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-exit-'));
  await build({
    entryPoints: [fileURLToPath(new URL('leaver.ts', import.meta.url))],
    outfile: join(folder, 'leaver.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
  server = await serve((_, response) => response.end('hello'));
}, 60_000);

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

test.each([
  ['a client that polls', 'closed', 'done\n'],
  ['a client and the registry it follows', 'registry', 'done\n'],
  ['a client, and one whose call still waited for endpoints', 'waiting', 'CLOSED\ndone\n'],
  ['nothing, for all that waits is in the background', 'unclosed', 'done\n'],
])(
  'a process ends by itself, without a word of complaint, having closed %s',
  { timeout: 60_000 },
  async (_, plan, output) => {
    const child = spawn(process.execPath, [join(folder, 'leaver.mjs'), server.id, plan], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', text => (said += text));
    child.stderr.setEncoding('utf8').on('data', text => (said += text));
    const [code] = await once(child, 'close');
    expect({ code, said }).toEqual({ code: 0, said: output });
  },
);
