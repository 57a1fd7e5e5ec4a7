import {
  type BalancedFetch,
  createFetch,
  type FetchOptions,
  type MembersChange,
  weightedRoundRobin,
} from 'fairlead';
import { type DnsOptions, dns } from 'fairlead/dns';
import { afterEach, expect, test } from 'vitest';
import { Dnsmasq, type Zone } from './dnsmasq.ts';
import { inTime } from './in-time.ts';
import { Instances, listen, stop } from './instances.ts';
import { takePort } from './ports.ts';
import { Traffic } from './traffic.ts';

const ONE = '127.0.0.1';
const TWO = '127.0.0.2';
const THREE = '127.0.0.3';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function nameServer(zone: Zone): Promise<Dnsmasq> {
  const server = await Dnsmasq.start(zone);
  open.push(() => server.close());
  return server;
}

async function instancesAt(...addresses: readonly string[]): Promise<Instances> {
  const instances = await Instances.start(...addresses);
  open.push(async () => instances.close());
  return instances;
}

/** A client of what the name server names. Its look-ups give up soon, for some tests silence the server. */
function clientOf(server: Dnsmasq, source: DnsOptions, options: Partial<FetchOptions> = {}): BalancedFetch {
  const fetch = createFetch({
    discovery: dns({ timeout: 400, servers: [server.address], ...source }),
    ...options,
  });
  open.push(() => fetch.close());
  return fetch;
}

function trafficThrough(fetch: BalancedFetch): Traffic {
  const traffic = new Traffic(async () => {
    const response = await fetch('http://users/');
    return response.text();
  });
  open.push(() => traffic.stop());
  return traffic;
}

const idsOf = (fetch: BalancedFetch): string[] =>
  fetch.client.pool.members().map(({ endpoint }) => endpoint.id);

/** Resolves at the next change of the set, with the ids that came and went. */
async function change(fetch: BalancedFetch): Promise<{ added: string[]; removed: string[] }> {
  const changed = new Promise<MembersChange>(resolve => fetch.client.once('members', resolve));
  const { added, removed } = await inTime(changed, () => `the set ${idsOf(fetch)} did not change`);
  return { added: added.map(({ id }) => id), removed: removed.map(({ id }) => id) };
}

/** Resolves with the next error of discovery that is of the kind. */
async function discoveryError(fetch: BalancedFetch, kind: RegExp): Promise<Error> {
  const others: string[] = [];
  const failed = new Promise<Error>(resolve => {
    const hear = (error: unknown): void => {
      if (!kind.test(String(error))) return void others.push(String(error));
      fetch.client.off('discoveryError', hear);
      resolve(error as Error);
    };
    fetch.client.on('discoveryError', hear);
  });
  return inTime(failed, () => `discovery did not report ${kind}, but ${others}`);
}

test('instances come, go and die: the traffic follows, and no call fails', async () => {
  const instances = await instancesAt(ONE, TWO, THREE);
  const { port } = instances;
  const at = (...addresses: readonly string[]): string[] => addresses.map(address => `${address}:${port}`);
  const server = await nameServer({ hosts: { 'users.test': [ONE, TWO] } });
  const fetch = clientOf(server, { host: 'users.test', port });
  const traffic = trafficThrough(fetch);
  await traffic.served(at(ONE, TWO), 200);
  expect(traffic.servers).toEqual(at(ONE, TWO));

  let changed = change(fetch);
  await server.change({ 'users.test': [ONE, TWO, THREE] });
  expect(await changed).toEqual({ added: at(THREE), removed: [] });
  await traffic.served(at(ONE, TWO, THREE));

  changed = change(fetch);
  await server.change({ 'users.test': [TWO, THREE] });
  expect(await changed).toEqual({ added: [], removed: at(ONE) });
  traffic.mark();
  await traffic.served(at(TWO, THREE));
  expect(traffic.servers).toEqual(at(TWO, THREE));

  // Dies before DNS knows.
  await instances.kill(TWO);
  traffic.mark();
  await traffic.served(at(THREE));
  expect(traffic.servers).toEqual(at(THREE));
  changed = change(fetch);
  await server.change({ 'users.test': [THREE, ONE] });
  expect(await changed).toEqual({ added: at(ONE), removed: at(TWO) });
  await traffic.served(at(ONE, THREE));

  // Everybody is replaced at once.
  await instances.start(TWO);
  changed = change(fetch);
  await server.change({ 'users.test': [TWO] });
  expect(await changed).toEqual({ added: at(TWO), removed: at(ONE, THREE) });
  traffic.mark();
  await traffic.served(at(TWO));
  expect(traffic.servers).toEqual(at(TWO));

  await traffic.stop();
  expect(traffic.failures).toEqual([]);
});

