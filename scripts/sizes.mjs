// What a bundler makes of an import: bytes, of what files, and what packages are left to import.
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

// esbuild comes with tsup: the very one that builds the package.
const { build } = createRequire(createRequire(import.meta.url).resolve('tsup'))('esbuild');

/** Bundles a module's text as it stands in `folder`, leaving other packages out. */
export async function bundle(text, folder) {
  const result = await build({
    stdin: { contents: text, resolveDir: folder, loader: 'ts' },
    bundle: true,
    minify: true,
    treeShaking: true,
    format: 'esm',
    target: 'es2022',
    external: ['node:*', 'eventemitter3', 'xxhash-wasm', 'fast-check'],
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const [{ contents }] = result.outputFiles;
  const [{ inputs, imports }] = Object.values(result.metafile.outputs);
  return {
    minified: contents.length,
    gzipped: gzipSync(contents, { level: 9 }).length,
    packages: imports.filter(({ external }) => external).map(({ path }) => path),
    inputs: Object.entries(inputs)
      .map(([path, { bytesInOutput }]) => ({ path, bytes: bytesInOutput }))
      .sort((a, b) => b.bytes - a.bytes),
  };
}
