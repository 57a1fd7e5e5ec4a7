import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inTime } from './in-time.ts';
import { takePort } from './ports.ts';

/** What the name server knows. Of names that end in `.test` nobody else is asked. */
export interface Zone {
  /** The addresses of each name. They may change while it runs. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** SRV records: `service,target,port,priority,weight`. They are read when it starts. */
  readonly srv?: readonly string[];
}

/** A dnsmasq of our own on a loopback port. Its records live for 1 s. */
export class Dnsmasq {
  readonly address: string;
  readonly #port: number;
  readonly #folder: string;
  readonly #lines = new EventEmitter();
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string) {
    this.#port = port;
    this.#folder = folder;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(zone: Zone): Promise<Dnsmasq> {
    const folder = await mkdtemp(join(tmpdir(), 'fairlead-dnsmasq-'));
    return takePort(async port => {
      const server = new Dnsmasq(port, folder);
      await server.start(zone);
      return server;
    });
  }

  /** Starts it, or starts it again where it was. */
  async start({ hosts = {}, srv = [] }: Zone): Promise<void> {
    const file = await this.#write(hosts);
    const child = spawn(
      'dnsmasq',
      [
        '--no-daemon',
        '--conf-file=/dev/null',
        '--no-resolv',
        '--no-hosts',
        `--port=${this.#port}`,
        '--listen-address=127.0.0.1',
        '--bind-interfaces',
        '--local=/test/',
        '--local-ttl=1',
        '--log-queries',
        `--addn-hosts=${file}`,
        ...srv.map(record => `--srv-host=${record}`),
        ...(process.getuid?.() === 0 ? ['--user=root'] : []), // else it could not read the hosts
      ],
      // Debian installs it where only root looks.
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/usr/local/sbin` },
      },
    );
    this.#process = child;
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    const said: string[] = [];
    createInterface(child.stderr!).on('line', line => {
      said.push(line);
      this.#lines.emit('line', line);
    });
    const failed = Promise.race([once(child, 'error'), once(child, 'exit')]).then(([reason]) => {
      throw new Error(`dnsmasq did not start (${reason}): ${said.join('\n')}`);
    });
    failed.catch(() => {}); // it ends some day
    await Promise.race([this.#says(/ started, /, 'start'), failed]);
  }

  /** Changes its addresses while it runs. */
  async change(hosts: NonNullable<Zone['hosts']>): Promise<void> {
    const read = this.#says(/ read .*hosts /, 'read its hosts');
    await this.#write(hosts);
    this.#process!.kill('SIGHUP');
    await read;
  }

  /** Resolves when it is next asked for such records of a name. */
  asked(type: 'A' | 'AAAA' | 'SRV', name: string): Promise<void> {
    return this.#says(`query[${type}] ${name} `, `be asked for ${name}`);
  }

  /** Makes it stand still: it takes questions, and answers none. */
  pause(): void {
    this.#process!.kill('SIGSTOP');
  }

  resume(): void {
    this.#process!.kill('SIGCONT');
  }

  /** Kills it, paused or not: nobody listens at its port any more. */
  async kill(): Promise<void> {
    const child = this.#process!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const over = once(child, 'exit');
    child.kill('SIGKILL');
    await over;
  }

  async close(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #write(hosts: NonNullable<Zone['hosts']>): Promise<string> {
    const file = join(this.#folder, 'hosts');
    const lines = Object.entries(hosts).flatMap(([name, all]) => all.map(address => `${address} ${name}\n`));
    await writeFile(file, lines.join(''));
    return file;
  }

  async #says(what: RegExp | string, meaning: string): Promise<void> {
    let hear = (_line: string): void => {};
    const said = new Promise<void>(resolve => {
      hear = line => {
        if (typeof what === 'string' ? line.includes(what) : what.test(line)) resolve();
      };
    });
    this.#lines.on('line', hear);
    try {
      await inTime(said, `dnsmasq did not ${meaning}`);
    } finally {
      this.#lines.off('line', hear);
    }
  }
}
