// A storm over real sockets: servers that are killed, stopped, refuse, lie, break off and are slow, a registry that comes
// and goes, and a caller that must not notice. Needs the package as built. `--seed 7` makes another storm; `--all` shows
// every fault and every call that failed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killAll } from './chaos/children.mjs';
import { LONGEST } from './chaos/settings.mjs';
import { storm } from './chaos/storm.mjs';
import { judge } from './chaos/verdict.mjs';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, all: { type: 'boolean' } },
});
const seed = Number(values.seed);

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
const folder = mkdtempSync(join(tmpdir(), 'fairlead-chaos-'));
process.on('exit', () => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});
const late = setTimeout(() => {
  console.error(`chaos: not over after ${LONGEST / 1000} s`);
  console.log('chaos: 0 passed, 1 failed');
  process.exit(1);
}, LONGEST);
let failed = 1;
try {
  console.log(`chaos: seed ${seed}`);
  const bars = await judge(await storm(seed, folder, values.all ? console.log : () => {}), values.all);
  for (const { name, met, says } of bars) console.log(`${met ? 'ok    ' : 'MISSED'} ${name}: ${says}`);
  failed = bars.filter(({ met }) => !met).length;
  console.log(`chaos: ${bars.length - failed} passed, ${failed} failed`);
} catch (error) {
  console.error(error);
  console.log('chaos: 0 passed, 1 failed');
}
clearTimeout(late);
process.exit(failed === 0 ? 0 : 1);
