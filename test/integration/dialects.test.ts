import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from 'fairlead';
import {
  type HaproxyHash,
  haproxyRing,
  type KeyHash,
  libmemcachedRing,
  nginxRing,
  type Placement,
  twemproxyRing,
} from 'fairlead/dialects';
import { afterEach, expect, test } from 'vitest';
import { Daemon } from './daemon.ts';
import { inTime } from './in-time.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Short and long, of few letters and of any: no commas, at which HAProxy parts a header, and no blanks. */
const keys = (count: number): string[] =>
  Array.from({ length: count }, (_, i) =>
    i % 10 === 7
      ? `schlüssel-日本-${i}`
      : i % 10 === 8
        ? `/a/long/path/to/nowhere/${i}`.repeat(8)
        : `user:${i * i}`,
  );

async function daemon(...parameters: Parameters<typeof Daemon.start>): Promise<Daemon> {
  const started = await Daemon.start(...parameters);
  open.push(() => started.close());
  return started;
}

/** Asks a server for a path with each key in the header `x-key`, and answers a header of each response. */
async function ask(port: number, path: string, all: readonly string[], header: string): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  open.push(async () => agent.destroy());
  const one = async (key: string): Promise<string> => {
    // A header is bytes, a letter each.
    const headers = { 'x-key': Buffer.from(key).toString('latin1') };
    const request = get({ host: '127.0.0.1', port, path, agent, headers });
    const [response] = await once(request, 'response');
    response.resume();
    await once(response, 'end');
    return response.headers[header];
  };
  return inTime(Promise.all(all.map(one)), 'not all keys were answered');
}

const placedAs = (placed: Placement, all: readonly string[]): (string | undefined)[] =>
  all.map(key => placed.get(key));

