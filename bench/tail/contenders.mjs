import { createFetch, fixed, p2c, peakEwma, roundRobin } from '../../dist/index.js';

/** Ways to send `GET path` to one of the servers. Each answers what the server does, and throws unless it is a 200. */
export async function contendersFor(ports) {
  const origins = ports.map(port => `http://127.0.0.1:${port}`);
  const discovery = fixed(ports.map(port => ({ id: String(port), host: '127.0.0.1', port })));
  const read = async response => {
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
    return text;
  };
  const clients = [];
  const ours = options => {
    const client = createFetch({ discovery, ...options });
    clients.push(client);
    return async path => read(await client(`http://service${path}`));
  };
  // Only now: undici, when it is loaded first, puts its own agent under the platform's fetch.
  for (const origin of origins) await read(await fetch(`${origin}/?work=1`));
  const { BalancedPool } = await import('undici');
  const pool = new BalancedPool(origins);
  clients.push(pool);
  let turn = 0;
  const byHand = async path => {
    turn = (turn + 1) % origins.length;
    return read(await fetch(`${origins[turn]}${path}`));
  };
  const balancedPool = async path => {
    const { statusCode, body } = await pool.request({ path, method: 'GET' });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${statusCode}: ${text}`);
    return text;
  };
  return {
    ways: {
      balancedPool,
      byHand,
      default: ours(),
      p2cPeakEwma: ours({ balancer: p2c({ load: peakEwma() }) }),
      roundRobin: ours({ balancer: roundRobin() }),
      healthy: ours(),
    },
    close: () => Promise.all(clients.map(client => client.close())),
  };
}
