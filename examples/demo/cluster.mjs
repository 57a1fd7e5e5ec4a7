import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HEARTBEAT, SERVICE } from './settings.mjs';

const SERVER = fileURLToPath(new URL('./server.mjs', import.meta.url));
const HOST = '127.0.0.1';

/**
 * @typedef {{ id: string, behaviour: string }} Instance
 * @typedef {{ instance: Instance, port: number, child: import('node:child_process').ChildProcess, stopped: boolean }} Running
 */

/** The instances, each a child process that its heartbeats keep in the registry. */
export class Cluster {
  /** Rejects when a child ends that nobody told to. @type {Promise<never>} */
  crashed;
  /** @type {(error: Error) => void} */
  #crash = () => {};
  /** @type {Map<string, Running>} */
  #running = new Map();
  #registry;

  /** @param {import('fairlead').Registry} registry */
  constructor(registry) {
    this.#registry = registry;
    this.crashed = new Promise((_, reject) => {
      this.#crash = reject;
    });
    this.crashed.catch(() => {}); // it is for whoever waits
  }

  /** Resolves once it listens and is registered. @param {Instance} instance */
  start(instance, port = 0) {
    const child = fork(SERVER, [instance.behaviour, String(port), String(HEARTBEAT)]);
    /** @type {Running} */
    const running = { instance, port, child, stopped: false };
    this.#running.set(instance.id, running);
    child.on('error', error => this.#crash(error));
    child.on('exit', (code, signal) => {
      if (!running.stopped) this.#crash(new Error(`'${instance.id}' ended by itself: ${signal ?? code}`));
    });
    return /** @type {Promise<void>} */ (
      new Promise(resolve => {
        /** @type {import('fairlead').Registration | undefined} */
        let registration;
        child.on('message', message => {
          if (running.stopped) return;
          if (message !== 'alive') running.port = /** @type {{ port: number }} */ (message).port;
          if (!registration?.heartbeat()) {
            registration = this.#registry.register(SERVICE, {
              id: instance.id,
              host: HOST,
              port: running.port,
            });
          }
          resolve();
        });
      })
    );
  }

  /** Kills an instance outright. Nobody tells the registry, which misses the heartbeats in time. @param {string} id */
  async kill(id) {
    const running = this.#of(id);
    const gone = new Promise(resolve => running.child.once('exit', resolve));
    running.stopped = true;
    running.child.kill('SIGKILL');
    await gone;
  }

  /** Starts a killed instance again, on the port it had. @param {string} id */
  async restart(id) {
    const { instance, port } = this.#of(id);
    await this.start(instance, port);
  }

  /** Kills all that run. Synchronous, for it may be the last thing this process does. */
  stop() {
    for (const running of this.#running.values()) {
      running.stopped = true;
      running.child.kill('SIGKILL');
    }
  }

  /** @param {string} id */
  #of(id) {
    return /** @type {Running} */ (this.#running.get(id));
  }
}
