import { connect } from 'node:net';
import { checkNumber } from '../base/errors.ts';
import { checkOptions } from '../base/options.ts';
import type { HealthCheck } from '../model/health.ts';

export interface TcpCheckOptions {
  /** The port that is tried. Default: the endpoint's own. */
  readonly port?: number | undefined;
}

/**
 * A health check by TCP: passes once a connection is there, and closes it. It shows that somebody listens, which the kernel
 * does for a process that hangs, too: prefer a check that the process itself must answer where there is one.
 *
 * @throws RangeError or TypeError that names the bad option
 */
export function tcpCheck(options: TcpCheckOptions = {}): HealthCheck {
  const { port: given } = checkOptions('tcpCheck', options, { port: 1 });
  if (given !== undefined) checkNumber('tcpCheck port', given, 1, 65_535, true);
  return ({ host, port }, signal) =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port: given ?? port }).unref();
      const abort = (): void => {
        reject(signal.reason);
        socket.destroy();
      };
      signal.addEventListener('abort', abort);
      socket.once('connect', () => {
        socket.destroy();
        resolve();
      });
      socket.on('error', reject);
      socket.once('close', () => signal.removeEventListener('abort', abort));
    });
}
