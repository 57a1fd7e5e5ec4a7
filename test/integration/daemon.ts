import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { inTime } from './in-time.ts';
import { takePort } from './ports.ts';

/** A server program of our own, told by one file what to do, that listens at a loopback port. */
export class Daemon {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port;
    this.#folder = folder;
    this.#process = child;
  }

  /** `configure` answers the file's text; `parameters` what the program is started with, given the file's path. What it writes to `log` in the folder is told if it does not start. */
  static start(
    command: string,
    configure: (port: number, folder: string) => string,
    parameters: (file: string, folder: string, port: number) => readonly string[],
  ): Promise<Daemon> {
    return takePort(async port => {
      const folder = await mkdtemp(join(tmpdir(), `fairlead-${command}-`));
      const file = join(folder, 'config');
      await writeFile(file, configure(port, folder));
      const child = spawn(command, parameters(file, folder, port), {
        stdio: ['ignore', 'ignore', 'pipe'],
        // Debian installs it where only root looks.
        env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/usr/local/sbin` },
      });
      const kill = (): void => void child.kill('SIGKILL');
      process.once('exit', kill);
      child.once('exit', () => process.off('exit', kill));
      let said = '';
      child.stderr!.on('data', data => (said += data));
      let over = false;
      const ended = Promise.race([once(child, 'error'), once(child, 'exit')]).then(async ([reason]) => {
        over = true;
        // Some complain only there.
        said += await readFile(join(folder, 'log'), 'utf8').catch(() => '');
        throw new Error(`${command} did not start (${reason}): ${said}`);
      });
      ended.catch(() => {}); // it ends some day
      const daemon = new Daemon(port, folder, child);
      const listening = async (): Promise<void> => {
        while (!over && !(await answers(port))) await wait(20);
      };
      try {
        await inTime(Promise.race([listening(), ended]), () => `${command} did not listen: ${said}`);
      } catch (error) {
        await daemon.close();
        throw error;
      }
      return daemon;
    });
  }

  async close(): Promise<void> {
    const child = this.#process;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const over = once(child, 'exit');
      child.kill('SIGKILL');
      await over;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
