import { createFetch, fixed, p2c, peakEwma, roundRobin } from '../../dist/index.js';

/**
 * What makes ways to send `GET path` to one of the servers that have learned nothing yet: `send` answers what the server
 * does, and throws unless it is a 200.
 */
export async function contendersFor(ports) {
  const origins = ports.map(port => `http://127.0.0.1:${port}`);
  const discovery = fixed(ports.map(port => ({ id: String(port), host: '127.0.0.1', port })));
  const read = async response => {
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
    return text;
  };
  const ours = options => () => {
    const client = createFetch({ discovery, ...options });
    return { send: async path => read(await client(`http://service${path}`)), close: () => client.close() };
  };
  // Only now: undici, when it is loaded first, puts its own agent under the platform's fetch.
  for (const origin of origins) await read(await fetch(`${origin}/?work=1`));
  const { BalancedPool } = await import('undici');
  const byHand = () => {
    let turn = 0;
    const send = async path => {
      turn = (turn + 1) % origins.length;
      return read(await fetch(`${origins[turn]}${path}`));
    };
    return { send, close() {} };
  };
  const balancedPool = () => {
    const pool = new BalancedPool(origins);
    const send = async path => {
      const { statusCode, body } = await pool.request({ path, method: 'GET' });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`${statusCode}: ${text}`);
      return text;
    };
    return { send, close: () => pool.close() };
  };
  return {
    balancedPool,
    byHand,
    default: ours(),
    p2cPeakEwma: ours({ balancer: p2c({ load: peakEwma() }) }),
    roundRobin: ours({ balancer: roundRobin() }),
    healthy: ours(),
  };
}
