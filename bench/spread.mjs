import { setTimeout as sleep } from 'node:timers/promises';
import { createMaglev, createRendezvous, createRing, jumpHash } from '../dist/core.js';
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

/** What places keys, made of so many members; jump knows numbers only, so its last is the one that goes. */
const PLACES = {
  'ring, 160 points': ids => createRing(ids),
  'ring, 640 points': ids => createRing(ids, { points: 640 }),
  'maglev, 65 537': ids => createMaglev(ids),
  'maglev, 655 373': ids => createMaglev(ids, { size: 655_373 }),
  rendezvous: ids => createRendezvous(ids),
  jump: ids => ({ get: key => ids[jumpHash(key, ids.length)] }),
};
const KEYS = 100_000;

for (const size of SIZES) {
  const all = endpointsOf(size).map(({ id }) => id);
  const less = all.slice(0, -1);
  const operations = {};
  for (const [name, make] of Object.entries(PLACES)) {
    const made = make(all);
    operations[`find ${name}`] = i => made.get(keys[i & 4095]);
    operations[`build ${name}`] = () => make(all);
  }
  const results = await measure(operations, { rounds: 5, ms: 8 });
  const rows = [
    ['', 'largest / mean', 'moved, -1', 'least possible', 'between the others', 'look-up', 'build'],
  ];
  for (const [name, make] of Object.entries(PLACES)) {
    const counts = new Map();
    const [before, after] = [make(all), make(less)];
    let moved = 0;
    let owned = 0;
    for (let i = 0; i < KEYS; i++) {
      const owner = before.get(`key:${i}`);
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
      if (owner === all.at(-1)) owned++;
      if (owner !== after.get(`key:${i}`)) moved++;
    }
    rows.push([
      name,
      digits((Math.max(...counts.values()) / KEYS) * size),
      `${digits((100 * moved) / KEYS)} %`,
      `${digits((100 * owned) / KEYS)} %`,
      `${digits((100 * (moved - owned)) / KEYS)} %`,
      time(results[`find ${name}`].ns),
      time(results[`build ${name}`].ns),
    ]);
  }
  print(
    `${size} members, ${KEYS} keys: how evenly they lie, and how many move when the last member goes`,
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