test('the name server stands still: the last good set serves, and a change is seen once it goes on', async () => {
  const instances = await instancesAt(ONE, TWO);
  const { port } = instances;
  const server = await nameServer({ hosts: { 'users.test': [ONE] } });
  const fetch = clientOf(server, { host: 'users.test', port });
  const traffic = trafficThrough(fetch);
  await traffic.served([`${ONE}:${port}`]);

  server.pause();
  await discoveryError(fetch, /no name server told the A records of users\.test within 400 ms|ETIMEOUT/);
  await discoveryError(fetch, /within 400 ms|ETIMEOUT/);
  traffic.mark();
  await traffic.served([`${ONE}:${port}`]);
  expect(idsOf(fetch)).toEqual([`${ONE}:${port}`]);

  const changed = change(fetch);
  server.resume();
  await server.change({ 'users.test': [TWO] });
  expect(await changed).toEqual({ added: [`${TWO}:${port}`], removed: [`${ONE}:${port}`] });
  await traffic.served([`${TWO}:${port}`]);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
});

test('the name server is killed: the last good set serves, and a change is seen once it is back', async () => {
  const instances = await instancesAt(ONE, TWO);
  const { port } = instances;
  const server = await nameServer({ hosts: { 'users.test': [ONE] } });
  const fetch = clientOf(server, { host: 'users.test', port });
  const traffic = trafficThrough(fetch);
  await traffic.served([`${ONE}:${port}`]);

  await server.kill();
  for (let i = 0; i < 3; i++) await discoveryError(fetch, /ECONNREFUSED/);
  traffic.mark();
  await traffic.served([`${ONE}:${port}`]);
  expect(idsOf(fetch)).toEqual([`${ONE}:${port}`]);

  const changed = change(fetch);
  await server.start({ hosts: { 'users.test': [TWO] } });
  expect(await changed).toEqual({ added: [`${TWO}:${port}`], removed: [`${ONE}:${port}`] });
  await traffic.served([`${TWO}:${port}`]);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
});

test('a name that is gone for a moment costs nothing; one that stays away is believed, and found again', async () => {
  const instances = await instancesAt(ONE);
  const { port } = instances;
  const server = await nameServer({ hosts: { 'users.test': [ONE] } });
  const fetch = clientOf(server, { host: 'users.test', port, maxInterval: 100 });
  const traffic = trafficThrough(fetch);
  await traffic.served([`${ONE}:${port}`]);
  const gone = discoveryError(fetch, /the name users\.test does not exist \(NXDOMAIN\)/);
  await server.change({});
  expect(await gone).toMatchObject({ code: 'DISCOVERY', cause: { code: 'ENOTFOUND' } });
  // Heard again and again, and not believed yet.
  for (let i = 0; i < 3; i++) await server.asked('A', 'users.test');
  expect(idsOf(fetch)).toEqual([`${ONE}:${port}`]);
  await server.change({ 'users.test': [ONE] });
  traffic.mark();
  await traffic.served([`${ONE}:${port}`]);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);

  const hasty = clientOf(
    server,
    { host: 'users.test', port, maxInterval: 100 },
    { follow: { emptyAfter: 300 } },
  );
  await hasty.client.ready();
  let changed = change(hasty);
  await server.change({});
  expect(await changed).toEqual({ added: [], removed: [`${ONE}:${port}`] });
  await expect(hasty('/')).rejects.toMatchObject({
    code: 'NO_ENDPOINTS',
    cause: { message: 'the name users.test does not exist (NXDOMAIN)' },
  });
  changed = change(hasty);
  await server.change({ 'users.test': [ONE] });
  expect(await changed).toEqual({ added: [`${ONE}:${port}`], removed: [] });
  expect((await hasty('/')).status).toBe(200);
});

