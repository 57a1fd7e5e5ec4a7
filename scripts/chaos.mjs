// A storm over real sockets: servers that are killed, stopped, refuse, lie, break off and are slow, a registry that comes
// and goes, and a caller that must not notice. Needs the package as built. `--seed 7` makes another storm, the same each
// time; `--rate 300` makes so many calls a second; `--all` shows every fault as it comes and every call that failed.
//
// On a machine that is busy with other things the run waits for a while until it is not, and then calls half as often. Where it was kept waiting for much
// of the time all the same, and a bar was missed, it is repeated, once: it showed how the machine is, and not how the library is.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killAll } from './chaos/children.mjs';
import { untilSpare } from './chaos/machine.mjs';
import { ENOUGH, FIT, LONGEST, RATE } from './chaos/settings.mjs';
import { storm } from './chaos/storm.mjs';
import { judge } from './chaos/verdict.mjs';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, rate: { type: 'string' }, all: { type: 'boolean' } },
});
const seed = Number(values.seed);
if (!Number.isInteger(seed)) throw new RangeError(`--seed is ${values.seed}, not a whole number`);
if (values.rate !== undefined && !(values.rate > 0))
  throw new RangeError(`--rate is ${values.rate}, not above 0`);

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

/** One run. Answers its bars, and whether the machine was fit for it. */
async function run(nth) {
  const share = await untilSpare(console.log);
  const rate = Number(values.rate ?? (share < ENOUGH ? RATE / 2 : RATE));
  console.log(
    `chaos: seed ${seed}, ${rate} calls a second (npm run test:chaos -- --seed ${seed} --rate ${rate}); ` +
      `a process gets ${(share * 100).toFixed(0)} % of a processor`,
  );
  const logs = mkdtempSync(join(folder, `${nth}-`));
  const seen = await storm({ seed, rate, folder: logs, say: values.all ? console.log : () => {} });
  const { bars, faults, stalled } = await judge(seen, values.all);
  for (const { name, met, says } of bars) console.log(`${met ? 'ok    ' : 'MISSED'} ${name}: ${says}`);
  const failed = bars.filter(({ met }) => !met).length;
  if (failed > 0) console.log(faults);
  return { passed: bars.length - failed, failed, stalled };
}

let failed = 1;
try {
  let result = await run(1);
  if (result.failed > 0 && result.stalled > FIT) {
    console.log(
      `this machine left processes waiting for ${(result.stalled * 100).toFixed(0)} % of the time: once more`,
    );
    result = await run(2);
  }
  ({ failed } = result);
  console.log(`chaos: ${result.passed} passed, ${failed} failed`);
} catch (error) {
  console.error(error);
  console.log('chaos: 0 passed, 1 failed');
}
clearTimeout(late);
process.exit(failed === 0 ? 0 : 1);
