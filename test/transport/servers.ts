import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createSocketServer,
  type Server,
  type Socket,
} from 'node:net';

/** A server on loopback. */
export interface Running extends AsyncDisposable {
  /** `host:port`. */
  readonly id: string;
  readonly port: number;
  /** Stops at once, whoever is connected. */
  stop(): Promise<void>;
}

/** A real HTTP server. */
export const serve = (handler: RequestListener, port = 0): Promise<Running> =>
  started(createServer(handler), port);

/** A server that is left alone with its connections. */
export const serveRaw = (handler: (socket: Socket) => void): Promise<Running> =>
  started(createSocketServer(handler), 0);

async function started(server: Server, port: number): Promise<Running> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // the other side may be gone
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: actual } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { id: `127.0.0.1:${actual}`, port: actual, stop, [Symbol.asyncDispose]: stop };
}

/**
 * An address that refuses connections: its port is held by a connection that goes out from it. It is none of those that
 * systems hand out by themselves: one in thirty thousand would be connected to itself.
 */
export async function refusing(): Promise<Running> {
  const other = await serveRaw(() => {});
  const holder = connect({ port: other.port, host: '127.0.0.1', localPort: await lastingPort() });
  await once(holder, 'connect');
  const stop = async (): Promise<void> => {
    holder.destroy();
    await other.stop();
  };
  const port = holder.localPort!;
  return { id: `127.0.0.1:${port}`, port, stop, [Symbol.asyncDispose]: stop };
}

/**
 * A port to which a server can come back: below those that systems hand out by themselves, so that nobody gets it
 * meanwhile.
 */
export async function lastingPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + (next++ % 10_000);
    try {
      await (await serve(() => {}, port)).stop();
      return port;
    } catch {
      // taken: another
    }
  }
}

let next = Math.floor(Math.random() * 10_000);
