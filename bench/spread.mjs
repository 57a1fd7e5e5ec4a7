import { setTimeout as sleep } from 'node:timers/promises';
import { createRing } from '../dist/core.js';
import { digits, measure, median, print, time } from './measure.mjs';
import { endpointsOf } from './members.mjs';

const POINTS = [20, 40, 80, 160, 320, 640];
const SIZES = [10, 100, 1000];
const keys = Array.from({ length: 4096 }, (_, i) => `user:${i * 7919}`);

/** Names as people give them: what a ring makes of them must not depend on their pattern. */
const NAMES = [
  i => `10.0.${i >> 8}.${i & 255}:8080`,
  i => `users-${i}`,
  i => `users-7d9f8b6c5-${((i * 2654435761) >>> 0).toString(36)}`,
  i => `http://node${i}.rack${i % 12}.example.com:80/`,
  i => `i-${i.toString(16).padStart(17, '0')}`,
  i => String(i),
];

for (const size of SIZES) {
  const rows = [['points', 'largest / mean', 'smallest / mean', 'deviation', 'bytes', 'look-up', 'build']];
  const operations = {};
  for (const points of POINTS) {
    const ids = endpointsOf(size).map(({ id }) => id);
    const ring = createRing(ids, { points });
    operations[`find ${points}`] = i => ring.get(keys[i & 4095]);
    operations[`build ${points}`] = () => createRing(ids, { points });
  }
  const results = await measure(operations, { rounds: 5, ms: 8 });
  for (const points of POINTS) {
    const found = NAMES.map(name =>
      spread(
        Array.from({ length: size }, (_, i) => name(i)),
        points,
      ),
    );
    const over = key => digits(median(found.map(one => one[key])));
    rows.push([
      points,
      over('largest'),
      over('smallest'),
      `${digits(100 * median(found.map(one => one.deviation)))} %`,
      digits((await bytesOf(size, points)) / (size * points)),
      time(results[`find ${points}`].ns),
      time(results[`build ${points}`].ns),
    ]);
  }
  print(
    `The ring with ${size} members: shares of the hashes (medians over ${NAMES.length} kinds of names), ` +
      'bytes per point, and time',
    ...rows,
  );
}

function spread(ids, points) {
  const shares = [...createRing(ids, { points }).distribution().values()].map(share => share * ids.length);
  const variance = shares.reduce((sum, share) => sum + (share - 1) ** 2, 0) / shares.length;
  return { largest: Math.max(...shares), smallest: Math.min(...shares), deviation: Math.sqrt(variance) };
}

/** What a ring's typed arrays hold: of many small rings, for what else the process holds varies. */
async function bytesOf(size, points) {
  const held = async () => {
    globalThis.gc();
    await sleep(5);
    return process.memoryUsage().arrayBuffers;
  };
  const ids = endpointsOf(size).map(({ id }) => id);
  const before = await held();
  const rings = Array.from({ length: Math.ceil(200_000 / (size * points)) }, () =>
    createRing(ids, { points }),
  );
  const bytes = ((await held()) - before) / rings.length;
  return rings[0].size === size ? bytes : Number.NaN; // looked at here, so that they are held till now
}
