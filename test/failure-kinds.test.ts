import { createFetch, fixed } from 'fairlead';
import {
  type AttemptRecord,
  Call,
  type Classifier,
  consecutiveFailures,
  type FailureKind,
  retry,
  type Task,
  timeout,
} from 'fairlead/core';
import { describe, expect, test } from 'vitest';
import { rig, running, watch } from './helpers.ts';
import { refusing, serve, serveRaw } from './transport/servers.ts';

const never: Task<never> = () => new Promise(() => {});
const throws =
  (error: unknown): Task<never> =>
  () =>
    Promise.reject(error);

const classifier: Classifier = {
  value: value => (value === 503 ? 'failure' : 'success'),
  error: error => (error === 'mine' ? 'ignored' : 'failure'),
  kind: error => {
    if (error === 'reply') return 'answer';
    if (error === 'nonsense') return 'bad' as FailureKind;
    if (error === 'null') return null as unknown as undefined;
    return undefined;
  },
};

describe('how an attempt failed is told in its event, its record, and to its breaker', () => {
  test.each<[FailureKind | undefined, string, Task<unknown>]>([
    ['answer', 'an answer that the classifier finds bad', async () => 503],
    ['answer', 'an error that it says was an answer', throws('reply')],
    ['connect', 'a refused connection', throws(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }))],
    ['timeout', 'its time was over', never],
    ['timeout', 'the task had a time-out of its own', throws(new DOMException('late', 'TimeoutError'))],
    ['error', 'anything else', throws(new Error('reset'))],
    ['error', 'the classifier says nonsense', throws('nonsense')],
    ['error', 'the classifier says null', throws('null')],
    [undefined, 'nothing, for it is not to blame', throws('mine')],
    [undefined, 'nothing, for it did well', async () => 200],
  ])('%s: %s', async (kind, _, task) => {
    const told: (FailureKind | undefined)[] = [];
    const events: (FailureKind | undefined)[] = [];
    const failed: AttemptRecord[] = [];
    const { client, clock } = rig(1, {
      classifier,
      policies: [retry({ attempts: 1 }), timeout(100)],
      breaker: () => ({
        state: 'closed',
        epoch: 0,
        allows: () => true,
        begin() {},
        end: (_outcome, _elapsed, _epoch, _now, kind) => void told.push(kind),
      }),
      observer: {
        attemptEnd: attempt => void events.push(attempt.kind),
        giveUp: event => void failed.push(event.failed),
      },
    });
    await client.ready();
    const fate = watch(client.run(task));
    await clock.advance(100);
    expect(fate.state).not.toBe('pending');
    expect(running(client)).toBe(0);
    expect(told).toEqual([kind]);
    expect(events).toEqual([kind]);
    expect(failed.map(({ kind }) => kind)).toEqual(kind === undefined ? [] : [kind]);
  });

  test('an attempt begun by hand may be told; if not, its error tells', async () => {
    const { client } = rig(1);
    await client.ready();
    const end = (error?: unknown, kind?: FailureKind): FailureKind | undefined => {
      const attempt = client.pool.pick(new Call());
      attempt.end('failure', error, kind);
      return attempt.kind;
    };
    expect(end()).toBe('error');
    expect(end(undefined, 'answer')).toBe('answer');
    expect(end(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))).toBe('connect');
    expect(() => end(undefined, 'bad' as FailureKind)).toThrow(/^kind is "bad"/);
  });
});

test('over real sockets: refused, reset, late and answered can be told apart, and breakers can tell them', async () => {
  await using dead = await refusing();
  await using resets = await serveRaw(socket => socket.once('data', () => socket.destroy()));
  await using late = await serve(() => {});
  await using busy = await serve((_, response) => void response.writeHead(503).end());
  const kinds = new Map<string, FailureKind | undefined>();
  for (const { id } of [dead, resets, late, busy]) {
    const fetch = createFetch({
      discovery: fixed([id]),
      policies: [],
      attemptTimeout: id === late.id ? 50 : 10_000,
      breaker: consecutiveFailures({ threshold: 1, counts: ['connect', 'timeout'] }),
    });
    fetch.client.on('attemptEnd', ({ kind }) => void kinds.set(id, kind));
    await fetch('/').catch(() => {});
    const open = fetch.client.pool.members()[0]!.breaker === 'open';
    expect(open).toBe(id === dead.id || id === late.id);
    await fetch.close();
  }
  expect([dead, resets, late, busy].map(({ id }) => kinds.get(id))).toEqual([
    'connect',
    'error',
    'timeout',
    'answer',
  ]);
});
