import { createServer } from 'node:net';
import { join } from 'node:path';
import { ask, heard, kill, start } from './children.mjs';
import { now } from './clock.mjs';
import { HOST, SERVERS } from './settings.mjs';

/**
 * So many free ports, below those that systems give to outgoing connections and apart from those of the tests: else another
 * process could take a server's place while it is down.
 */
async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 10_000);
    const probe = createServer();
    const isFree = await new Promise(resolve => {
      probe.once('error', () => resolve(false));
      probe.listen(port, HOST, () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise(resolve => probe.close(resolve));
    ports.add(port);
  }
  return [...ports];
}

/** What people know the i-th server by. */
export const nameOf = i => `s${String(i + 1).padStart(2, '0')}`;

/** The servers, and what the registry is told of them. */
export class Cluster {
  /** One for each server there ever was: `{ file, server }`. */
  logs = [];
  /** When a server was faulty, and how: `[from, until, server, kind, share]`. */
  faulty = [];
  #servers = [];
  #registry;
  #folder;
  #seed;
  #over = false;
  #crash = () => {};

  /** Rejects when a server ends that nobody told to. */
  crashed = new Promise((_, reject) => {
    this.#crash = reject;
  });

  constructor(registry, folder, seed) {
    this.#registry = registry;
    this.#folder = folder;
    this.#seed = seed;
    this.crashed.catch(() => {});
  }

  get addresses() {
    return this.#servers.map(({ port }) => `${HOST}:${port}`);
  }

  get endpoints() {
    return this.#servers
      .filter(({ listed }) => listed)
      .map(({ name, identity, port }) => ({ id: `${name}.${identity}`, host: HOST, port }));
  }

  async startAll() {
    this.#servers = (await freePorts(SERVERS)).map((port, i) => ({
      name: nameOf(i),
      identity: 1,
      starts: 0,
      port,
      child: undefined,
      expected: false,
      listed: true,
    }));
    await Promise.all(this.#servers.map((_, i) => this.#start(i)));
  }

  /** Makes a server fail in some way, answers how to mend it. */
  async strike(i, kind, share) {
    const server = this.#servers[i];
    const record = [now(), Number.POSITIVE_INFINITY, i, kind, share];
    this.faulty.push(record);
    const mend = await this.#wayOf(kind)(i, server, { kind, share });
    return async () => {
      await mend();
      record[1] = now();
    };
  }

  #wayOf(kind) {
    return this.#ways[kind] ?? this.#ways.answers;
  }

  #ways = {
    killed: async (i, server) => {
      await this.#kill(server);
      const miss = setTimeout(() => this.#list(server, false), 1500); // the registry misses its heartbeats
      return async () => {
        clearTimeout(miss);
        await this.#start(i);
        this.#list(server, true);
      };
    },
    // Comes back as another, either late, or at once while the registry still tells of the one before.
    reborn: async (i, server, { share }) => {
      await this.#kill(server);
      const begin = () => this.#start(i, `${server.name}.${server.identity + 1}`);
      if (share < 1) await begin();
      return async () => {
        if (share === 1) await begin();
        server.identity++;
        this.tell();
      };
    },
    stopped: async (_, { child }) => {
      child.kill('SIGSTOP');
      return async () => child.kill('SIGCONT');
    },
    refusing: async (_, { child }) => {
      await ask(child, { refuse: true }, message => message === 'refusing');
      return () => ask(child, { refuse: false }, message => message === 'listening');
    },
    answers: async (_, { child }, fault) => {
      await ask(child, { fault }, message => message === 'told');
      return () => ask(child, { fault: undefined }, message => message === 'told');
    },
  };

  async #start(i, identity = `${this.#servers[i].name}.${this.#servers[i].identity}`) {
    const server = this.#servers[i];
    const nth = server.starts++;
    const file = join(this.#folder, `${server.name}-${nth}.log`);
    this.logs.push({ file, server: i });
    // Its dice are its own, in whatever order servers start.
    const child = start('server', identity, server.port, this.#seed * 10_000 + i * 100 + nth, file);
    server.child = child;
    server.expected = false;
    child.once('exit', (code, signal) => {
      if (server.child === child && !server.expected && !this.#over)
        this.#crash(new Error(`${server.name} ended by itself: ${signal ?? code}`));
    });
    await heard(child, message => message === 'listening');
    this.tell();
  }

  async #kill(server) {
    server.expected = true;
    await kill(server.child);
  }

  #list(server, listed) {
    server.listed = listed;
    this.tell();
  }

  /** Tells the registry how things are. */
  tell(message = {}) {
    if (this.#over) return;
    const pids = this.#servers.map(({ child }) => child?.pid).filter(pid => pid !== undefined);
    this.#registry.send({ endpoints: this.endpoints, pids, ...message });
  }

  async stopAll() {
    this.#over = true;
    await Promise.all(this.#servers.map(({ child }) => kill(child)));
  }
}
