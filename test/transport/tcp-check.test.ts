import { once } from 'node:events';
import { tcpCheck } from 'fairlead/tcp';
import { expect, test } from 'vitest';
import { countedSignal, endpoint } from '../helpers.ts';
import { type Running, refusing, serveRaw } from './servers.ts';

const at = ({ port }: Running, host = '127.0.0.1') => endpoint('a', { host, port });

test('where somebody listens it passes, and the connection is closed', async () => {
  const seen: Promise<unknown>[] = [];
  await using server = await serveRaw(socket => void seen.push(once(socket.resume(), 'end')));
  const { signal, listeners } = countedSignal();
  await tcpCheck()(at(server), signal);
  await tcpCheck()(at(server, '[127.0.0.1]'), signal);
  while (seen.length < 2 || listeners() > 0) await new Promise(setImmediate);
  await Promise.all(seen);
});

test('another port may be tried than the one of the calls', async () => {
  await using nobody = await refusing();
  await using server = await serveRaw(socket => socket.resume());
  await tcpCheck({ port: server.port })(at(nobody), countedSignal().signal);
});

test('where nobody listens, or there is no such port, it fails', async () => {
  await using nobody = await refusing();
  const { signal, listeners } = countedSignal();
  await expect(tcpCheck()(at(nobody), signal)).rejects.toThrow('ECONNREFUSED');
  await expect(tcpCheck()(endpoint('a', { port: 70_000 }), signal)).rejects.toThrow(RangeError);
  while (listeners() > 0) await new Promise(setImmediate);
});

test('when its time is over it fails with the reason, and is not heard of again', async () => {
  await using server = await serveRaw(socket => socket.resume());
  for (const before of [true, false]) {
    const { signal, abort, listeners } = countedSignal();
    if (before) abort('late');
    const check = tcpCheck()(at(server), signal);
    if (!before) abort('late');
    await expect(check).rejects.toBe('late');
    while (listeners() > 0) await new Promise(setImmediate);
  }
});

test.each<[string, unknown]>([
  ['tcpCheck', null],
  ['tcpCheck', 5],
  ...[null, '80', 0, 65_536, 1.5].map(port => ['tcpCheck port', { port }] as [string, unknown]),
])('%s: %o is refused by name', (name, options) => {
  expect(() => tcpCheck(options as never)).toThrow(name);
});
