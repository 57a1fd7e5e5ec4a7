import { type FollowOptions, follow, merge } from 'fairlead/core';
import { type ScriptedDiscovery, scriptedDiscovery, settled } from 'fairlead/testing';
import { expect, test } from 'vitest';
import { endpoint, type Fate, type TestEnv, testEnv, watch } from '../helpers.ts';

const [a, b, c] = [endpoint('a'), endpoint('b'), endpoint('c')];

interface Merging extends TestEnv {
  readonly all: readonly ScriptedDiscovery[];
  readonly sets: string[];
  readonly errors: unknown[];
  readonly over: Fate;
  readonly stop: () => void;
}

function merging(sources: number, options?: FollowOptions): Merging {
  const env = testEnv();
  const controller = new AbortController();
  const all = Array.from({ length: sources }, () => scriptedDiscovery());
  const sets: string[] = [];
  const errors: unknown[] = [];
  const over = watch(
    follow(
      merge(
        all.map(({ discovery }) => discovery),
        options,
      ),
      env,
      controller.signal,
      {
        set: set => sets.push(set.map(({ id, host }) => `${id}@${host.split('.')[0]}`).join(' ')),
        error: error => errors.push(error),
      },
    ),
  );
  return { ...env, all, sets, errors, over, stop: () => controller.abort() };
}

test('it speaks as soon as one source has, and gives the union of what they say', async () => {
  const { all, sets } = merging(3);
  await settled();
  expect(sets).toEqual([]);
  all[1]!.set([b]);
  await settled();
  all[2]!.set([c]);
  await settled();
  all[0]!.set([a]);
  await settled();
  expect(sets).toEqual(['b@b', 'b@b c@c', 'a@a b@b c@c']);
});

test('of two endpoints with one id the earlier source has the word, whoever spoke first', async () => {
  const { all, sets } = merging(2);
  all[1]!.set([{ ...a, host: 'second' }]);
  await settled();
  all[0]!.set([{ ...a, host: 'first' }, b]);
  await settled();
  all[0]!.set([b]);
  await settled();
  expect(sets).toEqual(['a@second', 'a@first b@b', 'a@second b@b']);
});

test('while one source fails its last set stands, and the others move on', async () => {
  const { all, sets, errors, clock } = merging(2);
  all[0]!.set([a]);
  all[1]!.set([b]);
  await settled();
  for (let i = 0; i < 5; i++) all[0]!.fail(new Error('down'));
  await clock.advance(10_000);
  all[1]!.set([b, c]);
  await settled();
  expect(sets.at(-1)).toBe('a@a b@b c@c');
  expect(errors).toEqual(Array.from({ length: 5 }, () => new Error('down')));
});

test('one source that loses all its endpoints is believed as the options say', async () => {
  const { all, sets, clock } = merging(2, { emptyAfter: 1000 });
  all[0]!.set([a]);
  all[1]!.set([b]);
  await settled();
  all[0]!.set([]);
  await clock.advance(999);
  expect(sets.at(-1)).toBe('a@a b@b');
  await clock.advance(1);
  expect(sets.at(-1)).toBe('b@b');
});

test('it ends when all sources have ended, with their last sets given', async () => {
  const { all, sets, over } = merging(2);
  all[0]!.set([a]);
  all[0]!.end();
  await settled();
  expect(over.state).toBe('pending');
  all[1]!.set([b]);
  all[1]!.end();
  await settled();
  expect(over.state).toBe('resolved');
  expect(sets.at(-1)).toBe('a@a b@b');
});

test('whoever stops it, or stops reading, stops the sources, and nothing is left', async () => {
  const { all, clock, stop } = merging(2);
  all[0]!.fail(new Error('down')); // one in back-off, one waiting
  await settled();
  stop();
  await settled();
  expect([...all.map(({ running }) => running), clock.pending]).toEqual([0, 0, 0]);

  const source = scriptedDiscovery([a]);
  const sets = merge([source.discovery])(testEnv(), new AbortController().signal, () => {})[
    Symbol.asyncIterator
  ]();
  expect((await sets.next()).value).toEqual([a]);
  await sets.return?.();
  await settled();
  expect(source.running).toBe(0);
});

test('a merge of merges is a merge', async () => {
  const env = testEnv();
  const sources = [a, b, c].map(each => scriptedDiscovery([each]));
  const [first, second, third] = sources.map(({ discovery }) => discovery);
  const sets: number[] = [];
  const controller = new AbortController();
  const over = follow(merge([first!, merge([second!, third!])]), env, controller.signal, {
    set: set => sets.push(set.length),
    error() {},
  });
  await settled();
  expect(sets.at(-1)).toBe(3);
  controller.abort();
  await over;
  await settled();
  expect(sources.map(({ running }) => running)).toEqual([0, 0, 0]);
});
