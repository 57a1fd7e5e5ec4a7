import { createRing, type HashFunction, xxh32 } from 'fairlead/core';
import { keys, settled } from 'fairlead/testing';
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

type Load = () => Promise<{ h32: HashFunction }>;

let wasm: HashFunction;
/**
 * What `xxhash()` finds when it imports xxhash-wasm: the real one, counted, whose loading ends when we say
 * so.
 */
const loading = vi.hoisted(() => ({ load: (): Promise<unknown> => Promise.reject(new Error('not set')) }));
vi.mock('xxhash-wasm', () => ({ default: () => loading.load() }));

beforeAll(async () => {
  const { default: load } = await vi.importActual<{ default: Load }>('xxhash-wasm');
  wasm = (await load()).h32;
});

const seeds = fc.integer({ min: 0, max: 0xffffffff });
/**
 * Characters of one to four bytes, and lone surrogates, at every length around XXH32's stripe of 16 bytes.
 */
const texts = fc.oneof(
  keys(fc, { minLength: 1, maxLength: 1 }).map(([key]) => key!),
  fc
    .array(fc.integer({ min: 0, max: 0x7f }), { maxLength: 70, size: 'max' })
    .map(codes => String.fromCharCode(...codes)),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 70, size: 'max' })
    .map(units => String.fromCharCode(...units)),
  fc
    .array(fc.integer({ min: 0xd700, max: 0xe100 }), { maxLength: 30, size: 'max' })
    .map(units => String.fromCharCode(...units)),
);

describe('xxh32', () => {
  test('has the values of the specification, seed 0 being the default', () => {
    expect(xxh32('')).toBe(0x02cc5d05);
    expect(xxh32('a')).toBe(0x550d7456);
    expect(xxh32('abc')).toBe(0x32d153ff);
    expect(xxh32('abc', 42)).toBe(0x0147abfe);
    expect(xxh32('Nobody inspects the spammish repetition')).toBe(0xe2293b2f);
  });

  test('has the values of xxhash-wasm for any string and any seed', () => {
    fc.assert(
      fc.property(texts, seeds, (text, seed) => {
        expect(xxh32(text, seed)).toBe(wasm(text, seed));
        expect(xxh32.signed!(text, seed)).toBe(wasm(text, seed) | 0);
      }),
      { numRuns: 2000 },
    );
  });

  test('has the values of xxhash-wasm for keys that outgrow its buffer, and for short ones after them', () => {
    for (const length of [340, 342, 1023, 1024, 1025, 21_845, 21_846, 70_000, 10]) {
      for (const letter of ['x', 'ß', '語', '𝒳', '\ud800']) {
        const key = letter.repeat(length);
        expect(xxh32(key, 7)).toBe(wasm(key, 7));
      }
    }
  });

  test('takes a lone surrogate for U+FFFD, as TextEncoder does', () => {
    const encoded = (key: string): string => new TextDecoder().decode(new TextEncoder().encode(key));
    for (const key of [
      '\ud800',
      '\udfff',
      'a\ud800',
      '\ud800a',
      '\udc00\ud800',
      '\ud800\ud800\udc00',
      '\ud800\ue000',
      '\ud800\udbff',
    ]) {
      expect(xxh32(key)).toBe(xxh32(encoded(key)));
    }
  });

  test('gives an unsigned 32-bit integer', () => {
    fc.assert(
      fc.property(texts, seeds, (text, seed) => {
        const hash = xxh32(text, seed);
        expect(hash >>> 0).toBe(hash);
      }),
    );
  });
});

describe('xxhash()', () => {
  beforeEach(() => {
    vi.resetModules();
  });

  const long = 'a key longer than the threshold '.repeat(10);
  const sample = [
    '',
    'short',
    'kürzer',
    '\ud800',
    'x'.repeat(23),
    'x'.repeat(24),
    'é'.repeat(24),
    long,
    `${long}\udfff`,
  ];

  test('gives the values of xxh32 before WebAssembly is loaded and after, when long keys go there', async () => {
    const hashed: string[] = [];
    let finish = (): void => {};
    loading.load = () =>
      new Promise(resolve => {
        finish = () =>
          resolve({
            h32: (key: string, seed: number) => {
              hashed.push(key);
              return wasm(key, seed);
            },
          });
      });
    const { xxhash } = await import('fairlead');
    const hash = xxhash();
    const values = (): number[] => sample.flatMap(key => [hash(key), hash(key, 42), hash(key, 0xffffffff)]);
    const plain = sample.flatMap(key => [xxh32(key), xxh32(key, 42), xxh32(key, 0xffffffff)]);
    const ring = createRing(['a', 'b', 'c'], { hash });
    const owners = sample.map(key => ring.get(key));

    expect(values()).toEqual(plain);
    expect(hashed).toEqual([]);
    finish();
    await settled();
    expect(values()).toEqual(plain);
    expect([...new Set(hashed)]).toEqual(sample.filter(key => key.length >= 24));
    expect(sample.map(key => ring.get(key))).toEqual(owners);
  });

  test('loads WebAssembly once, however often it is called', async () => {
    let loads = 0;
    loading.load = async () => {
      loads++;
      return { h32: wasm };
    };
    const { xxhash } = await import('fairlead');
    expect(xxhash()(long)).toBe(xxhash()(long));
    await settled();
    expect(xxhash()(long)).toBe(xxh32(long));
    expect(loads).toBe(1);
  });

  test('goes on without WebAssembly where it cannot be had', async () => {
    loading.load = () => Promise.reject(new Error('code generation disallowed'));
    const { xxhash } = await import('fairlead');
    const hash = xxhash();
    await settled();
    expect(sample.map(key => hash(key))).toEqual(sample.map(key => xxh32(key)));
  });
});
