import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    core: 'src/core.ts',
    dns: 'src/registry/dns.ts',
    dialects: 'src/dialect/index.ts',
    tcp: 'src/transport/tcp-check.ts',
    testing: 'src/testing/index.ts',
  },
  format: ['esm', 'cjs'],
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/, 'fast-check'],
  removeNodeProtocol: false,
  // Both: with splitting alone the CommonJS chunks go through sucrase, three times slower; without it each
  // entry would hold its own copy of every class.
  splitting: true,
  treeshake: true,
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  sourcemap: true,
  clean: true,
  tsconfig: 'tsconfig.build.json',
});