test('nginx: every key, and whom it tries next, with weights, names without a port, and a server that is down', async () => {
  const down = '127.0.0.13:9';
  const upstreams: Record<string, (Endpoint & { readonly name: string })[]> = {};
  const add = (upstream: string, name: string, weight = 1): void => {
    const [host, port = '80'] = name.split(':');
    (upstreams[upstream] ??= []).push({ id: name, name, host: host!, port: Number(port), weight });
  };
  for (let i = 1; i <= 7; i++) add('even', `127.0.0.${i}:9`);
  for (let i = 1; i <= 5; i++) add('weighted', `127.0.0.${i}:${i}`, i);
  for (let i = 1; i <= 40; i++) add('many', `127.0.0.${i}:7`);
  for (let i = 1; i <= 4; i++) add('portless', `127.0.0.${i}`);
  for (let i = 11; i <= 16; i++) add('down', `127.0.0.${i}:9`);
  // Nobody listens there: nginx tries all of them for each request, and says in which order.
  const server = (upstream: string): string => `
    upstream ${upstream} {
      hash $http_x_key consistent;
      ${upstreams[upstream]!.map(({ name, weight }) => `server ${name} weight=${weight} max_fails=0 ${name === down ? 'down' : ''};`).join('\n')}
    }`;
  const { port } = await daemon(
    'nginx',
    (port, folder) => `
      daemon off; master_process off; pid ${folder}/pid; error_log /dev/null crit;
      events { worker_connections 512; }
      http {
        access_log off;
        client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
        uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
        large_client_header_buffers 4 32k;
        ${Object.keys(upstreams).map(server).join('\n')}
        server {
          listen 127.0.0.1:${port};
          add_header x-upstream $upstream_addr always;
          ${Object.keys(upstreams)
            .map(upstream => `location = /${upstream} { proxy_pass http://${upstream}; }`)
            .join('\n')}
        }
      }`,
    (file, folder) => ['-c', file, '-p', folder, '-e', '/dev/null'],
  );
  const all = keys(1500);
  const nameOf = (endpoint: Endpoint): string => (endpoint as unknown as { name: string }).name;
  for (const [upstream, servers] of Object.entries(upstreams)) {
    const placed = nginxRing({ name: nameOf }).place(servers);
    const tried = await ask(port, `/${upstream}`, all, 'x-upstream');
    let compared = 0;
    all.forEach((key, i) => {
      // nginx names the address, with the port that the configuration left out.
      const order = tried[i]!.split(', ').map(address => address.replace(/:80$/, ''));
      const expected = placed.getN(key, servers.length).filter(id => id !== down);
      compared += expected.length;
      expect(`${upstream} ${key}: ${order.slice(0, expected.length)}`).toBe(
        `${upstream} ${key}: ${expected}`,
      );
    });
    expect(compared / all.length).toBeGreaterThan(3);
  }
});

test('HAProxy: every key by each function, with and without avalanche, with weights, and with a server down', async () => {
  const functions: HaproxyHash[] = ['sdbm', 'djb2', 'wt6', 'crc32'];
  const backends = functions.flatMap(hash => [
    { hash, avalanche: false, down: undefined },
    { hash, avalanche: true, down: undefined },
    { hash, avalanche: true, down: 's4' },
  ]);
  // Ids of our own choice; the last two have none in the configuration, and so their places.
  const ids = [5, 17, 900, 4, 2_000_000_000, 6, 7];
  const endpoints: Endpoint[] = ids.map((_, i) => ({
    id: `s${i + 1}`,
    host: '127.0.0.1',
    port: 80,
    weight: [1, 1, 2, 7, 100, 256, 1][i]!,
  }));
  const { port } = await daemon(
    'haproxy',
    (port, folder) => `
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen target
  bind unix@${folder}/target
  http-request return status 200
frontend entry
  bind 127.0.0.1:${port}
  use_backend %[path,field(2,/)]
${backends
  .map(
    ({ hash, avalanche, down }, i) => `
backend b${i}
  balance hdr(x-key)
  hash-type consistent ${hash} ${avalanche ? 'avalanche' : ''}
  http-response set-header x-server %s
${endpoints
  .map(
    ({ id, weight }, at) =>
      `  server ${id} unix@${folder}/target weight ${weight} ${at < 5 ? `id ${ids[at]}` : ''} ${id === down ? 'disabled' : ''}`,
  )
  .join('\n')}`,
  )
  .join('\n')}
`,
    file => ['-db', '-f', file],
  );
  const all = keys(1000);
  for (const [i, { hash, avalanche, down }] of backends.entries()) {
    const placed = haproxyRing({
      id: ({ id }) => ids[Number(id.slice(1)) - 1]!,
      function: hash,
      avalanche,
    }).place(endpoints.filter(({ id }) => id !== down));
    expect(await ask(port, `/b${i}`, all, 'x-server')).toEqual(placedAs(placed, all));
  }
});

/** A memcached that stores nothing, and remembers whom it was told to set. */
class Store {
  readonly keys: string[] = [];
  readonly #sockets = new Set<Socket>();
  #server!: Server;

  async start(host: string, port: number): Promise<void> {
    this.#server = createServer(socket => {
      this.#sockets.add(socket);
      let rest = '';
      socket.on('error', () => {});
      socket.on('data', data => {
        rest += data.toString('latin1');
        for (let end = rest.indexOf('\r\nx\r\n'); end >= 0; end = rest.indexOf('\r\nx\r\n')) {
          this.keys.push(Buffer.from(rest.slice(0, end).split(' ')[1]!, 'latin1').toString());
          rest = rest.slice(end + 5);
          socket.write('STORED\r\n');
        }
      });
    });
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

test('twemproxy: every key by each hash, with weights, and with names of the configuration', async () => {
  const hashes: KeyHash[] = [
    'one_at_a_time',
    'md5',
    'crc32',
    'crc32a',
    'fnv1_64',
    'fnv1a_64',
    'fnv1_32',
    'fnv1a_32',
  ];
  const weights = [1, 1, 2, 3, 1, 5, 1];
  const all = keys(1000);
  const endpointsAt = (port: number): Endpoint[] =>
    weights.map((weight, i) => ({ id: `${i}`, host: `127.0.0.${i + 2}`, port, weight }));
  const pools = [
    ...hashes.map(hash => ({ hash, even: false, named: false })),
    { hash: 'fnv1a_64' as const, even: false, named: true },
    { hash: 'fnv1a_64' as const, even: true, named: false },
  ];
  const stores = weights.map(() => new Store());
  const { port } = await daemon(
    'nutcracker',
    port =>
      pools
        .map(
          ({ hash, even, named }, i) => `
p${i}:
  listen: 127.0.0.1:${port + i}
  hash: ${hash}
  distribution: ketama
  auto_eject_hosts: false
  servers:
${endpointsAt(port)
  .map(({ host, weight, id }) => `   - ${host}:${port}:${even ? 1 : weight}${named ? ` cache-${id}` : ''}`)
  .join('\n')}`,
        )
        .join('\n'),
    (file, folder, port) => [
      '-c',
      file,
      '-p',
      `${folder}/pid`,
      '-o',
      `${folder}/log`,
      '-a',
      '127.0.0.1',
      '-s',
      `${port + 50}`,
    ],
  );
  for (const [i, store] of stores.entries()) {
    await store.start(`127.0.0.${i + 2}`, port);
    open.push(() => store.close());
  }
  for (const [i, { hash, even, named }] of pools.entries()) {
    for (const store of stores) store.keys.length = 0;
    const socket = connect(port + i, '127.0.0.1');
    open.push(async () => socket.destroy());
    let answered = 0;
    const done = new Promise<void>(resolve => {
      socket.on('data', data => {
        answered += data.toString().split('STORED\r\n').length - 1;
        if (answered === all.length) resolve();
      });
    });
    for (const key of all) socket.write(`set ${key} 0 0 1\r\nx\r\n`);
    await inTime(done, () => `twemproxy answered ${answered} of ${all.length} keys by ${hash}`);
    const endpoints = endpointsAt(port).map(endpoint => ({
      ...endpoint,
      weight: even ? 1 : endpoint.weight!,
    }));
    const placed = twemproxyRing({ hash, ...(named && { name: ({ id }) => `cache-${id}` }) }).place(
      endpoints,
    );
    const owners = new Map(stores.flatMap(({ keys }, at) => keys.map(key => [key, `${at}`])));
    expect(all.map(key => owners.get(key))).toEqual(placedAs(placed, all));
  }
});

test('libmemcached: every key, weighted and not, by each hash, on port 11211 and others', () => {
  const all = keys(2000);
  const hashes: KeyHash[] = ['one_at_a_time', 'md5', 'crc32', 'fnv1_64', 'fnv1a_64', 'fnv1_32', 'fnv1a_32'];
  const cases = [];
  for (let count = 1; count <= 30; count += 3) {
    const endpoints: Endpoint[] = Array.from({ length: count }, (_, i) => ({
      id: String(i).padStart(2, '0'),
      host: `cache-${i}.example`,
      port: i % 2 === 0 ? 11_211 : 11_000 + i,
      weight: 1 + ((i * 7) % 5),
    }));
    const even = endpoints.map(endpoint => ({ ...endpoint, weight: 1 }));
    cases.push(
      { endpoints, weighted: true, hash: undefined },
      { endpoints: even, weighted: true, hash: undefined },
    );
    cases.push({ endpoints: even, weighted: false, hash: undefined });
    // Of C's hashes of what is not ASCII, nothing is certain but what it answers: so each is asked.
    if (count === 7) for (const hash of hashes) cases.push({ endpoints: even, weighted: false, hash });
  }
  const script = fileURLToPath(new URL('libmemcached.py', import.meta.url));
  const { stdout, stderr, status } = spawnSync('python3', [script], {
    input: JSON.stringify({ keys: all, cases }),
    maxBuffer: 2 ** 28,
  });
  expect(`${status}: ${stderr}`).toBe('0: ');
  const owners: number[][] = JSON.parse(String(stdout));
  expect(owners).toHaveLength(cases.length);
  for (const [i, { endpoints, weighted, hash }] of cases.entries()) {
    const placed = libmemcachedRing({ weighted, ...(hash && { hash }) }).place(endpoints);
    expect(owners[i]!.map(at => endpoints[at]!.id)).toEqual(placedAs(placed, all));
  }
});