test('families are taken as asked for; a name without such addresses is told apart from one that does not exist', async () => {
  const server = await nameServer({ hosts: { 'users.test': [ONE, 'fd00::1'], 'six.test': ['fd00::6'] } });
  const ids = async (host: string, family?: 4 | 6 | 'both' | 'either'): Promise<string[]> => {
    const fetch = clientOf(server, { host, port: 80, ...(family && { family }) });
    await fetch.client.ready();
    return idsOf(fetch);
  };
  expect(await ids('users.test')).toEqual([`${ONE}:80`]);
  expect(await ids('users.test', 4)).toEqual([`${ONE}:80`]);
  expect(await ids('users.test', 6)).toEqual(['[fd00::1]:80']);
  expect(await ids('users.test', 'both')).toEqual([`${ONE}:80`, '[fd00::1]:80']);
  expect(await ids('six.test')).toEqual(['[fd00::6]:80']);
  const none = clientOf(server, { host: 'six.test', port: 80, family: 4 });
  await expect(none('/')).rejects.toMatchObject({
    code: 'NO_ENDPOINTS',
    cause: { message: 'the name six.test has no usable A record (NODATA)', cause: { code: 'ENODATA' } },
  });
});

test('a name server that refuses to answer is an error, not an empty set', async () => {
  const server = await nameServer({ hosts: { 'users.test': [ONE] } });
  const fetch = clientOf(server, { host: 'users.elsewhere', port: 80 });
  expect(await discoveryError(fetch, /EREFUSED/)).toMatchObject({ code: 'EREFUSED' });
  expect(idsOf(fetch)).toEqual([]);
});

test('SRV: shares follow the weights, Host is the target, and no call fails while records change', async () => {
  const local = (): Promise<number> =>
    takePort(async port => {
      const server = await listen('localhost', port);
      open.push(async () => stop(server));
      return port;
    });
  const [heavy, light, late] = [await local(), await local(), await local()];
  const record = (port: number, weight: number): string =>
    `_http._tcp.users.test,localhost,${port},10,${weight}`;
  const server = await nameServer({ srv: [record(heavy, 60), record(light, 20)] });
  const fetch = clientOf(
    server,
    { srv: '_http._tcp.users.test', interval: 100 },
    { balancer: weightedRoundRobin() },
  );

  const counts = new Map<string, number>();
  for (let i = 0; i < 40; i++) {
    const response = await fetch('/');
    const host = response.headers.get('x-host')!;
    expect(await response.text()).toBe(host);
    counts.set(host, (counts.get(host) ?? 0) + 1);
  }
  // Exact: whole rounds of 3 + 1 turns, one call after another.
  expect(Object.fromEntries(counts)).toEqual({ [`localhost:${heavy}`]: 30, [`localhost:${light}`]: 10 });
  expect(fetch.client.pool.members().map(({ endpoint: { priority, weight } }) => [priority, weight])).toEqual(
    heavy < light
      ? [
          [10, 3],
          [10, 1],
        ]
      : [
          [10, 1],
          [10, 3],
        ], // sorted by id
  );

  const traffic = trafficThrough(fetch);
  await traffic.served([`localhost:${heavy}`, `localhost:${light}`]);
  const changed = change(fetch);
  await server.kill();
  await server.start({ srv: [record(light, 0), record(late, 0)] });
  expect(await changed).toEqual({ added: [`localhost:${late}`], removed: [`localhost:${heavy}`] });
  traffic.mark();
  await traffic.served([`localhost:${light}`, `localhost:${late}`]);
  expect(traffic.servers).toEqual([`localhost:${light}`, `localhost:${late}`].sort());
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(fetch.client.pool.members().map(({ endpoint }) => endpoint.weight)).toEqual([1, 1]);

  // A target "." says that there is no such service.
  const gone = discoveryError(fetch, /the name _http\._tcp\.users\.test has no usable SRV record/);
  await server.kill();
  await server.start({ srv: ['_http._tcp.users.test'] });
  await gone;
  expect((await fetch('/')).status).toBe(200);
});
