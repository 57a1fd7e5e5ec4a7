import { setTimeout as sleep } from 'node:timers/promises';
import loadXxhash from 'xxhash-wasm';
import { xxh32, xxhash } from '../dist/index.js';
import { measure, print, time } from './measure.mjs';

const { h32 } = await loadXxhash();
const both = xxhash();
await sleep(100); // it loads meanwhile

const rows = [['characters', 'xxh32', 'xxhash-wasm', 'xxhash()', 'xxh32, not ASCII', 'xxhash-wasm']];
for (const length of [8, 16, 24, 32, 48, 64, 80, 96, 128, 192, 256, 512, 1024]) {
  const keysOf = letter =>
    Array.from({ length: 256 }, (_, i) => `${letter.repeat(length)}${i}`.slice(-length).normalize());
  const ascii = keysOf('k');
  const other = keysOf('é');
  if (ascii.some(key => xxh32(key) !== h32(key) || both(key) !== h32(key))) throw new Error('values differ');
  const result = await measure(
    {
      plain: i => xxh32(ascii[i & 255]),
      wasm: i => h32(ascii[i & 255]),
      both: i => both(ascii[i & 255]),
      plainOther: i => xxh32(other[i & 255]),
      wasmOther: i => h32(other[i & 255]),
    },
    { rounds: 7, ms: 5 },
  );
  const { plain, wasm, both: mixed, plainOther, wasmOther } = result;
  rows.push([length, ...[plain, wasm, mixed, plainOther, wasmOther].map(({ ns }) => time(ns))]);
}
print('Hashing a key', ...rows);
