import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { takePort } from './ports.ts';

/** HTTP servers at loopback addresses of their own and one port. Each answers with its `host:port`. */
export class Instances {
  readonly port: number;
  readonly #running = new Map<string, Server>();

  private constructor(port: number) {
    this.port = port;
  }

  static start(...addresses: readonly string[]): Promise<Instances> {
    return takePort(async port => {
      const instances = new Instances(port);
      try {
        for (const address of addresses) await instances.start(address);
      } catch (error) {
        instances.close();
        throw error;
      }
      return instances;
    });
  }

  async start(address: string): Promise<void> {
    this.#running.set(address, await listen(address, this.port));
  }

  /** Breaks its connections off, and refuses new ones. */
  async kill(address: string): Promise<void> {
    const server = this.#running.get(address)!;
    this.#running.delete(address);
    const closed = once(server, 'close');
    stop(server);
    await closed;
  }

  close(): void {
    for (const server of this.#running.values()) stop(server);
  }
}

/** A server that answers with its `host:port`, and says in `x-host` what `Host` it was sent. */
export async function listen(host: string, port: number): Promise<Server> {
  const server = createServer(async (request, response) => {
    await wait(2); // so that the traffic leaves some of the machine to others
    response.setHeader('x-host', request.headers.host ?? '');
    response.end(`${host}:${port}`);
  });
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

export function stop(server: Server): void {
  server.close();
  server.closeAllConnections();
}
