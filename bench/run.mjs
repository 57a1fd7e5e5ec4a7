import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PARTS = ['pick', 'call', 'update', 'spread', 'breaker', 'hash', 'turns', 'simulate', 'heap'];
const asked = process.argv.slice(2);
const unknown = asked.find(part => !PARTS.includes(part));
if (unknown !== undefined) throw new Error(`no part ${unknown}; there are ${PARTS.join(', ')}`);

console.log(`Node ${process.versions.node}. CPU time, medians of interleaved rounds; bytes are of heap.`);
// Each in a process of its own: code that has run with many kinds of objects is slower than in any real program.
for (const part of asked.length > 0 ? asked : PARTS) {
  const file = fileURLToPath(new URL(`${part}.mjs`, import.meta.url));
  const { status } = spawnSync(process.execPath, ['--expose-gc', file], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
