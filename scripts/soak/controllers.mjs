// How many controllers a call makes, by what is configured. Most make none: a signal is passed on as it is.
import { createClient, fixed, hedge, retry } from '../../dist/index.js';
import { bar } from './bars.mjs';
import { controllersMade, countControllers, NativeController } from './counts.mjs';

const CALLS = 1000;

const VARIANTS = [
  ['with a signal and retries', { policies: [retry({ budget: false, backoff: () => 0 })] }, 0],
  ['with a time-out for each attempt', { attemptTimeout: 1000 }, 1],
  ['with one for the whole call', { timeout: 1000 }, 1],
  ['with both: one each', { timeout: 1000, attemptTimeout: 1000 }, 2],
  ['with hedges', { policies: [hedge({ delay: 1000, ratio: 1, budget: false })] }, 1],
];

export async function controllers() {
  countControllers();
  const { signal } = new NativeController();
  for (const [name, options, most] of VARIANTS) {
    const client = createClient({
      discovery: fixed(['10.0.0.1:80', '10.0.0.2:80']),
      breaker: false,
      ...options,
    });
    await client.ready();
    const before = controllersMade();
    let attempts = 0;
    const task = async () => {
      if (++attempts % 10 === 0) throw new Error('refused');
    };
    for (let i = 0; i < CALLS; i++) await client.run(task, { signal }).catch(() => {});
    bar(`controllers an attempt, ${name}`, (controllersMade() - before) / attempts, most);
    await client.close();
  }
}
