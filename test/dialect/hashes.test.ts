import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import load from 'xxhash-wasm';
import { bytesOf, writeNumber, written } from '../../src/dialect/bytes.ts';
import { crc32 } from '../../src/dialect/crc32.ts';
import { type KeyHash, keyHash } from '../../src/dialect/key-hash.ts';
import { md5 } from '../../src/dialect/md5.ts';
import { remainder, xxh64 } from '../../src/dialect/xxh64.ts';
import { hashesOfWords, words } from './libmemcached-tables.ts';

let wasm: (bytes: Uint8Array, seed?: bigint) => bigint;
beforeAll(async () => {
  wasm = (await load()).h64Raw;
});

/** At every length around the stripes of 32 bytes and the blocks of 64, with every byte there is. */
const bytes = fc.uint8Array({ maxLength: 200, size: 'max' });
const seeds = fc.oneof(fc.constantFrom(0, 1, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff }));
const halves = new Uint32Array(2);
const joined = (): bigint => (BigInt(halves[0]!) << 32n) | BigInt(halves[1]!);

describe('xxh64', () => {
  test('has the values of xxhash-wasm for any bytes and any seed of 32 bits', () => {
    fc.assert(
      fc.property(bytes, seeds, (some, seed) => {
        xxh64(some, some.length, seed, halves);
        expect(joined()).toBe(wasm(some, BigInt(seed)));
      }),
      { numRuns: 2000 },
    );
  });

  test('has the values of xxhash-wasm at every length to 100, where all bits are set and where none is', () => {
    for (let length = 0; length <= 100; length++) {
      for (const fill of [0, 0x7f, 0x80, 0xff]) {
        const some = new Uint8Array(length).fill(fill);
        xxh64(some, length, 0, halves);
        expect(joined()).toBe(wasm(some));
      }
    }
  });

  test('looks at no byte beyond the length', () => {
    const some = Uint8Array.from({ length: 80 }, (_, i) => i);
    xxh64(some, 37, 0, halves);
    expect(joined()).toBe(wasm(some.subarray(0, 37)));
  });

  test('has an exact remainder by any table size', () => {
    const half = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(half, half, fc.integer({ min: 1, max: 5_000_011 }), (high, low, by) => {
        expect(remainder(high, low, by)).toBe(Number(((BigInt(high) << 32n) | BigInt(low)) % BigInt(by)));
      }),
    );
  });
});

test('md5 has the values of node:crypto for any bytes', () => {
  const digest = new Uint32Array(4);
  fc.assert(
    fc.property(bytes, some => {
      md5(some, some.length, digest);
      const expected = createHash('md5').update(some).digest();
      expect([...digest]).toEqual([0, 4, 8, 12].map(at => expected.readUInt32LE(at)));
    }),
    { numRuns: 1000 },
  );
});

test('crc32 has the check value of its catalogue, and any one byte changes it', () => {
  expect(crc32(new TextEncoder().encode('123456789'), 9)).toBe(0xcbf43926);
  expect(crc32(new Uint8Array(0), 0)).toBe(0);
  const all = new Set(Array.from({ length: 256 }, (_, byte) => crc32(Uint8Array.of(byte), 1)));
  expect(all.size).toBe(256);
});

test.each(Object.entries(hashesOfWords))(
  '%s has the values that libmemcached tests it by',
  (name, values) => {
    const hash = keyHash('hash', name as KeyHash);
    expect(words.map(word => hash(word))).toEqual(values);
  },
);

// Its `char` has a sign on x86-64. The values are what the library itself answers (memcached_generate_hash_value).
test.each<[KeyHash, number]>([
  ['one_at_a_time', 3428599365],
  ['md5', 1727228940],
  ['crc32', 13495],
  ['fnv1_64', 344353541],
  ['fnv1a_64', 2977153569],
  ['fnv1_32', 605879941],
  ['fnv1a_32', 3520607521],
])('%s of letters beyond ASCII is what libmemcached 1.1.4 answers', (name, value) => {
  expect(keyHash('hash', name)('größe-日本')).toBe(value);
});

test('keys are written as UTF-8, long ones too, and short ones after them', () => {
  for (const text of ['', 'a', 'größe', '日本', '𝒳', 'x'.repeat(1025), 'é'.repeat(70_000), 'b', '\ud800']) {
    const some = bytesOf(text);
    expect([...some.subarray(0, written)]).toEqual([...new TextEncoder().encode(text)]);
  }
});

test('numbers are written in decimal', () => {
  const some = new Uint8Array(12);
  for (const n of [0, 9, 10, 99, 100, 8_388_608, 2 ** 31 - 1])
    expect(String.fromCharCode(...some.subarray(1, writeNumber(n, some, 1)))).toBe(String(n));
});
